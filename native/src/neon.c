/* NEON of aarch64: distances by counting bytes.
 *
 * A right block is held transposed, so that a vector holds the same byte of 16 rows. The byte of a left row
 * is broadcast, and three instructions (xor, count, add) compare 8 bits of 16 pairs. The inner loop is
 * add_bytes. Byte sums work as in avx2.c: where every limit fits, a sum starts at 254 - limit and
 * saturates, so a pair is out exactly when its byte is 255; elsewhere sums are widened in time. */
#include "columns.h"

#if defined(HL_ARM64)
#include <arm_neon.h>

#define GROUP 64u        /* right rows of one group */
#define VECTORS 4u       /* of 16 rows, in a group */
#define BYTE 2u          /* columns, that is nibbles, in a byte: plans count columns */
#define SEGMENT_MOST 56u /* columns that cannot overflow a byte: 28 * 8 < 255 */

/* ---- two rows ----------------------------------------------------------------------------- */

static inline uint32_t row_distance(const uint8_t *a, const uint8_t *b, uint32_t width_bytes)
{
    uint32_t total = 0, at = 0;
    for (; at + 16 <= width_bytes; at += 16)
        total += vaddlvq_u8(vcntq_u8(veorq_u8(vld1q_u8(a + at), vld1q_u8(b + at))));
    for (; at < width_bytes; at++)
        total += (uint32_t)__builtin_popcount((uint32_t)(a[at] ^ b[at]));
    return total;
}

static void neon_popcounts(const uint8_t *rows, uint64_t count, uint32_t width_bytes, uint32_t *out)
{
    static const uint8_t empty[HL_WIDTH_MAX];
    for (uint64_t r = 0; r < count; r++)
        out[r] = row_distance(rows + r * width_bytes, empty, width_bytes);
}

/* ---- loading ------------------------------------------------------------------------------ */

static void neon_load(hl_join *join)
{
    uint64_t words[GROUP];
    uint8_t *at = join->block_columns;
    for (uint32_t first = 0; first < join->block_count; first += GROUP)
        for (uint32_t w = 0; w < hl_compared_count(join); w++) {
            hl_group_words(join, first, GROUP, w, words);
            for (uint32_t byte = 0; byte < 8; byte++, at += GROUP)
                for (uint32_t r = 0; r < GROUP; r++)
                    at[r] = (uint8_t)(words[r] >> 8 * byte);
        }
    hl_load_limits(join);
}

static void load_queries(hl_join *join)
{
    uint32_t count = hl_compared_count(join);
    for (uint32_t q = 0; q < HL_STRIPE; q++) {
        uint8_t *at = join->query_columns + q;
        const uint8_t *row = join->query_rows[q < join->queries ? q : 0];
        for (uint32_t w = 0; w < count; w++) {
            uint64_t word = hl_compared_word(join, row, w);
            for (uint32_t byte = 0; byte < 8; byte++, at += HL_STRIPE)
                *at = (uint8_t)(word >> 8 * byte);
        }
    }
}

/* ---- comparing ---------------------------------------------------------------------------- */

#define ADD_VECTOR(query, sum, rows) sum = vqaddq_u8(sum, vcntq_u8(veorq_u8(rows, query)))

#define ADD_QUERY(q)                                   \
    do {                                               \
        uint8x16_t query = vld1q_dup_u8(queries + (q)); \
        ADD_VECTOR(query, sum##q.val[0], rows.val[0]); \
        ADD_VECTOR(query, sum##q.val[1], rows.val[1]); \
        ADD_VECTOR(query, sum##q.val[2], rows.val[2]); \
        ADD_VECTOR(query, sum##q.val[3], rows.val[3]); \
    } while (0)

/* The inner loop: add the distances of `count` bytes for 4 queries and 64 right rows. */
static inline void add_bytes(
    const uint8_t *columns, const uint8_t *queries, uint32_t count, uint8x16x4_t sums[HL_STRIPE])
{
    uint8x16x4_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    for (uint32_t c = 0; c < count; c++, columns += GROUP, queries += HL_STRIPE) {
        uint8x16x4_t rows = vld1q_u8_x4(columns);
        ADD_QUERY(0);
        ADD_QUERY(1);
        ADD_QUERY(2);
        ADD_QUERY(3);
    }
    sums[0] = sum0, sums[1] = sum1, sums[2] = sum2, sums[3] = sum3;
}

/* Is any byte sum of the group below 255? */
static inline bool any_alive(const uint8x16x4_t sums[HL_STRIPE])
{
    uint8x16_t least = sums[0].val[0];
    for (uint32_t q = 0; q < HL_STRIPE; q++)
        for (uint32_t v = 0; v < VECTORS; v++)
            least = vminq_u8(least, sums[q].val[v]);
    return vminvq_u8(least) != 255;
}

/* Bit r is set where byte r is below 255. */
static inline uint64_t mask_of(uint8x16x4_t sums)
{
    uint8_t bytes[GROUP];
    uint64_t mask = 0;
    vst1q_u8_x4(bytes, sums);
    for (uint32_t r = 0; r < GROUP; r++)
        mask |= (uint64_t)(bytes[r] != 255) << r;
    return mask;
}

static void scan_bytes(hl_join *join)
{
    uint32_t bytes = join->plan.columns / BYTE;
    for (uint32_t first = 0; first < join->block_count; first += GROUP) {
        if (hl_range_is_out(join, first))
            continue;
        const uint8_t *columns = join->block_columns + (size_t)first * bytes;
        uint8x16x4_t sums[HL_STRIPE];
        for (uint32_t q = 0; q < HL_STRIPE; q++) {
            int32_t limit = join->left_limits[join->query_popcounts[q < join->queries ? q : 0]];
            for (uint32_t v = 0; v < VECTORS; v++)
                sums[q].val[v] = vqsubq_u8(
                    vld1q_u8(join->block_byte_starts + first + 16 * v), vdupq_n_u8((uint8_t)limit));
        }
        bool alive = true;
        for (uint32_t done = 0; alive && done < join->plan.columns;) {
            uint32_t length = hl_segment_length(&join->plan, done), at = done / BYTE;
            add_bytes(columns + (size_t)at * GROUP, join->query_columns + (size_t)at * HL_STRIPE,
                      length / BYTE, sums);
            done += length;
            alive = any_alive(sums);
        }
        for (uint32_t q = 0; alive && q < join->queries; q++)
            hl_verify(join, q, first, mask_of(sums[q]) & hl_group_mask(join, first, GROUP), row_distance);
    }
}

/* Add byte sums to 16-bit sums; returns the rows whose sum is at most its limit, as bits. */
static uint64_t widen(uint8x16x4_t bytes, uint16_t sums[GROUP], const int16_t *limits, int32_t left_limit)
{
    uint64_t mask = 0;
    for (uint32_t v = 0; v < VECTORS; v++) {
        uint16_t *at = sums + 16 * v;
        vst1q_u16(at, vaddw_u8(vld1q_u16(at), vget_low_u8(bytes.val[v])));
        vst1q_u16(at + 8, vaddw_high_u8(vld1q_u16(at + 8), bytes.val[v]));
    }
    for (uint32_t r = 0; r < GROUP; r++)
        mask |= (uint64_t)(sums[r] <= limits[r] + left_limit) << r;
    return mask;
}

static void scan_words(hl_join *join)
{
    uint32_t bytes = join->plan.columns / BYTE;
    for (uint32_t first = 0; first < join->block_count; first += GROUP) {
        if (hl_range_is_out(join, first))
            continue;
        const uint8_t *columns = join->block_columns + (size_t)first * bytes;
        uint16_t sums[HL_STRIPE][GROUP];
        uint64_t masks[HL_STRIPE], alive = 1;
        memset(sums, 0, sizeof sums);
        for (uint32_t done = 0; alive && done < join->plan.columns;) {
            uint32_t length = hl_segment_length(&join->plan, done), at = done / BYTE;
            uint8x16x4_t parts[HL_STRIPE];
            memset(parts, 0, sizeof parts);
            length = length < SEGMENT_MOST ? length : SEGMENT_MOST;
            add_bytes(columns + (size_t)at * GROUP, join->query_columns + (size_t)at * HL_STRIPE,
                      length / BYTE, parts);
            done += length;
            alive = 0;
            for (uint32_t q = 0; q < join->queries; q++) {
                masks[q] = widen(parts[q], sums[q], join->block_limits + first,
                                 join->left_limits[join->query_popcounts[q]]);
                alive |= masks[q];
            }
        }
        for (uint32_t q = 0; alive && q < join->queries; q++) {
            masks[q] &= hl_group_mask(join, first, GROUP);
            if (join->plan.fold_words)
                hl_verify(join, q, first, masks[q], row_distance);
            else
                hl_accept(join, q, first, masks[q], sums[q]);
        }
    }
}

static void neon_scan(hl_join *join)
{
    load_queries(join);
    hl_load_query_range(join);
    if (hl_limits_fit_bytes(join))
        scan_bytes(join);
    else
        scan_words(join);
}

/* Not measured: with two vector instructions a cycle, a byte of a group takes 24 cycles. */
static void neon_choose(hl_join *join, bool prune)
{
    hl_costs costs = {.group = HL_STRIPE * GROUP, .check = 1.0, .verify = 2.0 + join->width_bytes / 32.0};
    join->plan = prune ? hl_plan_choose(join, &costs) : hl_plan_straight(join->width_bytes);
}

static void neon_scores(
    const hl_join *join, uint32_t query, uint32_t from, uint32_t count, double *out)
{
    hl_scores(join, query, from, count, out);
}

const hl_path_functions hl_neon = {
    .popcounts = neon_popcounts,
    .choose = neon_choose,
    .load = neon_load,
    .scan = neon_scan,
    .scores = neon_scores,
    .small = &hl_portable,
    .small_rows = 64,
};
#endif

/* AVX2: distances by table look-up.
 *
 * A row is cut into nibbles. A right block is held transposed, one byte per nibble, so that a vector
 * holds the same nibble of 32 rows; for a left row that nibble is known, so 16 table entries say how far
 * each possible right nibble is from it, and one shuffle looks up 32 distances at once. Two instructions
 * (shuffle, add) thus compare 4 bits of 32 pairs. The inner loop is add_columns.
 *
 * Byte sums: where every limit fits, a sum starts at 254 - limit and saturates, so a pair is out
 * exactly when its byte is 255. Elsewhere sums are widened to 16 bits at least every 63 columns. */
#include "columns.h"

#if defined(HL_X86)
#include <immintrin.h>

#define GROUP 64u         /* right rows of one group: two vectors */
#define STEP 4u           /* columns of one turn of the inner loop */
#define SEGMENT_MOST 60u  /* columns that cannot overflow a byte: 60 * 4 < 255 */
#define SUMS 8u           /* vectors of byte sums: two for each query */

#define D(a, b) ((((a) ^ (b)) & 1) + (((a) ^ (b)) >> 1 & 1) + (((a) ^ (b)) >> 2 & 1) + (((a) ^ (b)) >> 3 & 1))
#define ROW(a) {D(a, 0), D(a, 1), D(a, 2), D(a, 3), D(a, 4), D(a, 5), D(a, 6), D(a, 7), \
                D(a, 8), D(a, 9), D(a, 10), D(a, 11), D(a, 12), D(a, 13), D(a, 14), D(a, 15)}
/* Distance of two nibbles. */
static const uint8_t nibble_distance[16][16] __attribute__((aligned(16))) = {
    ROW(0), ROW(1), ROW(2), ROW(3), ROW(4), ROW(5), ROW(6), ROW(7),
    ROW(8), ROW(9), ROW(10), ROW(11), ROW(12), ROW(13), ROW(14), ROW(15)};

HL_TARGET_AVX2 static inline uint32_t row_distance(const uint8_t *a, const uint8_t *b, uint32_t width_bytes)
{
    uint32_t whole = width_bytes / 8, total = 0;
    for (uint32_t i = 0; i < whole; i++) {
        uint64_t x, y;
        memcpy(&x, a + 8 * (size_t)i, 8);
        memcpy(&y, b + 8 * (size_t)i, 8);
        total += (uint32_t)__builtin_popcountll(x ^ y);
    }
    if (width_bytes % 8)
        total += (uint32_t)__builtin_popcountll(hl_word(a, width_bytes, whole) ^ hl_word(b, width_bytes, whole));
    return total;
}

/* ---- loading ------------------------------------------------------------------------------ */

static void load_columns(hl_join *join)
{
    uint64_t words[GROUP];
    uint8_t *at = join->block_columns;
    for (uint32_t first = 0; first < join->block_count; first += GROUP)
        for (uint32_t w = 0; w < hl_compared_count(join); w++) {
            hl_group_words(join, first, GROUP, w, words);
            for (uint32_t byte = 0; byte < 8; byte++, at += 2 * GROUP)
                for (uint32_t r = 0; r < GROUP; r++) {
                    uint8_t bits = (uint8_t)(words[r] >> 8 * byte);
                    at[r] = bits & 15;
                    at[GROUP + r] = bits >> 4;
                }
        }
}

static void avx2_load(hl_join *join)
{
    load_columns(join);
    hl_load_limits(join);
}

/* The table of every column of every query. */
static void load_queries(hl_join *join)
{
    uint32_t count = hl_compared_count(join);
    for (uint32_t q = 0; q < HL_STRIPE; q++) {
        uint8_t *at = join->query_columns + 16 * (size_t)q;
        const uint8_t *row = join->query_rows[q < join->queries ? q : 0];
        for (uint32_t w = 0; w < count; w++) {
            uint64_t word = hl_compared_word(join, row, w);
            for (uint32_t c = 0; c < 16; c++, at += 16 * HL_STRIPE, word >>= 4)
                memcpy(at, nibble_distance[word & 15], 16);
        }
    }
}

/* ---- comparing ---------------------------------------------------------------------------- */

/* Look up and add one column for one query. */
#define ADD_QUERY(q, at)                                                                              \
    do {                                                                                              \
        __m256i table = _mm256_broadcastsi128_si256(                                                  \
            _mm_load_si128((const __m128i *)(const void *)(tables + 16 * ((at) * HL_STRIPE + (q))))); \
        low##q = _mm256_adds_epu8(low##q, _mm256_shuffle_epi8(table, low));                           \
        high##q = _mm256_adds_epu8(high##q, _mm256_shuffle_epi8(table, high));                        \
    } while (0)

#define ADD_COLUMN(at)                                                                                  \
    do {                                                                                                \
        __m256i low = _mm256_load_si256((const __m256i *)(const void *)(columns + (at) * GROUP));       \
        __m256i high = _mm256_load_si256((const __m256i *)(const void *)(columns + (at) * GROUP + 32)); \
        ADD_QUERY(0, at);                                                                               \
        ADD_QUERY(1, at);                                                                               \
        ADD_QUERY(2, at);                                                                               \
        ADD_QUERY(3, at);                                                                               \
    } while (0)

/* Where sums start that do not start from their limits. */
static const uint8_t zeros[2 * SUMS * 32] __attribute__((aligned(32)));
#define ZEROS ((const __m256i *)(const void *)zeros)

/* The inner loop: add the distances of `count` columns, a multiple of STEP, for 4 queries and 64 right
 * rows, to what is in `from`. The eight sums are variables, not an array, and the function is not inlined, so
 * that they stay in registers. */
HL_TARGET_AVX2 static __attribute__((noinline)) void add_columns(
    const uint8_t *columns, const uint8_t *tables, uint32_t count, const __m256i from[SUMS], __m256i sums[SUMS])
{
    __m256i low0 = from[0], high0 = from[1], low1 = from[2], high1 = from[3];
    __m256i low2 = from[4], high2 = from[5], low3 = from[6], high3 = from[7];
    for (uint32_t c = 0; c < count; c += STEP, columns += STEP * GROUP, tables += STEP * 16 * HL_STRIPE) {
        ADD_COLUMN(0);
        ADD_COLUMN(1);
        ADD_COLUMN(2);
        ADD_COLUMN(3);
    }
    sums[0] = low0, sums[1] = high0, sums[2] = low1, sums[3] = high1;
    sums[4] = low2, sums[5] = high2, sums[6] = low3, sums[7] = high3;
}

HL_TARGET_AVX2 static inline uint64_t mask_of(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

HL_TARGET_AVX2 static void scan_bytes(hl_join *join)
{
    const __m256i out = _mm256_set1_epi8(-1);
    for (uint32_t first = 0; first < join->block_count; first += GROUP) {
        if (hl_range_is_out(join, first))
            continue;
        const uint8_t *columns = join->block_columns + (size_t)first * join->plan.columns;
        __m256i sums[SUMS];
        for (uint32_t s = 0; s < SUMS; s++) {
            uint32_t a = join->query_popcounts[s / 2 < join->queries ? s / 2 : 0];
            const uint8_t *starts = join->block_byte_starts + first + s % 2 * 32;
            sums[s] = _mm256_subs_epu8(_mm256_load_si256((const __m256i *)(const void *)starts),
                _mm256_set1_epi8((char)join->left_limits[a]));
        }
        bool alive = true;
        for (uint32_t done = 0; alive && done < join->plan.columns;) {
            uint32_t length = hl_segment_length(&join->plan, done);
            add_columns(columns + (size_t)done * GROUP,
                join->query_columns + (size_t)done * 16 * HL_STRIPE, length, sums, sums);
            done += length;
            __m256i all = sums[0];
            for (uint32_t s = 1; s < SUMS; s++)
                all = _mm256_and_si256(all, sums[s]);
            alive = _mm256_movemask_epi8(_mm256_cmpeq_epi8(all, out)) != -1;
        }
        if (!alive)
            continue;
        for (uint32_t q = 0; q < join->queries; q++)
            hl_verify(join, q, first, hl_group_mask(join, first, GROUP) & ~mask_of(
                _mm256_cmpeq_epi8(sums[2 * q], out), _mm256_cmpeq_epi8(sums[2 * q + 1], out)), row_distance);
    }
}

/* Add byte sums to 16-bit sums, 32 of each, in the order of the rows. */
HL_TARGET_AVX2 static inline void widen(__m256i bytes, const __m256i from[2], __m256i sums[2])
{
    sums[0] = _mm256_add_epi16(from[0], _mm256_cvtepu8_epi16(_mm256_castsi256_si128(bytes)));
    sums[1] = _mm256_add_epi16(from[1], _mm256_cvtepu8_epi16(_mm256_extracti128_si256(bytes, 1)));
}

/* Bit r is set where the sum of row r is at most its limit. */
HL_TARGET_AVX2 static inline uint32_t within(const __m256i sums[2], const int16_t *limits, __m256i left_limit)
{
    __m256i low = _mm256_adds_epi16(_mm256_load_si256((const __m256i *)(const void *)limits), left_limit);
    __m256i high = _mm256_adds_epi16(_mm256_load_si256((const __m256i *)(const void *)(limits + 16)), left_limit);
    __m256i over = _mm256_packs_epi16(_mm256_cmpgt_epi16(sums[0], low), _mm256_cmpgt_epi16(sums[1], high));
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(over, 0xD8));
}

/* For every choice of 4 values of 16 bits, the bytes that move the chosen ones to the front. */
#define AT(i) 2 * (i), 2 * (i) + 1
static const uint8_t packing[16][8] __attribute__((aligned(16))) = {
    {0}, {AT(0)}, {AT(1)}, {AT(0), AT(1)}, {AT(2)}, {AT(0), AT(2)}, {AT(1), AT(2)}, {AT(0), AT(1), AT(2)},
    {AT(3)}, {AT(0), AT(3)}, {AT(1), AT(3)}, {AT(0), AT(1), AT(3)}, {AT(2), AT(3)}, {AT(0), AT(2), AT(3)},
    {AT(1), AT(2), AT(3)}, {AT(0), AT(1), AT(2), AT(3)}};

/* Add 4 rows to the hits, of which `kept` count: what is written behind them is overwritten by the next. */
HL_TARGET_AVX2 static inline uint32_t pack(
    const hl_hits *hits, uint32_t count, uint32_t kept, __m128i rows, __m128i sums, __m128i common)
{
    __m128i moves = _mm_loadl_epi64((const __m128i *)(const void *)packing[kept]);
    _mm_storel_epi64((__m128i *)(void *)(hits->rows + count), _mm_shuffle_epi8(rows, moves));
    _mm_storel_epi64((__m128i *)(void *)(hits->sums + count), _mm_shuffle_epi8(sums, moves));
    _mm_storel_epi64((__m128i *)(void *)(hits->common + count), _mm_shuffle_epi8(common, moves));
    return count + (uint32_t)__builtin_popcount(kept);
}

/* 8 values of 32 bits as 16 bits. */
HL_TARGET_AVX2 static inline __m128i narrowed(__m256i values)
{
    return _mm_packus_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
}

/* A whole group whose distances are known, 8 rows at a time and without a branch. */
HL_TARGET_AVX2 static void accept_dense(hl_join *join, uint32_t query, uint32_t first, const uint16_t *distances)
{
    hl_hits hits = join->hits[query];
    const int *least = (const int *)(const void *)join->smallest_common;
    __m256i a = _mm256_set1_epi32((int)join->query_popcounts[query]);
    __m128i rows = _mm_add_epi16(_mm_set1_epi16((short)first), _mm_set_epi16(7, 6, 5, 4, 3, 2, 1, 0));
    for (uint32_t at = 0; at < GROUP; at += 8, rows = _mm_add_epi16(rows, _mm_set1_epi16(8))) {
        const uint32_t *popcounts = join->block_popcounts + first + at;
        __m256i sum = _mm256_add_epi32(a, _mm256_loadu_si256((const __m256i *)(const void *)popcounts));
        __m256i distance = _mm256_cvtepu16_epi32(_mm_load_si128((const __m128i *)(const void *)(distances + at)));
        __m256i common = _mm256_srli_epi32(_mm256_sub_epi32(sum, distance), 1);
        __m256i needed = _mm256_i32gather_epi32(least, sum, 4);
        __m256i met = _mm256_cmpeq_epi32(_mm256_max_epu32(common, needed), common);
        uint32_t kept = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(met));
        __m128i sums = narrowed(sum), commons = narrowed(common);
        hits.count = pack(&hits, hits.count, kept & 15, rows, sums, commons);
        hits.count = pack(&hits, hits.count, kept >> 4, _mm_srli_si128(rows, 8), _mm_srli_si128(sums, 8),
                          _mm_srli_si128(commons, 8));
    }
    join->hits[query].count = hits.count;
}

/* Survivors whose columns were the whole row: their distances are the sums. */
HL_TARGET_AVX2 static void accept(
    hl_join *join, uint32_t query, uint32_t first, uint64_t mask, const __m256i sums[4])
{
    uint16_t distances[GROUP] __attribute__((aligned(32)));
    for (uint32_t s = 0; s < 4; s++)
        _mm256_store_si256((__m256i *)(void *)(distances + 16 * s), sums[s]);
    bool whole = join->smallest_common && hl_group_rows(join, first, GROUP) == GROUP;
    if (whole && __builtin_popcountll(mask) >= (int)HL_DENSE)
        accept_dense(join, query, first, distances);
    else
        hl_accept(join, query, first, mask, distances);
}

/* The largest left part of a limit that 16-bit sums need. */
HL_TARGET_AVX2 static inline __m256i left_limit(const hl_join *join, uint32_t query)
{
    int32_t limit = join->left_limits[join->query_popcounts[query]];
    return _mm256_set1_epi16((short)hl_clamped(limit, 0, INT16_MAX));
}

HL_TARGET_AVX2 static void scan_words(hl_join *join)
{
    for (uint32_t first = 0; first < join->block_count; first += GROUP) {
        if (hl_range_is_out(join, first))
            continue;
        const uint8_t *columns = join->block_columns + (size_t)first * join->plan.columns;
        __m256i sums[2 * SUMS];
        const __m256i *from = ZEROS;
        uint64_t masks[HL_STRIPE], alive = 1;
        for (uint32_t done = 0; alive && done < join->plan.columns;) {
            uint32_t length = hl_segment_length(&join->plan, done);
            __m256i bytes[SUMS];
            length = length < SEGMENT_MOST ? length : SEGMENT_MOST;
            add_columns(columns + (size_t)done * GROUP,
                join->query_columns + (size_t)done * 16 * HL_STRIPE, length, ZEROS, bytes);
            done += length;
            for (uint32_t s = 0; s < SUMS; s++)
                widen(bytes[s], from + 2 * (size_t)s, sums + 2 * (size_t)s);
            from = sums;
            if (done < join->plan.first_check)
                continue;
            alive = 0;
            for (uint32_t q = 0; q < join->queries; q++) {
                __m256i limit = left_limit(join, q);
                masks[q] = within(sums + 4 * (size_t)q, join->block_limits + first, limit) |
                           (uint64_t)within(sums + 4 * (size_t)q + 2, join->block_limits + first + 32, limit) << 32;
                alive |= masks[q];
            }
        }
        if (!alive)
            continue;
        for (uint32_t q = 0; q < join->queries; q++) {
            masks[q] &= hl_group_mask(join, first, GROUP);
            if (join->plan.fold_words)
                hl_verify(join, q, first, masks[q], row_distance);
            else
                accept(join, q, first, masks[q], sums + 4 * (size_t)q);
        }
    }
}

static void avx2_scan(hl_join *join)
{
    load_queries(join);
    hl_load_query_range(join);
    if (hl_limits_fit_bytes(join))
        scan_bytes(join);
    else
        scan_words(join);
}

/* Measured: a column takes about 4 cycles for a group, a surviving pair 20 and 2 for each word. */
static void avx2_choose(hl_join *join, bool prune)
{
    hl_costs costs = {.group = HL_STRIPE * GROUP, .check = 2.0, .verify = 5.0 + join->width_bytes / 16.0};
    join->plan = prune ? hl_plan_choose(join, &costs) : hl_plan_straight(join->width_bytes);
}

HL_TARGET_POPCNT static void avx2_popcounts(
    const uint8_t *rows, uint64_t count, uint32_t width_bytes, uint32_t *out)
{
    hl_popcnt.popcounts(rows, count, width_bytes, out);
}

HL_TARGET_AVX2 static void avx2_scores(
    const hl_join *join, uint32_t query, uint32_t from, uint32_t count, double *out)
{
    hl_scores(join, query, from, count, out);
}

const hl_path_functions hl_avx2 = {
    .popcounts = avx2_popcounts,
    .choose = avx2_choose,
    .load = avx2_load,
    .scan = avx2_scan,
    .scores = avx2_scores,
    .small = &hl_popcnt,
    .small_rows = 96,
};
#endif

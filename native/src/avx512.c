/* AVX-512 with VPOPCNTDQ: distances by counting.
 *
 * A right block is held transposed: one vector holds the same 32 bits, here called a slice, of 16 rows. The
 * slice of a left row is broadcast, so that three instructions (xor, count, add) compare 32 bits of 16
 * pairs. The inner loop is add_slices. A sum starts below zero by one more than the limit: a pair is alive
 * while its sum is negative. */
#include "columns.h"

#if defined(HL_X86)
#include <immintrin.h>

#define GROUP 16u /* right rows of one vector */
#define SLICE 8u  /* columns, that is nibbles, in a slice: plans count columns */

/* ---- two rows ----------------------------------------------------------------------------- */

HL_TARGET_AVX512 static inline __m512i counted(__m512i sums, const uint8_t *a, const uint8_t *b, __mmask64 bytes)
{
    __m512i difference = _mm512_xor_si512(_mm512_maskz_loadu_epi8(bytes, a), _mm512_maskz_loadu_epi8(bytes, b));
    return _mm512_add_epi64(sums, _mm512_popcnt_epi64(difference));
}

HL_TARGET_AVX512 static inline uint32_t row_distance(const uint8_t *a, const uint8_t *b, uint32_t width_bytes)
{
    __m512i sums = _mm512_setzero_si512();
    uint32_t at = 0;
    for (; at + 64 <= width_bytes; at += 64)
        sums = counted(sums, a + at, b + at, UINT64_MAX);
    if (at < width_bytes)
        sums = counted(sums, a + at, b + at, ((uint64_t)1 << (width_bytes - at)) - 1);
    return (uint32_t)_mm512_reduce_add_epi64(sums);
}

HL_TARGET_AVX512 static void avx512_popcounts(
    const uint8_t *rows, uint64_t count, uint32_t width_bytes, uint32_t *out)
{
    static const uint8_t empty[HL_WIDTH_MAX];
    for (uint64_t r = 0; r < count; r++)
        out[r] = row_distance(rows + r * width_bytes, empty, width_bytes);
}

/* ---- loading ------------------------------------------------------------------------------ */

static void avx512_load(hl_join *join)
{
    uint64_t words[GROUP];
    uint32_t *at = (uint32_t *)(void *)join->block_columns;
    for (uint32_t first = 0; first < join->block_count; first += GROUP)
        for (uint32_t w = 0; w < hl_compared_count(join); w++, at += 2 * GROUP) {
            hl_group_words(join, first, GROUP, w, words);
            for (uint32_t r = 0; r < GROUP; r++) {
                at[r] = (uint32_t)words[r];
                at[GROUP + r] = (uint32_t)(words[r] >> 32);
            }
        }
    hl_load_limits(join);
}

static void load_queries(hl_join *join)
{
    uint32_t count = hl_compared_count(join);
    for (uint32_t q = 0; q < HL_STRIPE; q++) {
        uint32_t *at = (uint32_t *)(void *)join->query_columns + q;
        const uint8_t *row = join->query_rows[q < join->queries ? q : 0];
        for (uint32_t w = 0; w < count; w++, at += 2 * HL_STRIPE) {
            uint64_t word = hl_compared_word(join, row, w);
            at[0] = (uint32_t)word;
            at[HL_STRIPE] = (uint32_t)(word >> 32);
        }
    }
}

/* ---- comparing ---------------------------------------------------------------------------- */

#define ADD_QUERY(q)                                                                  \
    sum##q = _mm512_add_epi32(sum##q, _mm512_popcnt_epi32(_mm512_xor_si512(           \
        rows, _mm512_set1_epi32((int32_t)queries[q]))))

/* The inner loop: add the distances of `count` slices for 4 queries and 16 right rows. */
HL_TARGET_AVX512 static inline void add_slices(
    const uint32_t *columns, const uint32_t *queries, uint32_t count, __m512i sums[HL_STRIPE])
{
    __m512i sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    for (uint32_t s = 0; s < count; s++, columns += GROUP, queries += HL_STRIPE) {
        __m512i rows = _mm512_load_si512((const void *)columns);
        ADD_QUERY(0);
        ADD_QUERY(1);
        ADD_QUERY(2);
        ADD_QUERY(3);
    }
    sums[0] = sum0, sums[1] = sum1, sums[2] = sum2, sums[3] = sum3;
}

/* Bit r is set where the sum of row r is negative. */
HL_TARGET_AVX512 static inline __mmask16 negative(__m512i sums)
{
    return _mm512_cmplt_epi32_mask(sums, _mm512_setzero_si512());
}

/* Survivors whose slices were the whole row: their distances are the sums less where they started.
 * Tested, and packed into the hits, 16 at a time. */
HL_TARGET_AVX512 static inline void accept(
    hl_join *join, uint32_t query, uint32_t first, __mmask16 mask, __m512i distances)
{
    hl_hits *hits = &join->hits[query];
    __m512i sum = _mm512_add_epi32(_mm512_set1_epi32((int32_t)join->query_popcounts[query]),
        _mm512_maskz_loadu_epi32(mask, join->block_popcounts + first));
    __m512i common = _mm512_srli_epi32(_mm512_sub_epi32(sum, distances), 1);
    __m512i least = _mm512_mask_i32gather_epi32(sum, mask, sum, join->smallest_common, 4);
    __mmask16 kept = _mm512_mask_cmpge_epu32_mask(mask, common, least);
    __m512i rows = _mm512_add_epi32(_mm512_set1_epi32((int32_t)first),
        _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
    _mm256_storeu_si256((__m256i *)(void *)(hits->rows + hits->count),
        _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(kept, rows)));
    _mm256_storeu_si256((__m256i *)(void *)(hits->common + hits->count),
        _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(kept, common)));
    _mm256_storeu_si256((__m256i *)(void *)(hits->sums + hits->count),
        _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(kept, sum)));
    hits->count += (uint32_t)__builtin_popcount(kept);
}

/* The survivors of a group: all slices were compared. */
HL_TARGET_AVX512 static inline void survivors(
    hl_join *join, uint32_t first, const __m512i starts[HL_STRIPE], const __m512i sums[HL_STRIPE])
{
    for (uint32_t q = 0; q < join->queries; q++) {
        __mmask16 mask = negative(sums[q]) & (__mmask16)hl_group_mask(join, first, GROUP);
        if (!mask)
            continue;
        if (join->plan.fold_words || !join->smallest_common)
            hl_verify(join, q, first, mask, row_distance);
        else
            accept(join, q, first, mask, _mm512_sub_epi32(sums[q], starts[q]));
    }
}

HL_TARGET_AVX512 static void avx512_scan(hl_join *join)
{
    const uint32_t *queries = (const uint32_t *)(const void *)join->query_columns;
    uint32_t slices = join->plan.columns / SLICE;
    load_queries(join);
    hl_load_query_range(join);
    for (uint32_t first = 0; first < join->block_count; first += GROUP) {
        if (hl_range_is_out(join, first))
            continue;
        const uint32_t *columns = (const uint32_t *)(const void *)join->block_columns + (size_t)first * slices;
        __m512i starts[HL_STRIPE], sums[HL_STRIPE];
        __m512i limits = _mm512_cvtepi16_epi32(
            _mm256_load_si256((const __m256i *)(const void *)(join->block_limits + first)));
        for (uint32_t q = 0; q < HL_STRIPE; q++) {
            uint32_t a = join->query_popcounts[q < join->queries ? q : 0];
            starts[q] = _mm512_sub_epi32(_mm512_set1_epi32(-1 - join->left_limits[a]), limits);
            sums[q] = starts[q];
        }
        bool alive = true;
        for (uint32_t done = 0; alive && done < join->plan.columns;) {
            uint32_t length = hl_segment_length(&join->plan, done), slice = done / SLICE;
            add_slices(columns + (size_t)slice * GROUP, queries + (size_t)slice * HL_STRIPE, length / SLICE, sums);
            done += length;
            alive = negative(_mm512_or_si512(
                _mm512_or_si512(sums[0], sums[1]), _mm512_or_si512(sums[2], sums[3]))) != 0;
        }
        if (alive)
            survivors(join, first, starts, sums);
    }
}

/* From the instructions' published throughput, not measured: on Intel's cores three instructions share two
 * ports, so a slice of a group takes 6 cycles, a check 3, a surviving pair 20 and 3 for each 64 bytes. */
static void avx512_choose(hl_join *join, bool prune)
{
    hl_costs costs = {.group = HL_STRIPE * GROUP, .check = 4.0, .verify = 27.0 + join->width_bytes / 16.0};
    join->plan = prune ? hl_plan_choose(join, &costs) : hl_plan_straight(join->width_bytes);
}

HL_TARGET_AVX512 static void avx512_scores(
    const hl_join *join, uint32_t query, uint32_t from, uint32_t count, double *out)
{
    hl_scores(join, query, from, count, out);
}

const hl_path_functions hl_avx512 = {
    .popcounts = avx512_popcounts,
    .choose = avx512_choose,
    .load = avx512_load,
    .scan = avx512_scan,
    .scores = avx512_scores,
    .small = &hl_popcnt,
    .small_rows = 64,
};
#endif

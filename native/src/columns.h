/* What the paths share that compare a right block column by column: what is compared, when to look whether
 * any pair is alive, and the exact test of those that are. Counts of columns are in nibbles (4 bits) of a
 * row or of its sketch, whatever a path handles at once. */
#ifndef HUSHLINK_COLUMNS_H
#define HUSHLINK_COLUMNS_H

#include "plan.h"

#define HL_INLINE static inline __attribute__((always_inline)) /* into functions for other targets */
#define HL_GROUP_MOST 64u                                      /* right rows that are scanned together, most */

/* With so many survivors in a group, all of its rows are tested without a branch. */
#define HL_DENSE 12u

/* How many words are compared: the row's, or its sketch's. */
HL_INLINE uint32_t hl_compared_count(const hl_join *join)
{
    return join->plan.fold_words ? join->plan.fold_words : (join->width_bytes + 7) / 8;
}

/* Word `index` of those that are compared: of a sketch, all words of the row that fall on it. */
HL_INLINE uint64_t hl_compared_word(const hl_join *join, const uint8_t *row, uint32_t index)
{
    uint32_t count = (join->width_bytes + 7) / 8, step = join->plan.fold_words ? join->plan.fold_words : count;
    uint64_t word = 0;
    for (uint32_t i = index; i < count; i += step)
        word ^= hl_word(row, join->width_bytes, i);
    return word;
}

/* Rows of the group at `first` that exist. */
HL_INLINE uint32_t hl_group_rows(const hl_join *join, uint32_t first, uint32_t group)
{
    uint32_t rows = join->block_count - first;
    return rows < group ? rows : group;
}

/* The same word of the rows of a group of the block; zeros beyond its end. */
HL_INLINE void hl_group_words(const hl_join *join, uint32_t first, uint32_t group, uint32_t index, uint64_t *words)
{
    const uint8_t *row = join->block_rows + (size_t)first * join->width_bytes;
    uint32_t rows = hl_group_rows(join, first, group);
    for (uint32_t r = 0; r < rows; r++, row += join->width_bytes)
        words[r] = hl_compared_word(join, row, index);
    for (uint32_t r = rows; r < group; r++)
        words[r] = 0;
}

/* Columns of the next segment, given those done. */
HL_INLINE uint32_t hl_segment_length(const hl_plan *plan, uint32_t done)
{
    uint32_t length = done < plan->first_check ? plan->first_check - done : plan->check_every;
    return length < plan->columns - done ? length : plan->columns - done;
}

HL_INLINE int32_t hl_clamped(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

HL_INLINE void hl_range_add(hl_range *range, uint32_t popcount, int32_t limit)
{
    range->least = popcount < range->least ? popcount : range->least;
    range->most = popcount > range->most ? popcount : range->most;
    range->limit = limit > range->limit ? limit : range->limit;
}

#define HL_RANGE_EMPTY ((hl_range){UINT32_MAX, 0, INT32_MIN})

/* The right part of the limit of every row of the block; rows beyond its end get -1. */
HL_INLINE void hl_load_limits(hl_join *join)
{
    join->block_limit_max = -1;
    for (uint32_t r = 0; r < HL_RIGHT_BLOCK; r++) {
        hl_range *range = &join->block_ranges[r / HL_RANGE_ROWS];
        bool exists = r < join->block_count;
        int32_t limit = exists ? join->right_limits[join->block_popcounts[r]] : -1;
        join->block_limits[r] = (int16_t)hl_clamped(limit, INT16_MIN, INT16_MAX);
        join->block_byte_starts[r] = (uint8_t)hl_clamped(254 - limit, 0, 255);
        if (r % HL_RANGE_ROWS == 0)
            *range = HL_RANGE_EMPTY;
        if (exists)
            hl_range_add(range, join->block_popcounts[r], limit);
        if (limit > join->block_limit_max)
            join->block_limit_max = limit;
    }
}

/* The queries of the stripe together. */
HL_INLINE void hl_load_query_range(hl_join *join)
{
    join->query_range = HL_RANGE_EMPTY;
    for (uint32_t q = 0; q < join->queries; q++)
        hl_range_add(&join->query_range, join->query_popcounts[q], join->left_limits[join->query_popcounts[q]]);
}

/* Are all pairs of the stripe with the 64 rows that row `first` is one of too far apart by their popcounts alone? A
 * distance is never less than the difference of the popcounts. */
HL_INLINE bool hl_range_is_out(const hl_join *join, uint32_t first)
{
    const hl_range *rows = &join->block_ranges[first / HL_RANGE_ROWS], *queries = &join->query_range;
    int32_t below = (int32_t)queries->least - (int32_t)rows->most, above = (int32_t)rows->least - (int32_t)queries->most;
    return (below > above ? below : above) > queries->limit + rows->limit;
}

/* Do all limits of the stripe and the block fit a byte? */
HL_INLINE bool hl_limits_fit_bytes(const hl_join *join)
{
    int32_t most = join->query_range.limit > 0 ? join->query_range.limit : 0;
    return most + join->block_limit_max <= 254 && most <= 255;
}

/* The rows of the group that exist, as bits. */
HL_INLINE uint64_t hl_group_mask(const hl_join *join, uint32_t first, uint32_t group)
{
    uint32_t rows = hl_group_rows(join, first, group);
    return rows == 64 ? UINT64_MAX : ((uint64_t)1 << rows) - 1;
}

/* Test survivors whose distance is known, bit by bit or, where they are many, row by row. */
HL_INLINE void hl_accept(hl_join *join, uint32_t query, uint32_t first, uint64_t mask, const uint16_t *distances)
{
    const uint32_t *popcounts = join->block_popcounts + first, *least = join->smallest_common;
    uint32_t a = join->query_popcounts[query];
    if (least && __builtin_popcountll(mask) >= (int)HL_DENSE) {
        hl_hits *hits = &join->hits[query];
        uint32_t rows = hl_group_rows(join, first, HL_GROUP_MOST);
        for (uint32_t at = 0; at < rows; at++) {
            uint32_t sum = a + popcounts[at], common = (sum - distances[at]) / 2;
            hl_hit_add_if(hits, common >= least[sum], first + at, sum, common);
        }
        return;
    }
    for (; mask; mask &= mask - 1) {
        uint32_t at = (uint32_t)__builtin_ctzll(mask);
        uint32_t b = popcounts[at], common = (a + b - distances[at]) / 2;
        hl_hit_add_if(&join->hits[query], hl_accepts(join, a, b, common), first + at, a + b, common);
    }
}

/* Test survivors of a sketch: their distances are not known. `distance_of` compares two rows. */
HL_INLINE void hl_verify(hl_join *join, uint32_t query, uint32_t first, uint64_t mask,
                         uint32_t (*distance_of)(const uint8_t *, const uint8_t *, uint32_t))
{
    for (; mask; mask &= mask - 1) {
        uint32_t row = first + (uint32_t)__builtin_ctzll(mask);
        uint32_t a = join->query_popcounts[query], b = join->block_popcounts[row];
        const uint8_t *right = join->block_rows + (size_t)row * join->width_bytes;
        uint32_t common = (a + b - distance_of(join->query_rows[query], right, join->width_bytes)) / 2;
        hl_hit_add_if(&join->hits[query], hl_accepts(join, a, b, common), row, a + b, common);
    }
}

#endif

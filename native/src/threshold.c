/* Thresholds as integers: the inner loops never divide, yet agree with the test on doubles. */
#include "hushlink_private.h"

static bool reaches(int metric, uint32_t width_bits, uint32_t sum, uint32_t common, double threshold)
{
    return hl_score_of_sum(metric, width_bits, sum, common) >= threshold;
}

/* Scores grow with the intersection, so the smallest that reaches is found by bisection. */
static uint32_t smallest(int metric, uint32_t width_bits, uint32_t sum, double threshold)
{
    uint32_t low = 0, high = sum / 2;
    if (!reaches(metric, width_bits, sum, high, threshold))
        return HL_NEVER;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (reaches(metric, width_bits, sum, middle, threshold))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int hl_smallest_common(int metric, uint32_t width_bytes, double threshold, uint32_t *table)
{
    if (!table || width_bytes < HL_WIDTH_MIN || width_bytes > HL_WIDTH_MAX ||
        !(threshold > 0.0 && threshold <= 1.0))
        return HL_BAD_ARGUMENT;
    if (!hl_metric_of_sum(metric))
        return HL_UNSUPPORTED;
    for (uint32_t sum = 0; sum <= 16 * width_bytes; sum++)
        table[sum] = smallest(metric, 8 * width_bytes, sum, threshold);
    return HL_OK;
}

/* ---- limits -------------------------------------------------------------------------------- */

/* The largest distance a + b - 2c at which a pair with this sum matches, or -1. */
static int64_t distance_limit(const uint32_t *smallest_common, uint32_t sum)
{
    uint32_t least = smallest_common[sum];
    return least == HL_NEVER || 2 * (uint64_t)least > sum ? -1 : (int64_t)sum - 2 * (int64_t)least;
}

static int32_t rounded_up(int64_t fixed) { return (int32_t)((fixed + 0xFFFF) >> 16); }

/* A line above the distance limits of all sums, in fixed point of 16 bits. Its slope is taken between W
 * and 2W, where these metrics are straight but for rounding; its offset makes it a bound whatever the
 * table. */
static void fill_by_sum(hl_join *join)
{
    const uint32_t *table = join->smallest_common;
    uint32_t width = 8 * join->width_bytes;
    int64_t rise = distance_limit(table, 2 * width) - distance_limit(table, width);
    int64_t slope = rise > 0 ? rise * 65536 / width : 0, offset = INT64_MIN;
    for (uint32_t sum = 0; sum <= 2 * width; sum++) {
        int64_t needed = distance_limit(table, sum) * 65536 - slope * sum;
        offset = needed > offset ? needed : offset;
    }
    for (uint32_t count = 0; count <= width; count++) {
        join->left_limits[count] = rounded_up(slope * count);
        join->right_limits[count] = rounded_up(slope * count + offset);
    }
}

/* The same for cosine and overlap, without rounding to the next possible intersection. */
static double real_limit(const hl_join *join, double a, double b)
{
    double at_one = join->metric == HL_COSINE ? sqrt(a * b) : a < b ? a : b;
    return a + b - 2.0 * join->threshold * at_one;
}

static void popcount_range(const hl_rows *rows, uint32_t *low, uint32_t *high)
{
    *low = UINT32_MAX, *high = 0;
    for (uint32_t r = 0; r < rows->count; r++) {
        *low = rows->popcounts[r] < *low ? rows->popcounts[r] : *low;
        *high = rows->popcounts[r] > *high ? rows->popcounts[r] : *high;
    }
}

/* With a fixed, the limit is convex in b, and so is the limit less a multiple of b: its maximum lies at
 * the least or the greatest b that occurs. One bit of slack covers the rounding of the doubles. */
static void fill_by_pair(hl_join *join)
{
    double slope = 1.0 - join->threshold;
    uint32_t low, high;
    popcount_range(&join->right, &low, &high);
    for (uint32_t count = 0; count <= 8 * join->width_bytes; count++) {
        double at_low = real_limit(join, count, low) - slope * low;
        double at_high = real_limit(join, count, high) - slope * high;
        join->left_limits[count] = (int32_t)ceil(at_low > at_high ? at_low : at_high) + 1;
        join->right_limits[count] = (int32_t)ceil(slope * count);
    }
}

void hl_limits_fill(hl_join *join)
{
    if (join->smallest_common)
        fill_by_sum(join);
    else if (join->right.count)
        fill_by_pair(join);
}

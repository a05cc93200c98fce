/* Thresholds as integers: the inner loops never divide, yet agree with the test on doubles. */
#include "hushlink_private.h"
#include "score.h"

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

/* The largest distance a + b - 2c at which a pair with this sum matches, or -1. */
static int64_t distance_limit(const uint32_t *smallest_common, uint32_t sum)
{
    uint32_t least = smallest_common[sum];
    return least == HL_NEVER || 2 * (uint64_t)least > sum ? -1 : (int64_t)sum - 2 * (int64_t)least;
}

/* A line above every distance limit. Its slope is taken between W and 2W, where the metrics that are
 * functions of the sum are straight but for rounding; its offset makes it a bound whatever the table. */
hl_limit hl_limit_of(const uint32_t *smallest_common, uint32_t width_bytes)
{
    uint32_t width = 8 * width_bytes;
    int64_t rise = distance_limit(smallest_common, 2 * width) - distance_limit(smallest_common, width);
    hl_limit limit = {rise > 0 ? rise * 65536 / width : 0, INT64_MIN};
    for (uint32_t sum = 0; sum <= 2 * width; sum++) {
        int64_t offset = distance_limit(smallest_common, sum) * 65536 - limit.slope * sum;
        if (offset > limit.offset)
            limit.offset = offset;
    }
    return limit;
}

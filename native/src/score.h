/* Scores as IEEE doubles: one correctly rounded quotient of two integers each. */
#ifndef HUSHLINK_SCORE_H
#define HUSHLINK_SCORE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "hushlink.h"

static inline bool hl_metric_known(int metric) { return metric >= HL_DICE && metric <= HL_OVERLAP; }

/* Is the score a function of the sum a + b and the intersection c alone? */
static inline bool hl_metric_of_sum(int metric)
{
    return metric == HL_DICE || metric == HL_JACCARD || metric == HL_HAMMING;
}

/* An empty row has the score 0, except for the Hamming similarity. c <= min(a, b) <= sum / 2, so with
 * an empty row c is 0, and only the quotient 0 / 0 has to be kept away. */
static inline double hl_score_of_sum(int metric, uint32_t width_bits, uint32_t sum, uint32_t common)
{
    switch (metric) {
    case HL_DICE: return sum ? (double)(2 * common) / (double)sum : 0.0;
    case HL_JACCARD: return sum ? (double)common / (double)(sum - common) : 0.0;
    case HL_HAMMING: return ((double)width_bits - ((double)sum - 2.0 * common)) / (double)width_bits;
    default: return 0.0;
    }
}

/* The score of any metric, for popcounts a and b. */
static inline double hl_score(int metric, uint32_t width_bits, uint32_t a, uint32_t b, uint32_t common)
{
    if (hl_metric_of_sum(metric))
        return hl_score_of_sum(metric, width_bits, a + b, common);
    if (!a || !b)
        return 0.0;
    if (metric == HL_COSINE)
        return (double)common / sqrt((double)a * (double)b);
    return (double)common / (double)(a < b ? a : b);
}

#endif

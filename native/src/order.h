/* The canonical order of pairs as unsigned keys: smaller comes first. */
#ifndef HUSHLINK_ORDER_H
#define HUSHLINK_ORDER_H

#include <stdint.h>
#include <string.h>

#define HL_SIGN ((uint64_t)1 << 63)

/* Doubles in descending order. */
static inline uint64_t hl_score_key(double score)
{
    uint64_t bits;
    memcpy(&bits, &score, sizeof bits);
    return bits & HL_SIGN ? bits : ~(bits | HL_SIGN);
}

static inline double hl_key_score(uint64_t key)
{
    uint64_t bits = key & HL_SIGN ? key : ~(key | HL_SIGN);
    double score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

#endif

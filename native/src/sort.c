/* Sorting the pairs of one join: a radix sort by bytes that leaves out bytes without variety. */
#include "hushlink_private.h"
#include "order.h"

typedef struct pair {
    uint64_t rows;  /* left, right: the lower key */
    uint64_t score; /* as hl_score_key */
} pair;

#define DIGITS 16u /* bytes in the two keys */

static inline uint8_t digit_of(const pair *p, uint32_t digit)
{
    return (uint8_t)(digit < 8 ? p->rows >> 8 * digit : p->score >> 8 * (digit - 8));
}

static void count_digits(const pair *pairs, uint64_t count, uint64_t totals[DIGITS][256])
{
    memset(totals, 0, DIGITS * sizeof totals[0]);
    for (uint64_t i = 0; i < count; i++)
        for (uint32_t d = 0; d < DIGITS; d++)
            totals[d][digit_of(&pairs[i], d)]++;
}

/* Stable distribution by one byte; totals become first positions. */
static void distribute(const pair *from, pair *to, uint64_t count, uint32_t digit, uint64_t totals[256])
{
    uint64_t at = 0;
    for (uint32_t v = 0; v < 256; v++) {
        uint64_t here = totals[v];
        totals[v] = at;
        at += here;
    }
    for (uint64_t i = 0; i < count; i++)
        to[totals[digit_of(&from[i], digit)]++] = from[i];
}

int hl_pairs_sort(double *scores, uint32_t *left, uint32_t *right, uint64_t count, void *spare)
{
    uint64_t totals[DIGITS][256];
    if (count && (!scores || !left || !right || !spare))
        return HL_BAD_ARGUMENT;
    if (count < 2)
        return HL_OK;
    pair *from = spare, *to = from + count;
    for (uint64_t i = 0; i < count; i++)
        from[i] = (pair){(uint64_t)left[i] << 32 | right[i], hl_score_key(scores[i])};
    count_digits(from, count, totals);
    for (uint32_t d = 0; d < DIGITS; d++) {
        if (totals[d][digit_of(&from[0], d)] == count)
            continue;
        distribute(from, to, count, d, totals[d]);
        pair *swap = from;
        from = to;
        to = swap;
    }
    for (uint64_t i = 0; i < count; i++) {
        scores[i] = hl_key_score(from[i].score);
        left[i] = (uint32_t)(from[i].rows >> 32);
        right[i] = (uint32_t)from[i].rows;
    }
    return HL_OK;
}

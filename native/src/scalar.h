/* The definition of a scan, compiled once per way of counting bits: define HL_SCALAR_NAME(name),
 * HL_SCALAR_POPCOUNT(word) and HL_SCALAR_TARGET, then include this file. */
#include "hushlink_private.h"

#define WORDS_AT_ONCE 8u

/* |A and B| of one word. */
HL_SCALAR_TARGET static inline __attribute__((always_inline)) uint32_t HL_SCALAR_NAME(word)(
    const uint8_t *a, const uint8_t *b)
{
    uint64_t x, y;
    memcpy(&x, a, 8);
    memcpy(&y, b, 8);
    return HL_SCALAR_POPCOUNT(x & y);
}

/* |A and B| of two rows: eight words at a time without a loop, then words, then what is left. */
HL_SCALAR_TARGET static inline __attribute__((always_inline)) uint32_t HL_SCALAR_NAME(common)(
    const uint8_t *a, const uint8_t *b, uint32_t width_bytes)
{
    uint32_t whole = width_bytes / 8, total = 0, i = 0;
    for (; i + WORDS_AT_ONCE <= whole; i += WORDS_AT_ONCE) {
        const uint8_t *x = a + 8 * (size_t)i, *y = b + 8 * (size_t)i;
        total += HL_SCALAR_NAME(word)(x, y);
        total += HL_SCALAR_NAME(word)(x + 8, y + 8);
        total += HL_SCALAR_NAME(word)(x + 16, y + 16);
        total += HL_SCALAR_NAME(word)(x + 24, y + 24);
        total += HL_SCALAR_NAME(word)(x + 32, y + 32);
        total += HL_SCALAR_NAME(word)(x + 40, y + 40);
        total += HL_SCALAR_NAME(word)(x + 48, y + 48);
        total += HL_SCALAR_NAME(word)(x + 56, y + 56);
    }
    for (; i < whole; i++)
        total += HL_SCALAR_NAME(word)(a + 8 * (size_t)i, b + 8 * (size_t)i);
    if (width_bytes % 8)
        total += HL_SCALAR_POPCOUNT(hl_word(a, width_bytes, whole) & hl_word(b, width_bytes, whole));
    return total;
}

HL_SCALAR_TARGET static void HL_SCALAR_NAME(popcounts)(
    const uint8_t *rows, uint64_t count, uint32_t width_bytes, uint32_t *out)
{
    for (uint64_t r = 0; r < count; r++) {
        const uint8_t *row = rows + r * width_bytes;
        out[r] = HL_SCALAR_NAME(common)(row, row, width_bytes);
    }
}

static void HL_SCALAR_NAME(choose)(hl_join *join, bool prune)
{
    (void)prune;
    join->plan = (hl_plan){0, 0, 0, 0};
}

static void HL_SCALAR_NAME(load)(hl_join *join) { (void)join; }

/* One left row against the block. Inlined with a constant width, it has no inner loop. */
HL_SCALAR_TARGET static inline __attribute__((always_inline)) void HL_SCALAR_NAME(scan_row)(
    hl_join *join, uint32_t q, uint32_t width_bytes)
{
    const uint8_t *left = join->query_rows[q], *right = join->block_rows;
    const uint32_t *popcounts = join->block_popcounts, *least = join->smallest_common;
    uint32_t a = join->query_popcounts[q], count = join->block_count;
    hl_hits hits = join->hits[q];
    for (uint32_t r = 0; r < count; r++, right += width_bytes) {
        uint32_t c = HL_SCALAR_NAME(common)(left, right, width_bytes), b = popcounts[r];
        /* Seldom true: beside a loop this short the stores would show. */
        if (least ? c >= least[a + b] : hl_accepts(join, a, b, c))
            hl_hit_add_if(&hits, true, r, a + b, c);
    }
    join->hits[q].count = hits.count;
}

HL_SCALAR_TARGET static void HL_SCALAR_NAME(scan)(hl_join *join)
{
    for (uint32_t q = 0; q < join->queries; q++) {
        switch (join->width_bytes) {
        case 64: HL_SCALAR_NAME(scan_row)(join, q, 64); break;
        case 128: HL_SCALAR_NAME(scan_row)(join, q, 128); break;
        case 256: HL_SCALAR_NAME(scan_row)(join, q, 256); break;
        case 512: HL_SCALAR_NAME(scan_row)(join, q, 512); break;
        default: HL_SCALAR_NAME(scan_row)(join, q, join->width_bytes);
        }
    }
}

HL_SCALAR_TARGET static void HL_SCALAR_NAME(scores)(
    const hl_join *join, uint32_t query, uint32_t from, uint32_t count, double *out)
{
    hl_scores(join, query, from, count, out);
}

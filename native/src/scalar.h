/* The definition of a scan, compiled once per way of counting bits: define HL_SCALAR_NAME(name),
 * HL_SCALAR_POPCOUNT(word) and HL_SCALAR_TARGET, then include this file. */
#include "hushlink_private.h"

/* |A and B| of two rows. */
HL_SCALAR_TARGET static inline uint32_t HL_SCALAR_NAME(common)(
    const uint8_t *a, const uint8_t *b, uint32_t width_bytes)
{
    uint32_t whole = width_bytes / 8, total = 0;
    for (uint32_t i = 0; i < whole; i++) {
        uint64_t x, y;
        memcpy(&x, a + 8 * (size_t)i, 8);
        memcpy(&y, b + 8 * (size_t)i, 8);
        total += HL_SCALAR_POPCOUNT(x & y);
    }
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

HL_SCALAR_TARGET static void HL_SCALAR_NAME(scan)(hl_join *join)
{
    for (uint32_t q = 0; q < join->queries; q++) {
        const uint8_t *right = join->block_rows;
        uint32_t a = join->query_popcounts[q];
        join->hit_counts[q] = 0;
        for (uint32_t r = 0; r < join->block_count; r++, right += join->width_bytes) {
            uint32_t c = HL_SCALAR_NAME(common)(join->query_rows[q], right, join->width_bytes);
            if (hl_accepts(join, a, join->block_popcounts[r], c))
                hl_hit_add(join, q, r, c);
        }
    }
}

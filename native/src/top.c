/* Top-k and symmetric best match, as a filter on pairs in canonical order. */
#include "hushlink_private.h"

static bool rows_exist(const uint32_t *rows, uint64_t count, uint32_t limit)
{
    uint32_t most = 0;
    for (uint64_t i = 0; i < count; i++)
        most = rows[i] > most ? rows[i] : most;
    return count == 0 || most < limit;
}

/* One more pair of this record; is it within the first k? */
static inline bool counted(uint32_t *seen, uint32_t k)
{
    if (*seen >= k)
        return false;
    ++*seen;
    return true;
}

int hl_top_keep(const hl_top *top, const uint32_t *rows_a, const uint32_t *rows_b, uint64_t count, uint8_t *keep)
{
    if (!top || !top->k || !top->seen_a || !top->seen_b ||
        (count && (!rows_a || !rows_b || !keep)) || !rows_exist(rows_a, count, top->count_a) ||
        !rows_exist(rows_b, count, top->count_b))
        return HL_BAD_ARGUMENT;
    for (uint64_t i = 0; i < count; i++) {
        bool first_a = counted(&top->seen_a[rows_a[i]], top->k);
        bool first_b = counted(&top->seen_b[rows_b[i]], top->k);
        keep[i] = first_a && first_b;
    }
    return HL_OK;
}

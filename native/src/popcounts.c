/* Set bits per row, on any path. */
#include "hushlink_private.h"

int hl_popcounts(int path, const uint8_t *rows, uint64_t count, uint32_t width_bytes, uint32_t *out)
{
    const hl_path_functions *functions = hl_path_of(path);
    if (width_bytes < HL_WIDTH_MIN || width_bytes > HL_WIDTH_MAX || (count && (!rows || !out)))
        return HL_BAD_ARGUMENT;
    if (!functions)
        return HL_UNSUPPORTED;
    functions->popcounts(rows, count, width_bytes, out);
    return HL_OK;
}

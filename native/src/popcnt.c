/* x86-64 with the POPCNT instruction: the portable loop with a faster count. */
#include "hushlink_private.h"

#if defined(HL_X86)
#define HL_SCALAR_NAME(name) popcnt_##name
#define HL_SCALAR_POPCOUNT(word) ((uint32_t)__builtin_popcountll(word))
#define HL_SCALAR_TARGET HL_TARGET_POPCNT
#include "scalar.h"

const hl_path_functions hl_popcnt = {
    .popcounts = popcnt_popcounts,
    .choose = popcnt_choose,
    .load = popcnt_load,
    .scan = popcnt_scan,
    .scores = popcnt_scores,
};
#endif

/* The portable path: plain C11, the definition that every other path is compared with. */
#define HL_SCALAR_NAME(name) portable_##name
#define HL_SCALAR_POPCOUNT(word) hl_popcount_portable(word)
#define HL_SCALAR_TARGET
#include "scalar.h"

const hl_path_functions hl_portable = {
    .popcounts = portable_popcounts,
    .choose = portable_choose,
    .load = portable_load,
    .scan = portable_scan,
    .scores = portable_scores,
};

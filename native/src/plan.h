/* Plans for abandoning pairs early, and what they cost on a path. */
#ifndef HUSHLINK_PLAN_H
#define HUSHLINK_PLAN_H

#include "hushlink_private.h"

#define HL_CHECK_STEPS 2u  /* steps of 8 columns between checks after the first */
#define HL_WORTHWHILE 0.95 /* a plan must be cheaper than straight comparing by this much */

/* In units of one column of one group of pairs. */
typedef struct hl_costs {
    uint32_t group; /* pairs compared together */
    double check;   /* asking whether any pair of the group is alive */
    double verify;  /* comparing one surviving pair in full */
} hl_costs;

hl_plan hl_plan_straight(uint32_t width_bytes);
hl_plan hl_plan_choose(const hl_join *join, const hl_costs *costs);

#endif

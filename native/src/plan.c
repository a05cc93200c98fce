/* Choosing how to abandon pairs early: a sample of pairs tells, for every sketch, how many pairs are
 * still alive after how many columns, and a cost model says what that takes. The plan changes only the
 * speed. It is a function of the rows and the threshold, so equal joins run alike. */
#include "plan.h"

#define SAMPLE_LEAST 64u
#define SAMPLE_MOST 4096u
#define SAMPLE_SHARE 32768u /* one sampled pair for so many comparisons: about 1 % of their time */
#define STEP 8u             /* columns between the points at which survival is known */
#define STEPS_MOST (HL_WIDTH_MAX / 8 * 16 / STEP)

/* Sketches tried, in words: beyond the last there is nothing to gain. */
static const uint16_t folds[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128};
#define FOLDS (sizeof folds / sizeof folds[0])

/* Pairs of the sample that are still alive after each step, for one sketch. */
typedef struct survival {
    uint32_t pairs;
    uint32_t alive[STEPS_MOST + 1];
} survival;

/* The k-th sampled row of `count`: spread evenly, without a pattern. */
static uint32_t sampled(uint32_t k, uint32_t multiplier, uint32_t count)
{
    uint32_t spread = (k + 1) * multiplier;
    return (uint32_t)((uint64_t)spread * count >> 32);
}

static uint32_t sample_size(const hl_join *join)
{
    uint64_t size = (uint64_t)join->left.count * join->right.count / SAMPLE_SHARE;
    return size < SAMPLE_LEAST ? SAMPLE_LEAST : size > SAMPLE_MOST ? SAMPLE_MOST : (uint32_t)size;
}

/* A XOR B of a sampled pair, and the distance up to which it would match; false for a row with itself. */
static bool sample_pair(const hl_join *join, uint32_t k, uint64_t *difference, int32_t *limit)
{
    uint32_t l = sampled(k, 2654435769u, join->left.count);
    uint32_t r = sampled(k, 1597334677u, join->right.count);
    const uint8_t *left = join->left.bytes + (size_t)l * join->width_bytes;
    const uint8_t *right = join->right.bytes + (size_t)r * join->width_bytes;
    uint32_t words = (join->width_bytes + 7) / 8;
    for (uint32_t i = 0; i < words; i++)
        difference[i] = hl_word(left, join->width_bytes, i) ^ hl_word(right, join->width_bytes, i);
    *limit = join->left_limits[join->left.popcounts[l]] +
             join->right_limits[join->right.popcounts[r]];
    return !(join->self && l == r);
}

/* Steps after which the distance of a sketch is over the limit; one more than there are if never. */
static uint32_t steps_alive(const uint64_t *difference, uint32_t words, uint32_t fold, int32_t limit)
{
    uint64_t sketch[HL_WIDTH_MAX / 8] = {0};
    int32_t distance = 0;
    for (uint32_t i = 0, w = 0; i < words; i++, w = w + 1 == fold ? 0 : w + 1)
        sketch[w] ^= difference[i];
    for (uint32_t step = 0; step < 2 * fold; step++) {
        distance += (int32_t)hl_popcount_portable(sketch[step / 2] >> step % 2 * 32 & UINT32_MAX);
        if (distance > limit)
            return step + 1;
    }
    return 2 * fold + 1;
}

static void sample(const hl_join *join, uint32_t fold, survival *found)
{
    uint64_t difference[HL_WIDTH_MAX / 8];
    uint32_t size = sample_size(join), words = (join->width_bytes + 7) / 8;
    int32_t limit;
    memset(found, 0, sizeof *found);
    for (uint32_t k = 0; k < size; k++) {
        if (!sample_pair(join, k, difference, &limit))
            continue;
        found->pairs++;
        found->alive[steps_alive(difference, words, fold, limit) - 1]++;
    }
    for (uint32_t step = 2 * fold; step-- > 0;)
        found->alive[step] += found->alive[step + 1];
}

/* Share of the pairs that are alive after a step, never quite 0: a sample cannot tell. */
static double alive_share(const survival *found, uint32_t step)
{
    return (found->alive[step] + 0.5) / (found->pairs + 1.0);
}

/* Are any of the pairs that are compared together alive? */
static double group_share(double share, uint32_t pairs)
{
    double none = 1.0;
    for (uint32_t bit = pairs; bit; bit >>= 1, share = 1.0 - (1.0 - share) * (1.0 - share))
        if (bit & 1)
            none *= 1.0 - share;
    return 1.0 - none;
}

/* Columns' worth of work for one group of pairs, when it is first checked after `first` steps and then
 * after every CHECK_STEPS. */
static double cost_of(const survival *found, uint32_t steps, uint32_t first, const hl_costs *costs, bool verify)
{
    double cost = first * (double)STEP + costs->check;
    for (uint32_t step = first; step < steps; step += HL_CHECK_STEPS) {
        uint32_t length = steps - step < HL_CHECK_STEPS ? steps - step : HL_CHECK_STEPS;
        cost += group_share(alive_share(found, step), costs->group) * (length * (double)STEP + costs->check);
    }
    if (verify)
        cost += alive_share(found, steps) * costs->group * costs->verify;
    return cost;
}

static void improve(const survival *found, uint32_t fold, uint32_t words, const hl_costs *costs,
                    hl_plan *plan, double *best)
{
    for (uint32_t first = 1; first <= 2 * fold; first++) {
        double cost = cost_of(found, 2 * fold, first, costs, fold < words);
        if (cost >= *best)
            continue;
        *best = cost;
        *plan = (hl_plan){fold < words ? fold : 0, 16 * fold, first * STEP, HL_CHECK_STEPS * STEP};
    }
}

hl_plan hl_plan_straight(uint32_t width_bytes)
{
    uint32_t columns = (width_bytes + 7) / 8 * 16;
    return (hl_plan){0, columns, columns, columns};
}

hl_plan hl_plan_choose(const hl_join *join, const hl_costs *costs)
{
    survival found;
    uint32_t words = (join->width_bytes + 7) / 8;
    hl_plan plan = hl_plan_straight(join->width_bytes);
    double best = HL_WORTHWHILE * plan.columns;
    for (uint32_t f = 0; f < FOLDS && folds[f] < words && 16.0 * folds[f] < 2 * best; f++) {
        sample(join, folds[f], &found);
        improve(&found, folds[f], words, costs, &plan, &best);
    }
    sample(join, words, &found);
    improve(&found, words, words, costs, &plan, &best);
    return plan;
}

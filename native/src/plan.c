/* Choosing how to abandon pairs early: a sample of pairs tells, for every sketch, how many pairs are
 * still alive after how many columns, and a cost model says what that takes. The plan changes only the
 * speed. It is a function of the rows and the threshold, so equal joins run alike. */
#include "plan.h"

#define SAMPLE_LEAST 16u
#define SAMPLE_MOST 4096u
#define SAMPLE_SHARE 32768u /* one sampled pair for so many comparisons: about 1 % of their time */
#define STEP 8u             /* columns between the points at which survival is known */
#define STEPS_MOST (HL_WIDTH_MAX / 8 * 16 / STEP)

/* Sketches tried, in words: beyond the last there is nothing to gain. */
static const uint16_t folds[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128};
#define FOLDS (sizeof folds / sizeof folds[0])

/* For one sketch, how many pairs of the sample are still alive after each step. */
typedef struct survival {
    uint32_t alive[STEPS_MOST + 1];
} survival;

/* The sampled pairs: A XOR B, word after word, and the distance up to which each would match. They lie in the
 * join's scratch, where no block is yet: random rows are fetched once and not for every sketch. */
typedef struct sampled_pairs {
    uint64_t *differences;
    int32_t *limits;
    uint32_t count;
    uint32_t words;
} sampled_pairs;

_Static_assert(SAMPLE_MOST * sizeof(uint64_t) <= HL_RIGHT_BLOCK * 16, "room for a word of every difference");
_Static_assert(SAMPLE_MOST * sizeof(int32_t) <= HL_HITS_ROOM * 3 * sizeof(uint16_t) * HL_STRIPE, "room for limits");

/* The k-th sampled row of `count`: spread evenly, without a pattern. */
static uint32_t sampled(uint32_t k, uint32_t multiplier, uint32_t count)
{
    uint32_t spread = (k + 1) * multiplier;
    return (uint32_t)((uint64_t)spread * count >> 32);
}

/* Pairs to sample; 0 where the whole join is over before a sample would pay. */
static uint32_t sample_size(const hl_join *join)
{
    uint64_t size = (uint64_t)join->left.count * join->right.count / SAMPLE_SHARE;
    return size < SAMPLE_LEAST ? 0 : size > SAMPLE_MOST ? SAMPLE_MOST : (uint32_t)size;
}

static sampled_pairs sample_pairs(const hl_join *join, uint32_t size)
{
    sampled_pairs pairs = {(uint64_t *)(void *)join->block_columns, (int32_t *)(void *)join->hits[0].rows, 0,
                           (join->width_bytes + 7) / 8};
    for (uint32_t k = 0; k < size; k++) {
        uint32_t l = sampled(k, 2654435769u, join->left.count), r = sampled(k, 1597334677u, join->right.count);
        const uint8_t *left = join->left.bytes + (size_t)l * join->width_bytes;
        const uint8_t *right = join->right.bytes + (size_t)r * join->width_bytes;
        if (join->self && l == r)
            continue;
        uint64_t *difference = pairs.differences + (size_t)pairs.count * pairs.words;
        for (uint32_t i = 0; i < pairs.words; i++)
            difference[i] = hl_word(left, join->width_bytes, i) ^ hl_word(right, join->width_bytes, i);
        pairs.limits[pairs.count++] = join->left_limits[join->left.popcounts[l]] +
                                      join->right_limits[join->right.popcounts[r]];
    }
    return pairs;
}

/* Steps that a sketch's distance stays within the limit: 0 .. 2 * fold - 1, or 2 * fold if to the end. */
static uint32_t steps_alive(const uint64_t *difference, int32_t limit, uint32_t words, uint32_t fold)
{
    int32_t distance = 0;
    for (uint32_t w = 0; w < fold; w++) {
        uint64_t sketch = 0;
        for (uint32_t i = w; i < words; i += fold)
            sketch ^= difference[i];
        distance += (int32_t)hl_popcount_portable(sketch & UINT32_MAX);
        if (distance > limit)
            return 2 * w;
        distance += (int32_t)hl_popcount_portable(sketch >> 32);
        if (distance > limit)
            return 2 * w + 1;
    }
    return 2 * fold;
}

/* The chance that any of `pairs` independent ones is alive when each is with `share`. */
static double any_of(double share, uint32_t pairs)
{
    double none = 1.0;
    for (uint32_t bit = pairs; bit; bit >>= 1, share = 1.0 - (1.0 - share) * (1.0 - share))
        if (bit & 1)
            none *= 1.0 - share;
    return 1.0 - none;
}

/* Share of the pairs alive after a step, never quite 0: a sample cannot tell. */
static double share_of(uint32_t alive, uint32_t pairs) { return (alive + 0.5) / (pairs + 1.0); }

static void survive(const sampled_pairs *pairs, uint32_t fold, survival *found)
{
    memset(found->alive, 0, (2 * fold + 1) * sizeof *found->alive);
    for (uint32_t p = 0; p < pairs->count; p++)
        found->alive[steps_alive(pairs->differences + (size_t)p * pairs->words, pairs->limits[p], pairs->words, fold)]++;
    for (uint32_t step = 2 * fold; step-- > 0;)
        found->alive[step] += found->alive[step + 1];
}

/* The cheapest place of the first check for one sketch. Costs are in columns of one group; what follows
 * the first check is added up from the end, so that every place costs one step. */
static void improve(const survival *found, uint32_t pairs, uint32_t fold, const hl_costs *costs, bool verify,
                    hl_plan *plan, double *best)
{
    uint32_t steps = 2 * fold;
    double after[HL_CHECK_STEPS] = {0};
    double last = verify ? share_of(found->alive[steps], pairs) * costs->group * costs->verify : 0.0;
    for (uint32_t first = steps; first > 0; first--) {
        uint32_t length = steps - first < HL_CHECK_STEPS ? steps - first : HL_CHECK_STEPS;
        double *sum = &after[first % HL_CHECK_STEPS];
        if (length)
            *sum += any_of(share_of(found->alive[first], pairs), costs->group) * (length * (double)STEP + costs->check);
        double cost = first * (double)STEP + costs->check + *sum + last;
        if (cost < *best) {
            *best = cost;
            *plan = (hl_plan){verify ? fold : 0, 16 * fold, first * STEP, HL_CHECK_STEPS * STEP};
        }
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
    uint32_t size = sample_size(join), in_vain = 0;
    sampled_pairs pairs = sample_pairs(join, size);
    hl_plan plan = hl_plan_straight(join->width_bytes);
    double best = HL_WORTHWHILE * plan.columns;
    for (uint32_t f = 0; size && f < FOLDS && folds[f] < pairs.words && 16.0 * folds[f] < 2 * best && in_vain < 2; f++) {
        double before = best;
        survive(&pairs, folds[f], &found);
        improve(&found, pairs.count, folds[f], costs, true, &plan, &best);
        in_vain = best < before || !plan.fold_words ? 0 : in_vain + 1; /* past the best, longer sketches only cost */
    }
    if (size) {
        survive(&pairs, pairs.words, &found);
        improve(&found, pairs.count, pairs.words, costs, false, &plan, &best);
    }
    return plan;
}

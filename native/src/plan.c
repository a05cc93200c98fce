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

/* What is known of a sampled pair: A XOR B, and the distance up to which it would match. */
typedef struct sampled_pair {
    uint64_t difference[HL_WIDTH_MAX / 8];
    int32_t limit;
} sampled_pair;

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

/* False for a row with itself. */
static bool sample_pair(const hl_join *join, uint32_t k, sampled_pair *pair)
{
    uint32_t l = sampled(k, 2654435769u, join->left.count);
    uint32_t r = sampled(k, 1597334677u, join->right.count);
    const uint8_t *left = join->left.bytes + (size_t)l * join->width_bytes;
    const uint8_t *right = join->right.bytes + (size_t)r * join->width_bytes;
    uint32_t words = (join->width_bytes + 7) / 8;
    for (uint32_t i = 0; i < words; i++)
        pair->difference[i] = hl_word(left, join->width_bytes, i) ^ hl_word(right, join->width_bytes, i);
    pair->limit = join->left_limits[join->left.popcounts[l]] + join->right_limits[join->right.popcounts[r]];
    return !(join->self && l == r);
}

/* Steps that a sketch's distance stays within the limit: 0 .. 2 * fold - 1, or 2 * fold if to the end. */
static uint32_t steps_alive(const sampled_pair *pair, uint32_t words, uint32_t fold)
{
    uint64_t sketch[HL_WIDTH_MAX / 8];
    int32_t distance = 0;
    memcpy(sketch, pair->difference, fold * sizeof *sketch);
    for (uint32_t i = fold, w = 0; i < words; i++, w = w + 1 == fold ? 0 : w + 1)
        sketch[w] ^= pair->difference[i];
    for (uint32_t step = 0; step < 2 * fold; step++) {
        distance += (int32_t)hl_popcount_portable(sketch[step / 2] >> step % 2 * 32 & UINT32_MAX);
        if (distance > pair->limit)
            return step;
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

static uint32_t sample(const hl_join *join, uint32_t size, uint32_t fold, survival *found)
{
    sampled_pair pair;
    uint32_t pairs = 0, words = (join->width_bytes + 7) / 8;
    memset(found->alive, 0, (2 * fold + 1) * sizeof *found->alive);
    for (uint32_t k = 0; k < size; k++) {
        if (!sample_pair(join, k, &pair))
            continue;
        pairs++;
        found->alive[steps_alive(&pair, words, fold)]++;
    }
    for (uint32_t step = 2 * fold; step-- > 0;)
        found->alive[step] += found->alive[step + 1];
    return pairs;
}

/* The cheapest place of the first check for one sketch. Costs are in columns of one group; what follows
 * the first check is added up from the end, so that every place costs one step. */
static void improve(survival *found, uint32_t pairs, uint32_t fold, const hl_costs *costs, bool verify,
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
    uint32_t words = (join->width_bytes + 7) / 8, size = sample_size(join);
    hl_plan plan = hl_plan_straight(join->width_bytes);
    double best = HL_WORTHWHILE * plan.columns;
    for (uint32_t f = 0; size && f < FOLDS && folds[f] < words && 16.0 * folds[f] < 2 * best; f++)
        improve(&found, sample(join, size, folds[f], &found), folds[f], costs, true, &plan, &best);
    if (size)
        improve(&found, sample(join, size, words, &found), words, costs, false, &plan, &best);
    return plan;
}

/* Merging sorted runs: a tree of losers over one key per run. */
#include "hushlink_private.h"
#include "order.h"

/* A pair as a key, smaller first; `run` breaks ties, so that equal pairs leave in the order of the runs. */
typedef struct head {
    uint64_t score;
    uint64_t datasets;
    uint64_t rows;
    uint32_t run;
    uint32_t spent; /* 1: the run has ended, after everything else */
} head;

typedef struct tree {
    head *heads;      /* per leaf */
    uint32_t *losers; /* per inner node; losers[0] is the winner */
    uint32_t leaves;  /* a power of two */
} tree;

static uint32_t leaves_for(uint32_t runs)
{
    uint32_t leaves = 1;
    while (leaves < runs)
        leaves *= 2;
    return leaves;
}

size_t hl_merge_size(uint32_t runs)
{
    if (!runs || runs > HL_MERGE_MAX_RUNS)
        return 0;
    return leaves_for(runs) * (sizeof(head) + sizeof(uint32_t)) + sizeof(head);
}

static inline bool before(const head *a, const head *b)
{
    if (a->score != b->score)
        return a->score < b->score;
    if (a->datasets != b->datasets)
        return a->datasets < b->datasets;
    if (a->rows != b->rows)
        return a->rows < b->rows;
    if (a->spent != b->spent)
        return a->spent < b->spent;
    return a->run < b->run;
}

static inline void read_head(const hl_run *run, head *out)
{
    uint64_t at = run->consumed;
    if (at == run->count) {
        out->score = out->datasets = out->rows = UINT64_MAX;
        out->spent = 1;
        return;
    }
    uint64_t a = run->datasets_a ? run->datasets_a[at] : run->dataset_a;
    uint64_t b = run->datasets_b ? run->datasets_b[at] : run->dataset_b;
    out->score = hl_score_key(run->scores[at]);
    out->datasets = a << 16 | b;
    out->rows = (uint64_t)run->rows_a[at] << 32 | run->rows_b[at];
    out->spent = 0;
}

/* Play the whole tournament: the winner of each node climbs, its loser stays. */
static uint32_t play(tree *t, uint32_t node)
{
    if (node >= t->leaves)
        return node - t->leaves;
    uint32_t left = play(t, 2 * node), right = play(t, 2 * node + 1);
    bool left_wins = before(&t->heads[left], &t->heads[right]);
    t->losers[node] = left_wins ? right : left;
    return left_wins ? left : right;
}

static inline void replay(tree *t, uint32_t leaf)
{
    uint32_t winner = leaf;
    for (uint32_t node = (leaf + t->leaves) / 2; node; node /= 2) {
        if (before(&t->heads[t->losers[node]], &t->heads[winner])) {
            uint32_t swap = t->losers[node];
            t->losers[node] = winner;
            winner = swap;
        }
    }
    t->losers[0] = winner;
}

static inline void write_head(const head *h, hl_merged *out)
{
    uint64_t at = out->count++;
    out->scores[at] = hl_key_score(h->score);
    out->datasets_a[at] = (uint16_t)(h->datasets >> 16);
    out->datasets_b[at] = (uint16_t)h->datasets;
    out->rows_a[at] = (uint32_t)(h->rows >> 32);
    out->rows_b[at] = (uint32_t)h->rows;
}

static bool runs_valid(const hl_run *runs, uint32_t run_count)
{
    for (uint32_t r = 0; r < run_count; r++) {
        const hl_run *run = &runs[r];
        if (run->consumed > run->count || (run->count && (!run->scores || !run->rows_a || !run->rows_b)))
            return false;
    }
    return true;
}

static void grow_tree(tree *t, const hl_run *runs, uint32_t run_count, void *memory)
{
    uintptr_t at = ((uintptr_t)memory + 7) & ~(uintptr_t)7;
    t->leaves = leaves_for(run_count);
    t->heads = (head *)at;
    t->losers = (uint32_t *)(void *)(t->heads + t->leaves);
    for (uint32_t leaf = 0; leaf < t->leaves; leaf++) {
        t->heads[leaf] = (head){UINT64_MAX, UINT64_MAX, UINT64_MAX, leaf, 1};
        if (leaf < run_count)
            read_head(&runs[leaf], &t->heads[leaf]);
    }
    t->losers[0] = play(t, 1);
}

int hl_merge(hl_run *runs, uint32_t run_count, hl_merged *out, void *memory, size_t size)
{
    if (!runs || !run_count || run_count > HL_MERGE_MAX_RUNS || !memory || size < hl_merge_size(run_count) ||
        !out || !out->capacity || !out->scores || !out->datasets_a || !out->datasets_b || !out->rows_a ||
        !out->rows_b || !runs_valid(runs, run_count))
        return HL_BAD_ARGUMENT;
    tree t;
    out->count = 0;
    for (uint32_t r = 0; r < run_count; r++)
        if (runs[r].consumed == runs[r].count && !runs[r].last)
            return HL_OK;
    grow_tree(&t, runs, run_count, memory);
    while (out->count < out->capacity) {
        head *best = &t.heads[t.losers[0]];
        if (best->spent)
            return HL_DONE;
        hl_run *run = &runs[best->run];
        write_head(best, out);
        run->consumed++;
        if (run->consumed == run->count && !run->last)
            return HL_OK;
        read_head(run, best);
        replay(&t, best->run);
    }
    return HL_OK;
}

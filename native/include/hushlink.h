/* The Hushlink kernel: exact similarity joins, sorted pair runs and greedy groups.
 *
 * Rules that hold everywhere:
 * - The caller owns all memory. Nothing here allocates, except the solver of groups, which says so.
 * - A function that can fail returns an hl_status; negative values are errors and leave outputs untouched.
 * - Results are exact and depend on nothing but the arguments: every instruction set emits the same
 *   pairs in the same order, and a buffer fills at the same place.
 * - Nothing is shared between calls on different objects: use as many threads as there are objects.
 */
#ifndef HUSHLINK_H
#define HUSHLINK_H

#include <stddef.h>
#include <stdint.h>

/* Emission order of a join: left block, right block, left row, right row. These two sizes are part of
 * the contract: changing one changes the order in which pairs leave the kernel. */
#define HL_LEFT_BLOCK 8192u
#define HL_RIGHT_BLOCK 2048u

#define HL_WIDTH_MIN 1u       /* bytes in one row, least */
#define HL_WIDTH_MAX 2048u    /* bytes in one row, most: 16,384 bits */
#define HL_NEVER UINT32_MAX   /* in a table of smallest_common: no intersection reaches the threshold */

typedef enum hl_status {
    HL_OK = 0,            /* done as asked; a join may have more pairs */
    HL_DONE = 1,          /* a join has made its last comparison */
    HL_CANCELLED = 2,     /* hl_signals.cancel was seen; the join may be continued */
    HL_BAD_ARGUMENT = -1, /* a size, pointer, row or threshold outside its range */
    HL_UNSUPPORTED = -2,  /* a metric or instruction set that this build or machine does not have */
    HL_NO_MEMORY = -3,    /* the solver of groups could not grow: no memory, or no space in its file */
    HL_CONTRADICTION = -4 /* known links would put two records of one dataset in a group that must not hold them */
} hl_status;

typedef enum hl_metric {
    HL_DICE = 1,    /* 2c / (a + b) */
    HL_JACCARD = 2, /* c / (a + b - c) */
    HL_HAMMING = 3, /* (W - (a + b - 2c)) / W, W the width in bits */
    HL_COSINE = 4,  /* c / sqrt(ab) */
    HL_OVERLAP = 5  /* c / min(a, b) */
} hl_metric;

/* Instruction sets, slowest first. HL_PORTABLE is the definition of the others. */
typedef enum hl_path {
    HL_PORTABLE = 0,
    HL_POPCNT = 1,
    HL_AVX2 = 2,
    HL_AVX512 = 3,
    HL_NEON = 4,
    HL_PATH_COUNT = 5
} hl_path;

/* ---- machine ------------------------------------------------------------------------------ */

int hl_path_available(int path); /* 1 when this build has the path and this machine can run it */
int hl_path_best(void);          /* the fastest available path */

/* ---- rows and thresholds ------------------------------------------------------------------ */

/* Set bits of each of `count` rows of `width_bytes`. */
int hl_popcounts(int path, const uint8_t *rows, uint64_t count, uint32_t width_bytes, uint32_t *out);

/* smallest_common[s] for s = a + b in 0 .. 16 * width_bytes: the least c = |A and B| whose score, as an
 * IEEE double, is >= threshold; HL_NEVER where none is. `table` has 16 * width_bytes + 1 entries.
 * threshold lies in (0, 1]. Metrics whose score is not a function of (s, c) are HL_UNSUPPORTED. */
int hl_smallest_common(int metric, uint32_t width_bytes, double threshold, uint32_t *table);

/* ---- join --------------------------------------------------------------------------------- */

typedef struct hl_rows {
    const uint8_t *bytes;      /* count * width_bytes, row after row */
    const uint32_t *popcounts; /* one per row, each the true number of set bits */
    uint32_t count;
} hl_rows;

/* Blocks: a join that compares only rows listed in the same block. Each list of rows, and each list of
 * blocks of a row, ascends without repeats; the two say the same in two ways. In a self-join the lists of
 * the left serve for both sides, and those of the right are not read. */
typedef struct hl_block_lists {
    const uint64_t *row_offsets;   /* per block: where its rows begin; block_count + 1 */
    const uint32_t *rows;          /* rows by block */
    const uint64_t *block_offsets; /* per row: where its blocks begin; rows + 1 */
    const uint32_t *blocks;        /* blocks by row */
} hl_block_lists;

typedef struct hl_blocks {
    uint32_t count;
    hl_block_lists left;
    hl_block_lists right;
} hl_blocks;

typedef enum hl_pruning {
    HL_PRUNE_AUTO = 0, /* abandon pairs early where a sample of the data says that it pays */
    HL_PRUNE_OFF = 1   /* compare every pair in full */
} hl_pruning;

typedef struct hl_join_settings {
    hl_rows left;
    hl_rows right;                   /* not read in a self-join */
    uint32_t width_bytes;
    int32_t self_join;               /* 1: every pair r < s of the left rows */
    int32_t metric;                  /* hl_metric */
    int32_t path;                    /* hl_path */
    int32_t pruning;                 /* hl_pruning; changes the speed, never the pairs */
    double threshold;                /* in (0, 1] */
    const uint32_t *smallest_common; /* of this metric, width and threshold; outlives the join.
                                        Not read for cosine and overlap, which have no such table */
    const hl_blocks *blocks;         /* NULL: every pair. Else order by block first; a pair that shares
                                        several blocks leaves once, in the first of them */
    const uint32_t *left_order;      /* NULL: rows are compared as they come. Else every row once, in the order in */
    const uint32_t *right_order;     /* which it takes its turn: for both sides (in a self-join the left's serves for
                                        both), not with blocks. Rows ordered by popcount let whole groups be passed
                                        over. Pairs leave in this order; of a self-join still with left < right */
} hl_join_settings;

/* Columns to fill, owned by the caller. */
typedef struct hl_pairs {
    double *scores;
    uint32_t *left;
    uint32_t *right;
    uint64_t capacity; /* at least 1 */
    uint64_t count;    /* written by the kernel */
} hl_pairs;

/* Shared with other threads while a call is running. */
typedef struct hl_signals {
    uint64_t compared; /* pairs compared since hl_join_begin, only grows */
    uint32_t cancel;   /* set to 1 to stop the running call within 50 ms */
} hl_signals;

/* Bytes of working memory that a join of this width needs, whatever the number of rows. */
size_t hl_join_size(uint32_t width_bytes);

/* Prepare a join in `memory` (of hl_join_size bytes, any alignment, not to be moved afterwards).
 * The rows are read until the join is done; they are not copied. */
int hl_join_begin(void *memory, size_t size, const hl_join_settings *settings);

/* Comparisons that the whole join makes: with blocks, a pair counts in every block it shares. */
uint64_t hl_join_total(const void *memory);

/* Write the next pairs, at most out->capacity. HL_OK: the buffer is full, call again. HL_DONE: these
 * were the last (there may be none). HL_CANCELLED: the pairs written are valid, call again to continue. */
int hl_join_next(void *memory, hl_pairs *out, hl_signals *signals);

/* ---- sorted pairs ------------------------------------------------------------------------- */

/* Sort pairs by score descending, then left, then right. `spare` has room for count * 32 bytes. */
int hl_pairs_sort(double *scores, uint32_t *left, uint32_t *right, uint64_t count, void *spare);

/* One sorted run of pairs, or the part of it that is in memory. Order: score descending, then
 * dataset_a, dataset_b, row_a, row_b ascending. */
typedef struct hl_run {
    const double *scores;
    const uint32_t *rows_a;
    const uint32_t *rows_b;
    const uint16_t *datasets_a; /* NULL: dataset_a for every pair */
    const uint16_t *datasets_b; /* NULL: dataset_b for every pair */
    uint64_t count;
    uint64_t consumed;          /* read and advanced by hl_merge */
    uint16_t dataset_a;
    uint16_t dataset_b;
    uint16_t last;              /* 1: nothing follows this part */
} hl_run;

typedef struct hl_merged {
    double *scores;
    uint16_t *datasets_a;
    uint16_t *datasets_b;
    uint32_t *rows_a;
    uint32_t *rows_b;
    uint64_t capacity;
    uint64_t count; /* written by the kernel */
} hl_merged;

#define HL_MERGE_MAX_RUNS 4096u

/* Bytes of working memory for merging this many runs. */
size_t hl_merge_size(uint32_t runs);

/* Merge until the output is full, a run that is not the last of its kind is used up (refill it and
 * call again), or everything is merged (HL_DONE). Equal pairs leave in the order of the runs. */
int hl_merge(hl_run *runs, uint32_t run_count, hl_merged *out, void *memory, size_t size);

/* Top-k: keep[i] = 1 where pair i is within the first k of both of its records. Pairs of one pair of
 * datasets come in canonical order, batch by batch; seen_a and seen_b count the pairs of every record so
 * far, zero at first, and are the same array when both rows are of one dataset. A batch with a row
 * outside changes nothing: HL_BAD_ARGUMENT. k = 1 is the symmetric best match. */
typedef struct hl_top {
    uint32_t *seen_a;
    uint32_t *seen_b;
    uint32_t count_a; /* records */
    uint32_t count_b;
    uint32_t k;
} hl_top;

int hl_top_keep(const hl_top *top, const uint32_t *rows_a, const uint32_t *rows_b, uint64_t count, uint8_t *keep);

/* ---- groups ------------------------------------------------------------------------------- */

typedef struct hl_greedy hl_greedy;

typedef struct hl_greedy_settings {
    const uint32_t *dataset_sizes;
    uint32_t dataset_count;   /* 1 .. 65,535; the sizes add up to less than 2^32 */
    double merge_threshold;   /* in [0, 1] */
    int32_t deduplicated;     /* 1: a group never holds two records of one dataset */
    int32_t within_datasets;  /* 1: pairs may join two records of the same dataset */
    int32_t spill_file;       /* 0: counts between groups are kept in memory. Else the descriptor of an empty file,
                                 open for reading and writing, that holds them and outlives the solver (Linux only;
                                 elsewhere HL_UNSUPPORTED): the system may write them out and drop them */
} hl_greedy_settings;

typedef struct hl_greedy_batch {
    const uint16_t *datasets_a; /* NULL: dataset_a for every pair */
    const uint16_t *datasets_b; /* NULL: dataset_b for every pair */
    const uint32_t *rows_a;
    const uint32_t *rows_b;
    uint64_t count;
    uint16_t dataset_a;
    uint16_t dataset_b;
} hl_greedy_batch;

/* The solver owns memory of its own: 16 bytes per record (24 while hl_greedy_groups runs) and, where
 * counts between groups are needed, 4 more and up to 80 bytes per pair of groups that have met, which may lie
 * in a file. */
int hl_greedy_new(const hl_greedy_settings *settings, hl_greedy **out);
void hl_greedy_free(hl_greedy *solver);

/* Walk the next pairs; batches come in the order of hl_merge. A batch with a bad pair changes nothing:
 * HL_BAD_ARGUMENT, and *bad is the position of its first bad pair. HL_NO_MEMORY ends the solver. */
int hl_greedy_feed(hl_greedy *solver, const hl_greedy_batch *batch, uint64_t *bad);

/* Known links: the records of each pair are in one group from the start, whatever their score and
 * merge_threshold. Before the first pair that is fed, else HL_UNSUPPORTED. A batch with a bad pair changes nothing:
 * HL_BAD_ARGUMENT. HL_CONTRADICTION ends the solver: *bad is the first link that contradicts those before it. */
int hl_greedy_link(hl_greedy *solver, const hl_greedy_batch *batch, uint64_t *bad);

uint64_t hl_greedy_memory(const hl_greedy *solver);  /* bytes of memory held now */
uint64_t hl_greedy_spilled(const hl_greedy *solver); /* bytes of its file in use now */

/* Groups of at least two records so far, and the records in them. */
void hl_greedy_measure(const hl_greedy *solver, uint64_t *groups, uint64_t *members);

/* Write them: members ascending by (dataset, row), groups ascending by first member. `offsets` has
 * groups + 1 entries, `datasets` and `rows` have `members`. */
int hl_greedy_groups(hl_greedy *solver, uint64_t *offsets, uint16_t *datasets, uint32_t *rows);

#endif

/* The Hushlink kernel: Bloom-filter encodings, exact similarity joins, sorted pair runs and greedy groups.
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

/* ---- encodings ---------------------------------------------------------------------------- */

/* How the tokens of one column choose their bits. */
typedef enum hl_hashing {
    HL_BLAKE_HASH = 1, /* 16-bit words of keyed BLAKE2b */
    HL_DOUBLE_HASH = 2 /* h1 + i * h2, by HMAC-SHA1 and HMAC-MD5 */
} hl_hashing;

/* How a token becomes bytes. UTF-16 and UTF-32 are little-endian behind a byte order mark. */
typedef enum hl_codec { HL_ASCII = 1, HL_UTF8 = 2, HL_UTF16 = 3, HL_UTF32 = 4 } hl_codec;

#define HL_FILTER_BITS_MAX (1u << 24)
#define HL_INSERTIONS_MAX (1u << 20)
#define HL_NGRAM_MAX 256u
#define HL_VALUE_MAX (1u << 28)  /* code points in one text */
#define HL_KEY_BYTES_MAX 8160u   /* 64 for HL_BLAKE_HASH */

typedef struct hl_column_settings {
    const uint8_t *first_key;    /* both of key_bytes; copied, in the form of what they become */
    const uint8_t *second_key;   /* HL_DOUBLE_HASH only */
    uint32_t key_bytes;
    uint32_t filter_bits;        /* before folding; bit j is bit 7 - j mod 8 of byte j div 8 */
    uint32_t insertions;         /* bits set per token, or shared by the tokens of a value: the first take the odd ones */
    uint32_t ngram;              /* code points in a window over the padded value; 0: the text is one token */
    uint32_t cache_entries;      /* most tokens whose bits are remembered; 0: none */
    int32_t hashing;             /* hl_hashing */
    int32_t codec;               /* hl_codec */
    int32_t positional;          /* 1: a window is written behind its number, from 1, and a space */
    int32_t per_value;           /* 1: the insertions are shared by the tokens of a value */
    int32_t prevent_singularity; /* 1: HL_DOUBLE_HASH hashes again while h2 is 0; not with a filter of 1 bit */
} hl_column_settings;

/* Values of one column. Each is a text to cut into windows, or as many texts as token_counts says, each a token. */
typedef struct hl_values {
    const uint32_t *points;       /* code points of all texts, one after the other */
    const uint32_t *lengths;      /* code points in each text */
    const uint32_t *token_counts; /* texts of each value; NULL: one */
    const uint32_t *rows;         /* the filter that each value is added to; NULL: value i to filter i */
    uint64_t point_count;
    uint32_t text_count;
    uint32_t value_count;
} hl_values;

/* Bytes of memory for a column; 0 for settings that hl_column_begin refuses. What is not used is not touched. */
size_t hl_column_size(const hl_column_settings *settings);

/* Prepare a column in `memory`, any alignment, not to be moved. The keys may be erased afterwards. */
int hl_column_begin(void *memory, size_t size, const hl_column_settings *settings);

/* Bytes of scratch for texts of up to `longest` code points; 0 where they are too long. */
size_t hl_column_scratch(const void *memory, uint32_t longest);

/* OR the bits of values into filters of ceil(filter_bits / 8) bytes each. HL_BAD_ARGUMENT, and no filter is changed:
 * counts that contradict one another, a row outside, an empty token, a code point that the codec can't write, a text
 * that the scratch is too small for. The empty text as a value has no tokens. */
int hl_column_add(void *memory, const hl_values *values, uint8_t *filters, uint64_t filter_count, void *scratch,
                  size_t scratch_size);

/* Erase keys and cache. The column can't be used any more. */
void hl_column_end(void *memory);

/* Erase memory of the caller: the compiler can't leave it out. */
void hl_forget(void *memory, size_t size);

/* The primitives by themselves, for tests. Keys of 1 to 64 bytes, messages of at least 1 for BLAKE2b. */
int hl_blake2b(const uint8_t *key, size_t key_size, const uint8_t *salt, const uint8_t *message, size_t size,
               uint8_t *digest);
int hl_hmac(int sha1, const uint8_t *key, size_t key_size, const uint8_t *message, size_t size, uint8_t *digest);

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

/* What Python may see of include/hushlink.h, in the words cffi understands. */
#define HL_LEFT_BLOCK ...
#define HL_RIGHT_BLOCK ...
#define HL_WIDTH_MAX ...
#define HL_MERGE_MAX_RUNS ...

typedef enum { HL_OK, HL_DONE, HL_CANCELLED, HL_BAD_ARGUMENT, HL_UNSUPPORTED, HL_NO_MEMORY, HL_CONTRADICTION, ... } hl_status;
typedef enum { HL_DICE, HL_JACCARD, HL_HAMMING, HL_COSINE, HL_OVERLAP, ... } hl_metric;
typedef enum { HL_PORTABLE, HL_POPCNT, HL_AVX2, HL_AVX512, HL_NEON, ... } hl_path;
typedef enum { HL_PRUNE_AUTO, HL_PRUNE_OFF, ... } hl_pruning;

int hl_path_available(int path);
int hl_path_best(void);

#define HL_FILTER_BITS_MAX ...
#define HL_INSERTIONS_MAX ...
#define HL_NGRAM_MAX ...
typedef enum { HL_BLAKE_HASH, HL_DOUBLE_HASH, ... } hl_hashing;
typedef enum { HL_ASCII, HL_UTF8, HL_UTF16, HL_UTF32, ... } hl_codec;
typedef struct {
    const uint8_t *first_key;
    const uint8_t *second_key;
    uint32_t key_bytes;
    uint32_t filter_bits;
    uint32_t insertions;
    uint32_t ngram;
    uint32_t cache_entries;
    int32_t hashing;
    int32_t codec;
    int32_t positional;
    int32_t per_value;
    int32_t prevent_singularity;
    ...;
} hl_column_settings;
typedef struct {
    const uint32_t *points;
    const uint32_t *lengths;
    const uint32_t *token_counts;
    const uint32_t *rows;
    uint64_t point_count;
    uint32_t text_count;
    uint32_t value_count;
    ...;
} hl_values;
size_t hl_column_size(const hl_column_settings *settings);
int hl_column_begin(void *memory, size_t size, const hl_column_settings *settings);
size_t hl_column_scratch(const void *memory, uint32_t longest);
int hl_column_add(void *memory, const hl_values *values, uint8_t *filters, uint64_t filter_count, void *scratch,
                  size_t scratch_size);
void hl_column_end(void *memory);
void hl_forget(void *memory, size_t size);
int hl_blake2b(const uint8_t *key, size_t key_size, const uint8_t *salt, const uint8_t *message, size_t size,
               uint8_t *digest);
int hl_hmac(int sha1, const uint8_t *key, size_t key_size, const uint8_t *message, size_t size, uint8_t *digest);

int hl_popcounts(int path, const uint8_t *rows, uint64_t count, uint32_t width_bytes, uint32_t *out);
int hl_smallest_common(int metric, uint32_t width_bytes, double threshold, uint32_t *table);

typedef struct { const uint8_t *bytes; const uint32_t *popcounts; uint32_t count; ...; } hl_rows;
typedef struct {
    const uint64_t *row_offsets;
    const uint32_t *rows;
    const uint64_t *block_offsets;
    const uint32_t *blocks;
    ...;
} hl_block_lists;
typedef struct {
    uint32_t count;
    hl_block_lists left;
    hl_block_lists right;
    ...;
} hl_blocks;
typedef struct {
    hl_rows left;
    hl_rows right;
    uint32_t width_bytes;
    int32_t self_join;
    int32_t metric;
    int32_t path;
    int32_t pruning;
    double threshold;
    const uint32_t *smallest_common;
    const hl_blocks *blocks;
    const uint32_t *left_order;
    const uint32_t *right_order;
    ...;
} hl_join_settings;
typedef struct {
    double *scores;
    uint32_t *left;
    uint32_t *right;
    uint64_t capacity;
    uint64_t count;
    ...;
} hl_pairs;
typedef struct { uint64_t compared; uint32_t cancel; ...; } hl_signals;
size_t hl_join_size(uint32_t width_bytes);
int hl_join_begin(void *memory, size_t size, const hl_join_settings *settings);
uint64_t hl_join_total(const void *memory);
int hl_join_next(void *memory, hl_pairs *out, hl_signals *signals);

int hl_pairs_sort(double *scores, uint32_t *left, uint32_t *right, uint64_t count, void *spare);

typedef struct {
    const double *scores;
    const uint32_t *rows_a;
    const uint32_t *rows_b;
    const uint16_t *datasets_a;
    const uint16_t *datasets_b;
    uint64_t count;
    uint64_t consumed;
    uint16_t dataset_a;
    uint16_t dataset_b;
    uint16_t last;
    ...;
} hl_run;
typedef struct {
    double *scores;
    uint16_t *datasets_a;
    uint16_t *datasets_b;
    uint32_t *rows_a;
    uint32_t *rows_b;
    uint64_t capacity;
    uint64_t count;
    ...;
} hl_merged;
size_t hl_merge_size(uint32_t runs);
int hl_merge(hl_run *runs, uint32_t run_count, hl_merged *out, void *memory, size_t size);

typedef struct {
    uint32_t *seen_a;
    uint32_t *seen_b;
    uint32_t count_a;
    uint32_t count_b;
    uint32_t k;
    ...;
} hl_top;
int hl_top_keep(const hl_top *top, const uint32_t *rows_a, const uint32_t *rows_b, uint64_t count, uint8_t *keep);

typedef ... hl_greedy;
typedef struct {
    const uint32_t *dataset_sizes;
    uint32_t dataset_count;
    double merge_threshold;
    int32_t deduplicated;
    int32_t within_datasets;
    int32_t spill_file;
    ...;
} hl_greedy_settings;
typedef struct {
    const uint16_t *datasets_a;
    const uint16_t *datasets_b;
    const uint32_t *rows_a;
    const uint32_t *rows_b;
    uint64_t count;
    uint16_t dataset_a;
    uint16_t dataset_b;
    ...;
} hl_greedy_batch;
int hl_greedy_new(const hl_greedy_settings *settings, hl_greedy **out);
void hl_greedy_free(hl_greedy *solver);
int hl_greedy_feed(hl_greedy *solver, const hl_greedy_batch *batch, uint64_t *bad);
int hl_greedy_link(hl_greedy *solver, const hl_greedy_batch *batch, uint64_t *bad);
uint64_t hl_greedy_memory(const hl_greedy *solver);
uint64_t hl_greedy_spilled(const hl_greedy *solver);
void hl_greedy_measure(const hl_greedy *solver, uint64_t *groups, uint64_t *members);
int hl_greedy_groups(hl_greedy *solver, uint64_t *offsets, uint16_t *datasets, uint32_t *rows);

/* The C interface under sanitizers: buffers of exactly the promised sizes, every path equal to the
 * portable one, hostile arguments, resumption, merging and solving. Prints what failed; exits 0 or 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hushlink.h"

static int failures;

#define CHECK(condition, ...)                                   \
    do {                                                        \
        if (!(condition)) {                                     \
            failures++;                                         \
            fprintf(stderr, "line %d: %s: ", __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                       \
            fputc('\n', stderr);                                \
        }                                                       \
    } while (0)

static uint64_t state = 88172645463325252u;

static uint64_t drawn(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

typedef struct sample {
    uint8_t *bytes;
    uint32_t *popcounts;
    uint32_t count;
} sample;

/* Rows at the very end of their allocation; every third is a near copy of the one before. */
static sample sample_rows(uint32_t count, uint32_t width)
{
    sample s = {malloc((size_t)count * width), malloc(count * sizeof(uint32_t)), count};
    for (size_t i = 0; i < (size_t)count * width; i++)
        s.bytes[i] = (uint8_t)(drawn() >> 40 | drawn() >> 42);
    for (uint32_t r = 2; r < count; r += 3) {
        memcpy(s.bytes + (size_t)r * width, s.bytes + (size_t)(r - 1) * width, width);
        s.bytes[(size_t)r * width] ^= 1;
    }
    memset(s.bytes, 0, width);
    CHECK(hl_popcounts(HL_PORTABLE, s.bytes, count, width, s.popcounts) == HL_OK, "popcounts");
    return s;
}

static void free_rows(sample s)
{
    free(s.bytes);
    free(s.popcounts);
}

typedef struct found {
    double *scores;
    uint32_t *left, *right;
    uint64_t count;
} found;

static void free_found(found f)
{
    free(f.scores);
    free(f.left);
    free(f.right);
}

static hl_join_settings settings_of(sample left, sample right, uint32_t width, const uint32_t *table, int path)
{
    return (hl_join_settings){
        .left = {left.bytes, left.popcounts, left.count},
        .right = {right.bytes, right.popcounts, right.count},
        .width_bytes = width, .metric = HL_DICE, .path = path, .threshold = 0.5, .smallest_common = table};
}

/* The whole join through buffers of `capacity` pairs, in memory of exactly hl_join_size. */
static found join_all(const hl_join_settings *settings, uint64_t capacity)
{
    uint64_t most = (uint64_t)settings->left.count * (settings->self_join ? settings->left.count : settings->right.count);
    found all = {malloc(8 * most + 8), malloc(4 * most + 4), malloc(4 * most + 4), 0};
    size_t size = hl_join_size(settings->width_bytes);
    void *memory = malloc(size);
    hl_signals signals = {0, 0};
    int status = hl_join_begin(memory, size, settings);
    CHECK(status == HL_OK, "begin %d", status);
    while (status == HL_OK) {
        hl_pairs out = {malloc(8 * capacity), malloc(4 * capacity), malloc(4 * capacity), capacity, 0};
        status = hl_join_next(memory, &out, &signals);
        CHECK(status == HL_DONE || out.count == capacity, "count %llu", (unsigned long long)out.count);
        memcpy(all.scores + all.count, out.scores, 8 * out.count);
        memcpy(all.left + all.count, out.left, 4 * out.count);
        memcpy(all.right + all.count, out.right, 4 * out.count);
        all.count += out.count;
        free_found((found){out.scores, out.left, out.right, 0});
    }
    CHECK(signals.compared == hl_join_total(memory), "compared");
    free(memory);
    return all;
}

static void test_paths(uint32_t width, uint32_t left_rows, uint32_t right_rows, double threshold, int metric)
{
    uint32_t *table = malloc((16 * width + 1) * sizeof *table);
    sample left = sample_rows(left_rows, width), right = sample_rows(right_rows, width);
    memcpy(right.bytes, left.bytes, (size_t)width * (left_rows < right_rows ? left_rows : right_rows));
    hl_popcounts(HL_PORTABLE, right.bytes, right_rows, width, right.popcounts);
    CHECK(metric == HL_COSINE || metric == HL_OVERLAP ||
          hl_smallest_common(metric, width, threshold, table) == HL_OK, "table");
    for (int self = 0; self < 2; self++) {
        hl_join_settings settings = settings_of(left, right, width, table, HL_PORTABLE);
        settings.self_join = self;
        settings.metric = metric;
        settings.threshold = threshold;
        found expected = join_all(&settings, 1000);
        for (int path = 0; path < HL_PATH_COUNT; path++) {
            if (!hl_path_available(path))
                continue;
            settings.path = path;
            found got = join_all(&settings, width == 16 ? 1 : 100);
            CHECK(got.count == expected.count, "width %u rows %u x %u path %d", width, left_rows, right_rows, path);
            CHECK(got.count != expected.count || (!memcmp(got.scores, expected.scores, 8 * got.count) &&
                  !memcmp(got.left, expected.left, 4 * got.count) && !memcmp(got.right, expected.right, 4 * got.count)),
                  "pairs of path %d at width %u", path, width);
            free_found(got);
        }
        free_found(expected);
    }
    free_rows(left);
    free_rows(right);
    free(table);
}

static void test_known_tables(void)
{
    uint32_t table[16 * 128 + 1];
    CHECK(hl_smallest_common(HL_DICE, 128, 0.75, table) == HL_OK, "dice");
    CHECK(table[800] == 300 && table[801] == 301 && table[0] == HL_NEVER && table[1] == HL_NEVER, "dice .75");
    CHECK(hl_smallest_common(HL_JACCARD, 128, 0.5, table) == HL_OK, "jaccard");
    CHECK(table[3] == 1 && table[4] == 2 && table[0] == HL_NEVER, "jaccard .5");
    CHECK(hl_smallest_common(HL_HAMMING, 128, 1.0, table) == HL_OK, "hamming");
    CHECK(table[0] == 0 && table[2] == 1 && table[3] == HL_NEVER, "hamming 1");
    CHECK(hl_smallest_common(HL_HAMMING, 128, 0.85, table) == HL_OK, "hamming");
    for (uint32_t sum = 0; sum <= 2048; sum++)
        CHECK(table[sum] <= sum / 2 && sum - 2 * table[sum] <= 153, "hamming .85 at %u", sum);
    double bad[] = {0.0, -1.0, 1.5, 0.0 / 0.0 * 1.0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(hl_smallest_common(HL_DICE, 128, bad[i], table) == HL_BAD_ARGUMENT, "threshold %f", bad[i]);
    CHECK(hl_smallest_common(99, 128, 0.5, table) == HL_UNSUPPORTED, "metric");
    CHECK(hl_smallest_common(HL_DICE, 0, 0.5, table) == HL_BAD_ARGUMENT, "width 0");
    CHECK(hl_smallest_common(HL_DICE, 2049, 0.5, table) == HL_BAD_ARGUMENT, "width 2049");
}

static void test_hostile_joins(void)
{
    uint32_t table[16 * 16 + 1];
    sample rows = sample_rows(10, 16);
    size_t size = hl_join_size(16);
    void *memory = malloc(size);
    hl_smallest_common(HL_DICE, 16, 0.5, table);
    hl_join_settings good = settings_of(rows, rows, 16, table, HL_PORTABLE), bad = good;
    CHECK(hl_join_begin(memory, size, &good) == HL_OK, "good");
    CHECK(hl_join_begin(memory, size - 1, &good) == HL_BAD_ARGUMENT, "small memory");
    CHECK(hl_join_begin(NULL, size, &good) == HL_BAD_ARGUMENT, "no memory");
    CHECK(hl_join_begin(memory, size, NULL) == HL_BAD_ARGUMENT, "no settings");
    bad.width_bytes = 0;
    CHECK(hl_join_begin(memory, size, &bad) == HL_BAD_ARGUMENT, "width");
    bad = good, bad.left.bytes = NULL;
    CHECK(hl_join_begin(memory, size, &bad) == HL_BAD_ARGUMENT, "rows");
    bad = good, bad.smallest_common = NULL;
    CHECK(hl_join_begin(memory, size, &bad) == HL_BAD_ARGUMENT, "table");
    bad = good, bad.threshold = 0.0;
    CHECK(hl_join_begin(memory, size, &bad) == HL_BAD_ARGUMENT, "threshold");
    bad = good, bad.pruning = 7;
    CHECK(hl_join_begin(memory, size, &bad) == HL_BAD_ARGUMENT, "pruning");
    bad = good, bad.path = 77;
    CHECK(hl_join_begin(memory, size, &bad) == HL_UNSUPPORTED, "path");
    bad = good, bad.metric = 0;
    CHECK(hl_join_begin(memory, size, &bad) == HL_UNSUPPORTED, "metric");
    rows.popcounts[3] = 129;
    CHECK(hl_join_begin(memory, size, &good) == HL_BAD_ARGUMENT, "popcount above the width");
    CHECK(hl_join_size(0) == 0 && hl_join_size(2049) == 0, "sizes");
    free(memory);
    free_rows(rows);
}

static void test_cancel(void)
{
    uint32_t table[16 * 16 + 1];
    sample rows = sample_rows(100, 16);
    size_t size = hl_join_size(16);
    void *memory = malloc(size);
    double score;
    uint32_t left, right;
    hl_pairs out = {&score, &left, &right, 1, 0};
    hl_signals signals = {0, 1};
    hl_smallest_common(HL_DICE, 16, 1.0, table);
    hl_join_settings settings = settings_of(rows, rows, 16, table, HL_PORTABLE);
    CHECK(hl_join_begin(memory, size, &settings) == HL_OK, "begin");
    CHECK(hl_join_next(memory, &out, &signals) == HL_CANCELLED && out.count == 0, "cancelled");
    signals.cancel = 0;
    CHECK(hl_join_next(memory, &out, &signals) == HL_OK && out.count == 1, "continued");
    out.capacity = 0;
    CHECK(hl_join_next(memory, &out, &signals) == HL_BAD_ARGUMENT, "no room");
    free(memory);
    free_rows(rows);
}

static void test_greedy(double merge_threshold, int deduplicated, uint32_t parties)
{
    uint32_t sizes[5] = {40, 1, 60, 33, 17}, rows_a[500], rows_b[500];
    uint16_t datasets_a[500], datasets_b[500];
    hl_greedy *solver;
    uint64_t bad, groups, members;
    hl_greedy_settings settings = {sizes, parties, merge_threshold, deduplicated, parties == 1, 0};
    CHECK(hl_greedy_new(&settings, &solver) == HL_OK, "new");
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 500; i++) {
            datasets_a[i] = (uint16_t)(parties == 1 ? 0 : drawn() % (parties - 1));
            datasets_b[i] = (uint16_t)(parties == 1 ? 0 : datasets_a[i] + 1 + drawn() % (parties - 1u - datasets_a[i]));
            rows_a[i] = (uint32_t)(drawn() % sizes[datasets_a[i]]);
            rows_b[i] = (uint32_t)(drawn() % sizes[datasets_b[i]]);
        }
        hl_greedy_batch batch = {datasets_a, datasets_b, rows_a, rows_b, 500, 0, 0};
        if (round == 0 && !deduplicated) {
            batch.count = 5;
            CHECK(hl_greedy_link(solver, &batch, &bad) == HL_OK, "link");
            batch.count = 500;
        }
        CHECK(hl_greedy_feed(solver, &batch, &bad) == HL_OK, "feed");
        rows_b[77] = sizes[datasets_b[77]];
        CHECK(hl_greedy_feed(solver, &batch, &bad) == HL_BAD_ARGUMENT && bad == 77, "bad pair");
    }
    hl_greedy_measure(solver, &groups, &members);
    uint64_t *offsets = malloc((groups + 1) * sizeof *offsets);
    uint16_t *datasets = malloc(members * sizeof *datasets);
    uint32_t *rows = malloc(members * sizeof *rows);
    CHECK(hl_greedy_groups(solver, offsets, datasets, rows) == HL_OK, "groups");
    CHECK(offsets[0] == 0 && offsets[groups] == members, "offsets");
    CHECK(groups > 0 && members >= 2 * groups, "some groups");
    free(offsets);
    free(datasets);
    free(rows);
    hl_greedy_free(solver);
}

static void test_merge(void)
{
    double scores[3][4] = {{1.0, 0.8, 0.8, 0.2}, {0.9, 0.8, 0.1, 0.1}, {1.0, 0.9, 0.3, 0.3}};
    uint32_t rows_a[4] = {1, 1, 2, 3}, rows_b[4] = {9, 9, 9, 9};
    hl_run runs[3];
    size_t size = hl_merge_size(3);
    void *memory = malloc(size);
    hl_merged out = {malloc(16 * 8), malloc(16 * 2), malloc(16 * 2), malloc(16 * 4), malloc(16 * 4), 16, 0};
    for (uint16_t r = 0; r < 3; r++)
        runs[r] = (hl_run){scores[r], rows_a, rows_b, NULL, NULL, 4, 0, r, 9, 1};
    CHECK(hl_merge(runs, 3, &out, memory, size) == HL_DONE && out.count == 12, "merged %llu",
          (unsigned long long)out.count);
    for (uint64_t i = 1; i < out.count; i++)
        CHECK(out.scores[i - 1] >= out.scores[i], "order at %llu", (unsigned long long)i);
    CHECK(hl_merge(runs, 0, &out, memory, size) == HL_BAD_ARGUMENT, "no runs");
    CHECK(hl_merge(runs, 3, &out, memory, size - 1) == HL_BAD_ARGUMENT, "small memory");
    runs[1].consumed = 5;
    CHECK(hl_merge(runs, 3, &out, memory, size) == HL_BAD_ARGUMENT, "consumed too much");
    free(out.scores);
    free(out.datasets_a);
    free(out.datasets_b);
    free(out.rows_a);
    free(out.rows_b);
    free(memory);
}

int test_filters(void); /* filters_test.c */

int main(void)
{
    static const uint32_t widths[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 128, 129, 256, 2047, 2048};
    test_known_tables();
    test_hostile_joins();
    test_cancel();
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        uint32_t right = widths[w] > 200 ? 66 : 130;
        for (int metric = HL_DICE; metric <= (widths[w] > 200 ? HL_DICE : HL_OVERLAP); metric++) {
            test_paths(widths[w], 21, right, 0.5, metric);
            test_paths(widths[w], 21, right, 0.9, metric);
        }
    }
    test_paths(128, 5, HL_RIGHT_BLOCK + 1, 0.85, HL_DICE);
    /* Large enough for a plan that prunes, with limits that fit a byte and that do not. */
    test_paths(128, 300, HL_RIGHT_BLOCK + 70, 0.9, HL_DICE);
    test_paths(64, 600, 1000, 0.8, HL_JACCARD);
    test_paths(512, 280, HL_RIGHT_BLOCK, 0.8, HL_HAMMING);
    test_paths(128, 300, HL_RIGHT_BLOCK, 0.9, HL_COSINE);
    test_paths(2, 3, HL_RIGHT_BLOCK - 1, 1.0, HL_HAMMING);
    test_merge();
    for (uint32_t parties = 1; parties <= 5; parties++)
        for (int deduplicated = 0; deduplicated < 2; deduplicated++) {
            if (parties == 1 && deduplicated)
                continue;
            test_greedy(1.0, deduplicated, parties);
            test_greedy(0.4, deduplicated, parties);
        }
    failures += test_filters();
    if (failures)
        fprintf(stderr, "%d failures\n", failures);
    return failures != 0;
}

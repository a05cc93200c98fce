/* libFuzzer on the C interface, arguments included: whatever the bytes say, no wild access, and every
 * path emits what the portable one does. Block lists and batches are hostile; sizes are honest, as they
 * must be in C. */
#include <stdlib.h>
#include <string.h>

#include "hushlink.h"

typedef struct input {
    const uint8_t *bytes;
    size_t size;
} input;

/* The next bytes of the input, zeros when it is over. */
static uint64_t take(input *in, size_t size)
{
    uint64_t value = 0;
    size_t have = in->size < size ? in->size : size;
    memcpy(&value, in->bytes, have);
    in->bytes += have;
    in->size -= have;
    return value;
}

static uint8_t *take_rows(input *in, uint32_t count, uint32_t width)
{
    uint8_t *rows = malloc((size_t)count * width + 1);
    for (size_t i = 0; i < (size_t)count * width; i++)
        rows[i] = (uint8_t)take(in, 1);
    return rows;
}

/* Lists of rows by block, with offsets and numbers that may be wrong; and the lists by row. */
static hl_block_lists take_lists(input *in, uint32_t blocks, uint32_t rows)
{
    uint64_t *row_offsets = malloc((blocks + 1) * sizeof *row_offsets), at = 0;
    uint64_t *block_offsets = malloc((rows + 1) * sizeof *block_offsets);
    uint32_t *list = malloc(64 * sizeof *list), *inverse = malloc(64 * sizeof *inverse);
    for (uint32_t b = 0; b <= blocks; b++) {
        row_offsets[b] = at;
        at += b < blocks ? take(in, 1) % 8 : 0;
        at = at > 64 ? 64 : at;
    }
    for (uint32_t i = 0; i < 64; i++)
        list[i] = (uint32_t)take(in, 1) % 40;
    at = 0;
    for (uint32_t r = 0; r <= rows; r++) {
        block_offsets[r] = at;
        for (uint32_t b = 0; r < rows && b < blocks; b++)
            for (uint64_t i = row_offsets[b]; i < row_offsets[b + 1] && at < 64; i++)
                if (list[i] == r)
                    inverse[at++] = b;
    }
    return (hl_block_lists){row_offsets, list, block_offsets, inverse};
}

static void free_lists(hl_block_lists lists)
{
    free((void *)(uintptr_t)lists.row_offsets);
    free((void *)(uintptr_t)lists.rows);
    free((void *)(uintptr_t)lists.block_offsets);
    free((void *)(uintptr_t)lists.blocks);
}

/* One column over hostile values; what is remembered must not change a bit. */
static void fuzz_column(input *in)
{
    uint8_t keys[130], *filters[2];
    uint32_t points[64], lengths[16], counts[16], rows[16];
    for (uint32_t i = 0; i < sizeof keys; i++)
        keys[i] = (uint8_t)(i % 8 ? i : take(in, 1));
    hl_column_settings settings = {
        keys, keys + 65, (uint32_t)take(in, 1) % 66, (uint32_t)take(in, 2) % 2000, (uint32_t)take(in, 1) * 3,
        (uint32_t)take(in, 1) % 6, 0, (int32_t)take(in, 1) % 4, (int32_t)take(in, 1) % 6,
        (int32_t)take(in, 1) % 2, (int32_t)take(in, 1) % 2, (int32_t)take(in, 1) % 2};
    hl_values values = {points, lengths, take(in, 1) % 2 ? counts : NULL, take(in, 1) % 2 ? rows : NULL,
                        take(in, 1) % 64, (uint32_t)take(in, 1) % 16, (uint32_t)take(in, 1) % 16};
    for (int i = 0; i < 64; i++)
        points[i] = take(in, 1) % 4 ? (uint32_t)take(in, 1) % 128 : (uint32_t)take(in, 3);
    for (int i = 0; i < 16; i++) {
        lengths[i] = take(in, 1) % 16 ? (uint32_t)take(in, 1) % 9 : (uint32_t)take(in, 4);
        counts[i] = take(in, 1) % 16 ? (uint32_t)take(in, 1) % 3 : (uint32_t)take(in, 4);
        rows[i] = (uint32_t)take(in, 1) % 17;
    }
    int statuses[2] = {0, 0};
    size_t filters_size = 16 * (size_t)((settings.filter_bits + 7) / 8);
    for (int side = 0; side < 2; side++) {
        settings.cache_entries = side ? (uint32_t)take(in, 1) % 40 : 0;
        size_t size = hl_column_size(&settings);
        filters[side] = calloc(1, filters_size + 1);
        void *memory = malloc(size + 1);
        if (hl_column_begin(memory, size, &settings) == HL_OK) {
            size_t scratch_size = hl_column_scratch(memory, 64);
            void *scratch = malloc(scratch_size);
            for (int twice = 0; twice < 2; twice++)
                statuses[side] = hl_column_add(memory, &values, filters[side], 16, scratch, scratch_size);
            free(scratch);
            hl_column_end(memory);
        }
        free(memory);
    }
    if (statuses[0] != statuses[1] || memcmp(filters[0], filters[1], filters_size))
        abort();
    free(filters[0]);
    free(filters[1]);
}

/* A digest of everything a join emits, or its error. */
static uint64_t joined(hl_join_settings settings, int path, uint64_t capacity)
{
    double scores[64];
    uint32_t left[64], right[64];
    hl_pairs out = {scores, left, right, capacity, 0};
    hl_signals signals = {0, 0};
    size_t size = hl_join_size(settings.width_bytes);
    void *memory = malloc(size + 1);
    uint64_t digest = 1469598103934665603u;
    settings.path = path;
    int status = hl_join_begin(memory, size, &settings);
    while (status == HL_OK) {
        status = hl_join_next(memory, &out, &signals);
        for (uint64_t i = 0; i < out.count; i++) {
            uint64_t bits;
            memcpy(&bits, &scores[i], sizeof bits);
            digest = (digest ^ bits ^ ((uint64_t)left[i] << 32 | right[i])) * 1099511628211u;
        }
    }
    if (status == HL_DONE && signals.compared != hl_join_total(memory))
        abort();
    free(memory);
    return digest ^ (uint64_t)(int64_t)status;
}

static void fuzz_join(input *in)
{
    hl_join_settings settings = {0};
    uint32_t width = (uint32_t)take(in, 1) % 40, counts[300], *table = malloc(640 * sizeof *table);
    double threshold;
    uint64_t bits = take(in, 8);
    memcpy(&threshold, &bits, 8);
    settings.threshold = take(in, 1) % 4 ? (double)(take(in, 1) + 1) / 256.0 : threshold;
    settings.metric = (int32_t)take(in, 1) % 7;
    settings.self_join = (int32_t)take(in, 1) % 2;
    settings.pruning = (int32_t)take(in, 1) % 3;
    settings.width_bytes = width;
    settings.left.count = (uint32_t)take(in, 1) % 40;
    settings.right.count = (uint32_t)take(in, 1) % 260;
    uint64_t capacity = take(in, 1) % 64 + 1;
    uint8_t *left = take_rows(in, settings.left.count, width), *right = take_rows(in, settings.right.count, width);
    memset(counts, 0, sizeof counts);
    hl_popcounts(HL_PORTABLE, left, settings.left.count, width, counts);
    hl_popcounts(HL_PORTABLE, right, settings.right.count, width, counts + 40);
    counts[0] += take(in, 1) == 7 ? 1000 : 0;
    settings.left.bytes = left, settings.left.popcounts = counts;
    settings.right.bytes = right, settings.right.popcounts = counts + 40;
    if (hl_smallest_common(settings.metric, width, settings.threshold, table) == HL_OK)
        settings.smallest_common = table;
    hl_blocks blocks = {(uint32_t)take(in, 1) % 9, {0}, {0}};
    blocks.left = take_lists(in, blocks.count, settings.left.count);
    blocks.right = take_lists(in, blocks.count, settings.right.count);
    settings.blocks = take(in, 1) % 2 ? &blocks : NULL;
    uint32_t orders[300];
    for (uint32_t r = 0; r < 300; r++)
        orders[r] = take(in, 1) % 64 ? r < 40 ? (r * 7 + 3) % (settings.left.count + 1) : r - 40 : 300;
    settings.left_order = take(in, 1) % 3 == 1 ? orders : NULL;
    settings.right_order = take(in, 1) % 3 == 1 ? orders + 40 : NULL;
    uint64_t expected = joined(settings, HL_PORTABLE, capacity);
    for (int path = 1; path < HL_PATH_COUNT; path++)
        if (hl_path_available(path) && joined(settings, path, 64 - capacity + 1) != expected)
            abort();
    free_lists(blocks.left);
    free_lists(blocks.right);
    free(left);
    free(right);
    free(table);
}

static void fuzz_greedy(input *in)
{
    uint32_t sizes[4], rows_a[32], rows_b[32];
    uint16_t datasets_a[32], datasets_b[32], datasets[128];
    uint64_t offsets[128], groups, members, bad;
    uint32_t rows[128];
    hl_greedy *solver;
    for (int d = 0; d < 4; d++)
        sizes[d] = (uint32_t)take(in, 1) % 32;
    hl_greedy_settings settings = {sizes, (uint32_t)take(in, 1) % 6, (double)take(in, 1) / 250.0,
                                   (int32_t)take(in, 1) % 2, (int32_t)take(in, 1) % 2, 0};
    settings.dataset_count = settings.dataset_count > 4 ? 0 : settings.dataset_count;
    if (hl_greedy_new(&settings, &solver) != HL_OK)
        return;
    while (in->size) {
        for (int i = 0; i < 32; i++) {
            datasets_a[i] = (uint16_t)(take(in, 1) % 5), datasets_b[i] = (uint16_t)(take(in, 1) % 5);
            rows_a[i] = (uint32_t)take(in, 1) % 33, rows_b[i] = (uint32_t)take(in, 1) % 33;
            hl_greedy_batch batch = {datasets_a + i, datasets_b + i, rows_a + i, rows_b + i, 1, 0, 0};
            if (rows_a[i] % 7 == 0)
                hl_greedy_link(solver, &batch, &bad);
            else
                hl_greedy_feed(solver, &batch, &bad);
        }
    }
    hl_greedy_measure(solver, &groups, &members);
    if (hl_greedy_groups(solver, offsets, datasets, rows) != HL_OK || offsets[groups] != members)
        abort();
    hl_greedy_free(solver);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    input in = {bytes, size};
    switch (take(&in, 1) % 4) {
    case 0:
        fuzz_greedy(&in);
        break;
    case 1:
        fuzz_column(&in);
        break;
    default:
        fuzz_join(&in);
    }
    return 0;
}

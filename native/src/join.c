/* The join: walks left blocks, right blocks and left rows in the order of the contract, lets the path
 * compare a stripe of left rows with a right block, and writes out what it found. */
#include "hushlink_private.h"

#define ALIGNMENT 64u

static size_t padded(size_t size) { return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1); }

static hl_join *aligned_join(const void *memory)
{
    uintptr_t at = (uintptr_t)memory;
    return (hl_join *)((at + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
}

/* A row has at most this many columns: two nibbles per byte, whole words. */
static uint32_t columns_most(uint32_t width_bytes) { return (width_bytes + 7) / 8 * 16; }

static size_t limits_size(uint32_t width_bytes) { return (8 * (size_t)width_bytes + 1) * sizeof(int32_t); }

size_t hl_join_size(uint32_t width_bytes)
{
    if (width_bytes < HL_WIDTH_MIN || width_bytes > HL_WIDTH_MAX)
        return 0;
    size_t columns = columns_most(width_bytes);
    return ALIGNMENT + padded(sizeof(hl_join)) + padded(HL_STRIPE * 3 * HL_HITS_ROOM * sizeof(uint16_t)) +
           padded(HL_RIGHT_BLOCK * sizeof(int16_t)) + padded(HL_RIGHT_BLOCK) +
           padded(HL_RIGHT_BLOCK * columns) + padded(16 * HL_STRIPE * columns) +
           2 * padded(limits_size(width_bytes)) + padded(HL_RIGHT_BLOCK * (size_t)width_bytes) +
           padded(HL_RIGHT_BLOCK * sizeof(uint32_t));
}

static void place_scratch(hl_join *join)
{
    size_t columns = columns_most(join->width_bytes);
    uint8_t *at = (uint8_t *)join + padded(sizeof(hl_join));
    for (uint32_t q = 0; q < HL_STRIPE; q++) {
        join->hits[q].rows = (uint16_t *)(void *)at + (size_t)q * 3 * HL_HITS_ROOM;
        join->hits[q].common = join->hits[q].rows + HL_HITS_ROOM;
        join->hits[q].sums = join->hits[q].common + HL_HITS_ROOM;
    }
    at += padded(HL_STRIPE * 3 * HL_HITS_ROOM * sizeof(uint16_t));
    join->block_limits = (int16_t *)(void *)at;
    at += padded(HL_RIGHT_BLOCK * sizeof(int16_t));
    join->block_byte_starts = at;
    at += padded(HL_RIGHT_BLOCK);
    join->block_columns = at;
    at += padded(HL_RIGHT_BLOCK * columns);
    join->query_columns = at;
    at += padded(16 * HL_STRIPE * columns);
    join->left_limits = (int32_t *)(void *)at;
    at += padded(limits_size(join->width_bytes));
    join->right_limits = (int32_t *)(void *)at;
    at += padded(limits_size(join->width_bytes));
    join->gathered_popcounts = (uint32_t *)(void *)at;
    at += padded(HL_RIGHT_BLOCK * sizeof(uint32_t));
    join->gathered_rows = at;
}

/* A popcount above the width would read past the table. */
static bool rows_fit(const hl_rows *rows, uint32_t width_bytes)
{
    uint32_t most = 0;
    if (rows->count && (!rows->bytes || !rows->popcounts))
        return false;
    for (uint32_t r = 0; r < rows->count; r++)
        most = rows->popcounts[r] > most ? rows->popcounts[r] : most;
    return most <= 8 * width_bytes;
}

/* Does an order name every row once? Its marks need room that the join has: a bit per row is too much, so only the
 * range is checked; a row named twice is compared twice, never read astray. */
static bool order_fits(const uint32_t *order, const hl_rows *rows)
{
    uint32_t most = 0;
    for (uint32_t r = 0; order && r < rows->count; r++)
        most = order[r] > most ? order[r] : most;
    return !order || !rows->count || most < rows->count;
}

static bool orders_valid(const hl_join_settings *settings)
{
    if (settings->blocks)
        return !settings->left_order && !settings->right_order;
    if (settings->self_join)
        return order_fits(settings->left_order, &settings->left);
    return !settings->left_order == !settings->right_order && order_fits(settings->left_order, &settings->left) &&
           order_fits(settings->right_order, &settings->right);
}

static int check_settings(const hl_join_settings *settings)
{
    if (!settings || settings->width_bytes < HL_WIDTH_MIN || settings->width_bytes > HL_WIDTH_MAX ||
        settings->pruning < HL_PRUNE_AUTO || settings->pruning > HL_PRUNE_OFF ||
        !(settings->threshold > 0.0 && settings->threshold <= 1.0))
        return HL_BAD_ARGUMENT;
    if (hl_metric_of_sum(settings->metric) && !settings->smallest_common)
        return HL_BAD_ARGUMENT;
    if (!rows_fit(&settings->left, settings->width_bytes) ||
        (!settings->self_join && !rows_fit(&settings->right, settings->width_bytes)))
        return HL_BAD_ARGUMENT;
    if (!orders_valid(settings) || (settings->blocks && !hl_blocks_valid(settings)))
        return HL_BAD_ARGUMENT;
    if (!hl_metric_known(settings->metric) || !hl_path_of(settings->path))
        return HL_UNSUPPORTED;
    return HL_OK;
}

int hl_join_begin(void *memory, size_t size, const hl_join_settings *settings)
{
    int status = check_settings(settings);
    if (status != HL_OK)
        return status;
    if (!memory || size < hl_join_size(settings->width_bytes))
        return HL_BAD_ARGUMENT;
    hl_join *join = aligned_join(memory);
    memset(join, 0, sizeof *join);
    join->left = settings->left;
    join->self = settings->self_join != 0;
    join->right = join->self ? settings->left : settings->right;
    join->width_bytes = settings->width_bytes;
    join->blocks = settings->blocks;
    join->metric = settings->metric;
    join->threshold = settings->threshold;
    join->smallest_common = hl_metric_of_sum(settings->metric) ? settings->smallest_common : NULL;
    join->path = hl_path_of(settings->path);
    join->loaded = UINT32_MAX;
    join->done = join->left.count == 0 || join->right.count <= (join->self ? 1u : 0u);
    join->left_list = settings->left_order;
    join->right_list = join->self ? settings->left_order : settings->right_order;
    join->left_count = join->left.count;
    join->right_count = join->right.count;
    place_scratch(join);
    if (settings->blocks && !join->done)
        hl_blocks_begin(join);
    hl_limits_fill(join);
    join->path->choose(join, settings->pruning == HL_PRUNE_AUTO && !join->done);
    return HL_OK;
}

uint64_t hl_join_total(const void *memory)
{
    const hl_join *join = aligned_join(memory);
    uint64_t left = join->left.count, right = join->right.count;
    if (join->blocks)
        return hl_blocks_total(join);
    return join->self ? (left ? left * (left - 1) / 2 : 0) : left * right;
}

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

static uint32_t block_end(uint32_t first, uint32_t block, uint32_t count)
{
    return count - first > block ? first + block : count;
}

/* One past the last left row that has anything to do in the current pair of blocks. */
static uint32_t left_end(const hl_join *join)
{
    uint32_t end = block_end(join->left_block, HL_LEFT_BLOCK, join->left_count);
    uint32_t right = block_end(join->right_block, HL_RIGHT_BLOCK, join->right_count);
    return join->self ? smaller(end, right - 1) : end;
}

/* The first row of the right block that a left row is compared with: a self-join takes only r < s. */
static uint32_t first_right(const hl_join *join, uint32_t left_row)
{
    return join->self && left_row >= join->right_block ? left_row + 1 - join->right_block : 0;
}

/* Move the cursor to the next pair of blocks that has comparisons to make. */
static void advance_blocks(hl_join *join)
{
    join->right_skip = 0;
    if (join->right_count - join->right_block > HL_RIGHT_BLOCK) {
        join->right_block += HL_RIGHT_BLOCK;
    } else if (join->left_count - join->left_block > HL_LEFT_BLOCK) {
        join->left_block += HL_LEFT_BLOCK;
        join->right_block = join->self ? join->left_block : 0;
    } else if (join->blocks) {
        hl_blocks_advance(join);
    } else {
        join->done = true;
    }
    join->left_row = join->left_block;
}

static void load_right_block(hl_join *join)
{
    const hl_path_functions *small = join->path->small;
    if (join->loaded == join->right_block)
        return;
    join->block_count = block_end(join->right_block, HL_RIGHT_BLOCK, join->right_count) - join->right_block;
    if (join->right_list) {
        hl_blocks_gather(join);
    } else {
        join->block_rows = join->right.bytes + (size_t)join->right_block * join->width_bytes;
        join->block_popcounts = join->right.popcounts + join->right_block;
    }
    join->path_now = small && join->block_count < join->path->small_rows ? small : join->path;
    join->path_now->load(join);
    join->loaded = join->right_block;
}

static inline uint32_t left_of(const hl_join *join, uint32_t position)
{
    return join->left_list ? join->left_list[position] : position;
}

static void scan_stripe(hl_join *join, uint32_t end)
{
    join->queries = smaller(HL_STRIPE, end - join->left_row);
    join->query = 0;
    for (uint32_t q = 0; q < join->queries; q++) {
        uint32_t row = left_of(join, join->left_row + q);
        join->query_rows[q] = join->left.bytes + (size_t)row * join->width_bytes;
        join->query_popcounts[q] = join->left.popcounts[row];
        join->hits[q].count = 0;
    }
    join->path_now->scan(join);
}

/* Of the hits from `from` on, keep those whose block is the first that the pair shares. */
static void drop_repeats(const hl_join *join, hl_hits *hits, uint32_t from)
{
    uint32_t left = left_of(join, join->left_row), kept = from;
    for (uint32_t h = from; h < hits->count; h++) {
        uint32_t row = hits->rows[h];
        hits->rows[kept] = (uint16_t)row;
        hits->common[kept] = hits->common[h];
        hits->sums[kept] = hits->sums[h];
        kept += hl_blocks_first(join, left, join->right_list[join->right_block + row]);
    }
    hits->count = kept;
}

/* Write `count` hits of one left row, which the output has room for. */
static void write_pairs(const hl_join *join, uint32_t query, uint32_t from, uint32_t count, hl_pairs *out)
{
    const uint16_t *rows = join->hits[query].rows + from;
    uint32_t left = left_of(join, join->left_row), first = join->right_block;
    uint32_t *lefts = out->left + out->count, *rights = out->right + out->count;
    for (uint32_t h = 0; h < count; h++)
        lefts[h] = left;
    if (join->right_list)
        for (uint32_t h = 0; h < count; h++)
            rights[h] = join->right_list[first + rows[h]];
    else
        for (uint32_t h = 0; h < count; h++)
            rights[h] = first + rows[h];
    for (uint32_t h = 0; join->self && join->left_list && h < count; h++) {
        lefts[h] = smaller(left, rights[h]);
        rights[h] ^= left ^ lefts[h]; /* the greater of the two */
    }
    join->path_now->scores(join, query, from, count, out->scores + out->count);
    out->count += count;
}

/* Write the hits of one left row; false when the buffer is full, the cursor then on the next hit. */
static bool emit_row(hl_join *join, uint32_t query, hl_pairs *out)
{
    hl_hits *hits = &join->hits[query];
    uint32_t first = first_right(join, join->left_row), from = 0;
    first = first > join->right_skip ? first : join->right_skip;
    while (from < hits->count && hits->rows[from] < first)
        from++;
    if (join->blocks)
        drop_repeats(join, hits, from);
    uint64_t room = out->capacity - out->count;
    uint32_t found = hits->count - from, count = found < room ? found : (uint32_t)room;
    write_pairs(join, query, from, count, out);
    if (count == found)
        return true;
    join->right_skip = hits->rows[from + count];
    return false;
}

/* Write the stripe's hits row by row and count the rows that are finished; false when the buffer is full.
 * What is not written yet stays where it is: the next call goes on with it. */
static bool emit_stripe(hl_join *join, hl_pairs *out, hl_signals *signals)
{
    uint64_t compared = 0;
    bool room = true;
    while (join->query < join->queries && (room = emit_row(join, join->query, out))) {
        compared += join->block_count - first_right(join, join->left_row);
        join->query++;
        join->left_row++;
        join->right_skip = 0;
    }
    __atomic_fetch_add(&signals->compared, compared, __ATOMIC_RELAXED);
    return room;
}

int hl_join_next(void *memory, hl_pairs *out, hl_signals *signals)
{
    if (!memory || !signals || !out || !out->capacity || !out->scores || !out->left || !out->right)
        return HL_BAD_ARGUMENT;
    hl_join *join = aligned_join(memory);
    out->count = 0;
    while (emit_stripe(join, out, signals)) {
        if (join->done)
            return HL_DONE;
        uint32_t end = left_end(join);
        if (join->left_row >= end) {
            advance_blocks(join);
            continue;
        }
        if (out->count == out->capacity)
            return HL_OK;
        if (__atomic_load_n(&signals->cancel, __ATOMIC_RELAXED))
            return HL_CANCELLED;
        load_right_block(join);
        scan_stripe(join, end);
    }
    return HL_OK;
}

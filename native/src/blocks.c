/* Joins by blocks: the lists of one block after the other take the place of all rows. */
#include "hushlink_private.h"

/* Offsets that never fall, and lists that ascend below `limit`. */
static bool lists_valid(const uint64_t *offsets, const uint32_t *items, uint64_t count, uint32_t limit)
{
    if (!offsets || offsets[0] != 0)
        return false;
    for (uint64_t list = 0; list < count; list++) {
        if (offsets[list + 1] < offsets[list] || offsets[list + 1] - offsets[list] > limit ||
            (offsets[list + 1] && !items))
            return false;
        for (uint64_t at = offsets[list]; at < offsets[list + 1]; at++)
            if (items[at] >= limit || (at > offsets[list] && items[at] <= items[at - 1]))
                return false;
    }
    return true;
}

static bool side_valid(const hl_block_lists *lists, uint32_t blocks, uint32_t rows)
{
    return lists_valid(lists->row_offsets, lists->rows, blocks, rows) &&
           lists_valid(lists->block_offsets, lists->blocks, rows, blocks) &&
           lists->row_offsets[blocks] == lists->block_offsets[rows];
}

bool hl_blocks_valid(const hl_join_settings *settings)
{
    const hl_blocks *blocks = settings->blocks;
    return side_valid(&blocks->left, blocks->count, settings->left.count) &&
           (settings->self_join || side_valid(&blocks->right, blocks->count, settings->right.count));
}

static uint64_t block_size(const hl_block_lists *lists, uint32_t block)
{
    return lists->row_offsets[block + 1] - lists->row_offsets[block];
}

static uint64_t block_work(const hl_join *join, uint32_t block)
{
    uint64_t left = block_size(&join->left_lists, block);
    if (join->self)
        return left ? left * (left - 1) / 2 : 0;
    return left * block_size(&join->right_lists, block);
}

uint64_t hl_blocks_total(const hl_join *join)
{
    uint64_t total = 0;
    for (uint32_t block = 0; join->blocks && !(join->left.count == 0 || join->right.count == 0) &&
                             block < join->blocks->count; block++)
        total += block_work(join, block);
    return total;
}

/* Go to the first block from `block` on that has anything to compare. */
static void enter(hl_join *join, uint32_t block)
{
    while (block < join->blocks->count && block_work(join, block) == 0)
        block++;
    join->done = block == join->blocks->count;
    if (join->done)
        return;
    join->block = block;
    join->left_list = join->left_lists.rows + join->left_lists.row_offsets[block];
    join->left_count = (uint32_t)block_size(&join->left_lists, block);
    join->right_list = join->right_lists.rows + join->right_lists.row_offsets[block];
    join->right_count = (uint32_t)block_size(&join->right_lists, block);
    join->left_block = join->right_block = 0;
    join->loaded = UINT32_MAX;
}

void hl_blocks_begin(hl_join *join)
{
    join->left_lists = join->blocks->left;
    join->right_lists = join->self ? join->blocks->left : join->blocks->right;
    enter(join, 0);
}

void hl_blocks_advance(hl_join *join) { enter(join, join->block + 1); }

void hl_blocks_gather(hl_join *join)
{
    for (uint32_t r = 0; r < join->block_count; r++) {
        uint32_t row = join->right_list[join->right_block + r];
        memcpy(join->gathered_rows + (size_t)r * join->width_bytes,
               join->right.bytes + (size_t)row * join->width_bytes, join->width_bytes);
        join->gathered_popcounts[r] = join->right.popcounts[row];
    }
    join->block_rows = join->gathered_rows;
    join->block_popcounts = join->gathered_popcounts;
}

bool hl_blocks_first(const hl_join *join, uint32_t left, uint32_t right)
{
    const uint64_t *left_at = join->left_lists.block_offsets, *right_at = join->right_lists.block_offsets;
    const uint32_t *l = join->left_lists.blocks + left_at[left];
    const uint32_t *l_end = join->left_lists.blocks + left_at[left + 1];
    const uint32_t *r = join->right_lists.blocks + right_at[right];
    const uint32_t *r_end = join->right_lists.blocks + right_at[right + 1];
    while (l < l_end && r < r_end && *l != *r) {
        if (*l < *r)
            l++;
        else
            r++;
    }
    return l < l_end && *l == join->block;
}

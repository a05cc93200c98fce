/* What the kernel's files share. Read join.c first: it walks the blocks; a path's `scan` compares. */
#ifndef HUSHLINK_PRIVATE_H
#define HUSHLINK_PRIVATE_H

#include <stdbool.h>
#include <string.h>

#include "hushlink.h"
#include "score.h"

#if defined(__x86_64__)
#define HL_X86 1
#define HL_TARGET_POPCNT __attribute__((target("popcnt")))
#define HL_TARGET_AVX2 __attribute__((target("avx2,popcnt,bmi")))
#ifndef HL_TARGET_AVX512 /* the tests emulate it */
#define HL_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vpopcntdq,avx2,popcnt,bmi")))
#endif
#elif defined(__aarch64__)
#define HL_ARM64 1
#endif

#define HL_STRIPE 4u /* left rows that one scan compares with a right block */

/* What one left row found in the right block. What lies beyond `count` may be overwritten at will. */
typedef struct hl_hits {
    uint16_t *rows;   /* right rows of the block that reached the threshold, ascending */
    uint16_t *common; /* their intersections with the left row */
    uint16_t *sums;   /* their popcounts and the left row's, added up */
    uint32_t count;
} hl_hits;

#define HL_HITS_ROOM (HL_RIGHT_BLOCK + 32u) /* a vector may be stored behind the last hit */

#define HL_RANGE_ROWS 64u

/* What is known of 64 rows of a right block together: nothing but their popcounts may rule them all out. */
typedef struct hl_range {
    uint32_t least; /* popcounts */
    uint32_t most;
    int32_t limit;  /* the largest right part of a limit */
} hl_range;

/* How a path abandons pairs early. Columns are the nibbles (4 bits) of a row, or of its sketch:
 * the row folded by XOR to `fold_words` words, whose distances never exceed the rows' own. */
typedef struct hl_plan {
    uint32_t fold_words;  /* 0: the row itself */
    uint32_t columns;     /* nibbles compared, at most */
    uint32_t first_check; /* columns after which pairs are abandoned for the first time */
    uint32_t check_every; /* and from then on */
} hl_plan;

struct hl_path_functions;

typedef struct hl_join {
    hl_rows left;
    hl_rows right; /* the left rows again in a self-join */
    bool self;
    uint32_t width_bytes;
    int32_t metric;
    double threshold;
    const uint32_t *smallest_common; /* NULL for a metric that is no function of the sum */

    /* An upper bound of the distance at which a pair still matches, split so that it is added up per
     * pair: left_limits[a] + right_limits[b], for popcounts a and b that occur; see threshold.c. */
    int32_t *left_limits;
    int32_t *right_limits;
    hl_plan plan;
    const struct hl_path_functions *path;
    const struct hl_path_functions *path_now; /* path, or its twin for blocks too small to transpose */

    /* Blocks, or NULL; the lists are those of the block at hand or the orders of the rows, NULL where all rows
     * are meant as they come. */
    const hl_blocks *blocks;
    hl_block_lists left_lists;
    hl_block_lists right_lists;
    const uint32_t *left_list;
    const uint32_t *right_list;
    uint32_t left_count;
    uint32_t right_count;

    /* The cursor: the next comparison to make. Rows are positions in the lists, where there are lists. */
    uint32_t block;
    uint32_t left_block;  /* first row of the left block */
    uint32_t right_block; /* first row of the right block */
    uint32_t left_row;
    uint32_t right_skip;  /* right rows of the block already done for left_row */
    uint32_t query;       /* of the stripe, the one whose hits are written next; `queries`: all are */
    bool done;

    /* The right block that `load` has prepared, or UINT32_MAX. */
    uint32_t loaded;
    const uint8_t *block_rows;
    const uint32_t *block_popcounts;
    uint32_t block_count;
    uint8_t *gathered_rows;        /* room for a right block whose rows are scattered */
    uint32_t *gathered_popcounts;

    /* The stripe: queries of the left, and what the scan found. */
    uint32_t queries;
    const uint8_t *query_rows[HL_STRIPE];
    uint32_t query_popcounts[HL_STRIPE];
    hl_range query_range;
    hl_hits hits[HL_STRIPE]; /* HL_HITS_ROOM each */

    /* Scratch of the path. */
    int32_t block_limit_max;
    hl_range block_ranges[HL_RIGHT_BLOCK / HL_RANGE_ROWS];
    int16_t *block_limits;        /* right part of the limit, per row of the block */
    uint8_t *block_byte_starts;   /* 254 - that, clamped to a byte */
    uint8_t *block_columns;       /* the block transposed: room for a byte per nibble and row */
    uint8_t *query_columns;       /* the queries, prepared: room for 16 bytes per nibble and query */
} hl_join;

typedef struct hl_path_functions {
    void (*popcounts)(const uint8_t *rows, uint64_t count, uint32_t width_bytes, uint32_t *out);
    void (*choose)(hl_join *join, bool prune); /* fills join->plan once */
    void (*load)(hl_join *join);               /* prepares join->block_* */
    void (*scan)(hl_join *join);               /* adds to hits exactly the pairs at the threshold */
    const struct hl_path_functions *small;     /* takes over for few rows; NULL: never */
    uint32_t small_rows;                       /* right rows below which it does */
    void (*scores)(const hl_join *join, uint32_t query, uint32_t from, uint32_t count, double *out); /* of hits */
} hl_path_functions;

const hl_path_functions *hl_path_of(int path); /* NULL when unavailable */

extern const hl_path_functions hl_portable;
#if defined(HL_X86)
extern const hl_path_functions hl_popcnt;
extern const hl_path_functions hl_avx2;
extern const hl_path_functions hl_avx512;
#elif defined(HL_ARM64)
extern const hl_path_functions hl_neon;
#endif

/* blocks.c */
bool hl_blocks_valid(const hl_join_settings *settings);
uint64_t hl_blocks_total(const hl_join *join);
void hl_blocks_begin(hl_join *join);                                   /* the first block with work */
void hl_blocks_advance(hl_join *join);                                 /* the next one, or done */
void hl_blocks_gather(hl_join *join);                                  /* the right block's rows */
bool hl_blocks_first(const hl_join *join, uint32_t left, uint32_t right); /* in no earlier block? */

/* threshold.c: fills left_limits and right_limits. */
void hl_limits_fill(hl_join *join);

/* Does a pair with these popcounts and this intersection reach the threshold? The one test. */
static inline bool hl_accepts(const hl_join *join, uint32_t a, uint32_t b, uint32_t common)
{
    if (join->smallest_common)
        return common >= join->smallest_common[a + b];
    return hl_score(join->metric, 8 * join->width_bytes, a, b, common) >= join->threshold;
}

/* Written always, counted if it is one: a branch here would be guessed wrong where half of all pairs match. */
static inline void hl_hit_add_if(hl_hits *hits, bool is_hit, uint32_t row, uint32_t sum, uint32_t common)
{
    hits->rows[hits->count] = (uint16_t)row;
    hits->common[hits->count] = (uint16_t)common;
    hits->sums[hits->count] = (uint16_t)sum;
    hits->count += is_hit;
}

/* Word `index` of a row, the last one padded with zeros. */
static inline uint64_t hl_word(const uint8_t *row, uint32_t width_bytes, uint32_t index)
{
    uint64_t word = 0;
    uint32_t at = index * 8;
    if (width_bytes - at >= 8)
        memcpy(&word, row + at, 8);
    else
        memcpy(&word, row + at, width_bytes - at);
    return word;
}

/* Scores of hits of one query. One loop per metric without a branch, so that compilers divide in vectors. The
 * quotients are those of hl_score: a hit has no empty row, except by Hamming similarity. */
static inline __attribute__((always_inline)) void hl_scores(
    const hl_join *join, uint32_t query, uint32_t from, uint32_t count, double *restrict out)
{
    const uint16_t *restrict common = join->hits[query].common + from, *restrict sums = join->hits[query].sums + from;
    uint32_t a = join->query_popcounts[query], width_bits = 8 * join->width_bytes;
    switch (join->metric) {
    case HL_DICE:
        for (uint32_t i = 0; i < count; i++)
            out[i] = (double)(2 * (int32_t)common[i]) / (double)(int32_t)sums[i];
        break;
    case HL_JACCARD:
        for (uint32_t i = 0; i < count; i++)
            out[i] = (double)(int32_t)common[i] / (double)((int32_t)sums[i] - (int32_t)common[i]);
        break;
    default:
        for (uint32_t i = 0; i < count; i++)
            out[i] = hl_score(join->metric, width_bits, a, sums[i] - a, common[i]);
    }
}

/* Set bits without an instruction for it. */
static inline uint32_t hl_popcount_portable(uint64_t x)
{
    x -= (x >> 1) & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    return (uint32_t)((x * 0x0101010101010101u) >> 56);
}

#endif

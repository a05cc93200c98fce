/* A sparse symmetric table of counts between named groups, which can rename one group to another. */
#ifndef HUSHLINK_COUNTS_H
#define HUSHLINK_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "room.h"

/* A count between two groups. It hangs in two lists, one per group; side 0 is the smaller name. */
typedef struct hl_count {
    uint32_t groups[2];
    uint32_t next[2]; /* per side: the next entry of that group's list, or none; free: next[0] */
    uint32_t prev[2]; /* per side: the entry before, or none at the head */
    uint64_t seen;
} hl_count;

/* All zero is an empty table without memory; `place` may be set before first use. */
typedef struct hl_counts {
    hl_place place;
    hl_room entry_room;
    hl_room slot_room;
    hl_room head_room;
    hl_count *entries;
    uint32_t *slots; /* open addressing by both names: entry + 1, or 0 */
    uint32_t *heads; /* per name: the first entry of its list + 1, or 0 */
    uint32_t names;
    uint32_t room;   /* entries; twice as many slots */
    uint32_t used;   /* entries ever used */
    uint32_t free;   /* list of entries given back, + 1 */
} hl_counts;

/* Ask for the memory that the count of two groups will need. */
void hl_counts_prefetch(const hl_counts *counts, uint32_t g, uint32_t h);

uint64_t hl_counts_get(const hl_counts *counts, uint32_t g, uint32_t h);

/* g != h, both below `names`, which is the same in every call. False: no memory or space, nothing changed. */
bool hl_counts_set(hl_counts *counts, uint32_t names, uint32_t g, uint32_t h, uint64_t seen);

/* What was counted with `from` is counted with `into`; the count between the two is dropped. */
void hl_counts_rename(hl_counts *counts, uint32_t from, uint32_t into);

/* Bytes held, in memory or in the file. */
uint64_t hl_counts_size(const hl_counts *counts);

void hl_counts_free(hl_counts *counts);

#endif

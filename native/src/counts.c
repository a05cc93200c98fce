/* Counts between groups: one open-addressed table of entries, each also in the lists of its two groups,
 * so that merging two groups touches only the counts of the one that vanishes. */
#include "counts.h"

#include <string.h>

#define NONE UINT32_MAX
#define ROOM_FIRST 1024u

static inline uint32_t slot_of(const hl_counts *counts, uint32_t low, uint32_t high)
{
    uint64_t key = ((uint64_t)low << 32 | high) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(key >> 32 ^ key >> 17) & (2 * counts->room - 1);
}

static inline uint32_t following(const hl_counts *counts, uint32_t slot)
{
    return (slot + 1) & (2 * counts->room - 1);
}

/* The slot that holds the pair, or the empty one where it would be. low < high. */
static uint32_t find_slot(const hl_counts *counts, uint32_t low, uint32_t high)
{
    uint32_t slot = slot_of(counts, low, high);
    for (; counts->slots[slot]; slot = following(counts, slot)) {
        const hl_count *entry = &counts->entries[counts->slots[slot] - 1];
        if (entry->groups[0] == low && entry->groups[1] == high)
            break;
    }
    return slot;
}

/* Empty a slot and move up what had to step over it. */
static void clear_slot(hl_counts *counts, uint32_t slot)
{
    uint32_t mask = 2 * counts->room - 1, hole = slot;
    for (uint32_t at = following(counts, slot); counts->slots[at]; at = following(counts, at)) {
        const hl_count *entry = &counts->entries[counts->slots[at] - 1];
        uint32_t home = slot_of(counts, entry->groups[0], entry->groups[1]);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            counts->slots[hole] = counts->slots[at];
            hole = at;
        }
    }
    counts->slots[hole] = 0;
}

static uint32_t side_of(const hl_count *entry, uint32_t group) { return entry->groups[0] == group ? 0 : 1; }

static void link_side(hl_counts *counts, uint32_t index, uint32_t side)
{
    hl_count *entry = &counts->entries[index];
    uint32_t group = entry->groups[side], head = counts->heads[group] - 1;
    entry->prev[side] = NONE;
    entry->next[side] = head;
    if (head != NONE)
        counts->entries[head].prev[side_of(&counts->entries[head], group)] = index;
    counts->heads[group] = index + 1;
}

static void unlink_side(hl_counts *counts, uint32_t index, uint32_t side)
{
    hl_count *entry = &counts->entries[index];
    uint32_t group = entry->groups[side], prev = entry->prev[side], next = entry->next[side];
    if (next != NONE)
        counts->entries[next].prev[side_of(&counts->entries[next], group)] = prev;
    if (prev != NONE)
        counts->entries[prev].next[side_of(&counts->entries[prev], group)] = next;
    else
        counts->heads[group] = next + 1;
}

/* Twice the entries, and slots for them. */
static bool grow(hl_counts *counts)
{
    uint32_t room = counts->room ? 2 * counts->room : ROOM_FIRST;
    if (counts->room >= 1u << 30 ||
        !hl_room_grow(&counts->entry_room, &counts->place, room * sizeof *counts->entries))
        return false;
    counts->entries = counts->entry_room.at;
    if (!hl_room_grow(&counts->slot_room, &counts->place, 2 * (size_t)room * sizeof *counts->slots))
        return false;
    counts->slots = counts->slot_room.at;
    counts->room = room;
    memset(counts->slots, 0, 2 * (size_t)room * sizeof *counts->slots);
    for (uint32_t e = 0; e < counts->used; e++)
        counts->slots[find_slot(counts, counts->entries[e].groups[0], counts->entries[e].groups[1])] = e + 1;
    return true;
}

static bool prepare(hl_counts *counts, uint32_t names)
{
    if (!counts->heads) {
        if (!hl_room_grow(&counts->head_room, &counts->place, ((size_t)names + 1) * sizeof *counts->heads))
            return false;
        counts->heads = counts->head_room.at;
        counts->names = names;
    }
    return counts->free || counts->used < counts->room || grow(counts);
}

void hl_counts_prefetch(const hl_counts *counts, uint32_t g, uint32_t h)
{
    if (!counts->room)
        return;
    __builtin_prefetch(&counts->slots[slot_of(counts, g < h ? g : h, g < h ? h : g)]);
    __builtin_prefetch(&counts->heads[g]);
    __builtin_prefetch(&counts->heads[h]);
}

uint64_t hl_counts_get(const hl_counts *counts, uint32_t g, uint32_t h)
{
    if (!counts->room)
        return 0;
    uint32_t entry = counts->slots[find_slot(counts, g < h ? g : h, g < h ? h : g)];
    return entry ? counts->entries[entry - 1].seen : 0;
}

bool hl_counts_set(hl_counts *counts, uint32_t names, uint32_t g, uint32_t h, uint64_t seen)
{
    uint32_t low = g < h ? g : h, high = g < h ? h : g;
    if (!prepare(counts, names))
        return false;
    uint32_t slot = find_slot(counts, low, high);
    if (counts->slots[slot]) {
        counts->entries[counts->slots[slot] - 1].seen = seen;
        return true;
    }
    uint32_t index = counts->free ? counts->free - 1 : counts->used++;
    hl_count *entry = &counts->entries[index];
    if (counts->free)
        counts->free = entry->next[0];
    *entry = (hl_count){.groups = {low, high}, .seen = seen};
    counts->slots[slot] = index + 1;
    link_side(counts, index, 0);
    link_side(counts, index, 1);
    return true;
}

static void drop(hl_counts *counts, uint32_t index)
{
    hl_count *entry = &counts->entries[index];
    clear_slot(counts, find_slot(counts, entry->groups[0], entry->groups[1]));
    unlink_side(counts, index, 0);
    unlink_side(counts, index, 1);
    entry->next[0] = counts->free;
    counts->free = index + 1;
}

void hl_counts_rename(hl_counts *counts, uint32_t from, uint32_t into)
{
    if (!counts->heads)
        return;
    while (counts->heads[from]) {
        uint32_t index = counts->heads[from] - 1;
        hl_count entry = counts->entries[index];
        uint32_t other = entry.groups[1 - side_of(&entry, from)];
        drop(counts, index);
        /* The dropped entry makes room for this one: it cannot fail. */
        if (other != into)
            hl_counts_set(counts, counts->names, into, other, hl_counts_get(counts, into, other) + entry.seen);
    }
}

uint64_t hl_counts_size(const hl_counts *counts)
{
    return counts->entry_room.size + counts->slot_room.size + counts->head_room.size;
}

void hl_counts_free(hl_counts *counts)
{
    hl_room_free(&counts->entry_room, &counts->place);
    hl_room_free(&counts->slot_room, &counts->place);
    hl_room_free(&counts->head_room, &counts->place);
    *counts = (hl_counts){0};
}

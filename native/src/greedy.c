/* The greedy solver: walks candidate pairs, best first, and lets groups grow as the pairs seen between
 * them allow. Records are numbered across the datasets; a group is named by one of its records. */
#include <stdlib.h>

#include "counts.h"
#include "hushlink_private.h"

#define NONE UINT32_MAX
#define AHEAD 12u /* pairs between asking for memory and using it */

/* A record, and the group that is named by it: together, because most looks at one go on to the other. */
typedef struct hl_node {
    uint32_t group;    /* the name of its group, or NONE */
    uint32_t next;     /* the next member of its group, a ring */
    uint32_t size;     /* members of the group of this name */
    uint32_t datasets; /* bit d % 32 is set for every dataset d of its members */
} hl_node;

struct hl_greedy {
    uint32_t dataset_count;
    uint32_t records;
    double merge_threshold;
    bool deduplicated;
    bool within_datasets;
    bool strangers_only; /* groups that share a dataset can never merge: their counts are not kept */
    uint32_t *firsts;    /* first record of each dataset; dataset_count + 1 */
    hl_node *nodes;      /* per record */
    uint32_t *marks;     /* per dataset: the last question that touched it */
    uint32_t question;
    bool walking;        /* pairs were fed: too late for known links */
    hl_counts counts;    /* pairs seen between two groups */
};

/* ---- building ------------------------------------------------------------------------------ */

static bool settings_valid(const hl_greedy_settings *settings)
{
    uint64_t records = 0;
    if (!settings || !settings->dataset_sizes || !settings->dataset_count ||
        settings->dataset_count > UINT16_MAX ||
        settings->spill_file < 0 || !(settings->merge_threshold >= 0.0 && settings->merge_threshold <= 1.0))
        return false;
    for (uint32_t d = 0; d < settings->dataset_count; d++)
        records += settings->dataset_sizes[d];
    return records < NONE;
}

static bool allocate(hl_greedy *solver)
{
    size_t records = (size_t)solver->records + 1;
    solver->firsts = malloc(((size_t)solver->dataset_count + 1) * sizeof *solver->firsts);
    solver->marks = calloc(solver->dataset_count, sizeof *solver->marks);
    solver->nodes = malloc(records * sizeof *solver->nodes);
    if (!solver->firsts || !solver->marks || !solver->nodes)
        return false;
    memset(solver->nodes, 0xFF, records * sizeof *solver->nodes);
    return true;
}

int hl_greedy_new(const hl_greedy_settings *settings, hl_greedy **out)
{
    if (!out || !settings_valid(settings))
        return HL_BAD_ARGUMENT;
    if (settings->spill_file && !hl_place_supported())
        return HL_UNSUPPORTED;
    hl_greedy *solver = calloc(1, sizeof *solver);
    if (!solver)
        return HL_NO_MEMORY;
    solver->dataset_count = settings->dataset_count;
    solver->merge_threshold = settings->merge_threshold;
    solver->deduplicated = settings->deduplicated != 0;
    solver->within_datasets = settings->within_datasets != 0;
    solver->strangers_only = solver->deduplicated ||
                             (solver->merge_threshold == 1.0 && !solver->within_datasets);
    solver->counts.place.file = settings->spill_file;
    for (uint32_t d = 0; d < settings->dataset_count; d++)
        solver->records += settings->dataset_sizes[d];
    if (!allocate(solver)) {
        hl_greedy_free(solver);
        return HL_NO_MEMORY;
    }
    solver->firsts[0] = 0;
    for (uint32_t d = 0; d < settings->dataset_count; d++)
        solver->firsts[d + 1] = solver->firsts[d] + settings->dataset_sizes[d];
    *out = solver;
    return HL_OK;
}

void hl_greedy_free(hl_greedy *solver)
{
    if (!solver)
        return;
    hl_counts_free(&solver->counts);
    free(solver->firsts);
    free(solver->marks);
    free(solver->nodes);
    free(solver);
}

uint64_t hl_greedy_memory(const hl_greedy *solver)
{
    return sizeof *solver + 8 * ((uint64_t)solver->dataset_count + 1) + sizeof *solver->nodes * ((uint64_t)solver->records + 1) +
           (solver->counts.place.file ? 0 : hl_counts_size(&solver->counts));
}

uint64_t hl_greedy_spilled(const hl_greedy *solver)
{
    return solver->counts.place.file ? hl_counts_size(&solver->counts) : 0;
}

/* ---- groups -------------------------------------------------------------------------------- */

static uint16_t dataset_of(const hl_greedy *solver, uint32_t record)
{
    uint32_t low = 0, high = solver->dataset_count - 1;
    while (low < high) {
        uint32_t middle = (low + high + 1) / 2;
        if (solver->firsts[middle] <= record)
            low = middle;
        else
            high = middle - 1;
    }
    return (uint16_t)low;
}

/* Make a record, which has no group, a group of its own. */
static void found_group(hl_greedy *solver, uint32_t record)
{
    solver->nodes[record] = (hl_node){record, record, 1, 1u << dataset_of(solver, record) % 32};
}

/* Do two groups hold records of the same dataset? */
static bool share_dataset(hl_greedy *solver, uint32_t g, uint32_t h)
{
    uint32_t member = g;
    if (!(solver->nodes[g].datasets & solver->nodes[h].datasets))
        return false;
    if (solver->dataset_count <= 32)
        return true;
    if (++solver->question == 0) {
        memset(solver->marks, 0, solver->dataset_count * sizeof *solver->marks);
        solver->question = 1;
    }
    do {
        solver->marks[dataset_of(solver, member)] = solver->question;
        member = solver->nodes[member].next;
    } while (member != g);
    member = h;
    do {
        if (solver->marks[dataset_of(solver, member)] == solver->question)
            return true;
        member = solver->nodes[member].next;
    } while (member != h);
    return false;
}

/* The members of `from` move to `into`, and the counts with third groups add up. */
static void merge_groups(hl_greedy *solver, uint32_t g, uint32_t h)
{
    uint32_t into = solver->nodes[g].size >= solver->nodes[h].size ? g : h, from = into == g ? h : g;
    uint32_t member = from, swap;
    do {
        solver->nodes[member].group = into;
        member = solver->nodes[member].next;
    } while (member != from);
    swap = solver->nodes[into].next;
    solver->nodes[into].next = solver->nodes[from].next;
    solver->nodes[from].next = swap;
    solver->nodes[into].size += solver->nodes[from].size;
    solver->nodes[into].datasets |= solver->nodes[from].datasets;
    hl_counts_rename(&solver->counts, from, into);
}

/* ---- walking ------------------------------------------------------------------------------- */

/* Step 4 of the walk, and step 3 with the lone record as a group of one: two groups, one more pair. */
static int meet(hl_greedy *solver, uint32_t g, uint32_t h)
{
    if (solver->strangers_only && share_dataset(solver, g, h))
        return HL_OK;
    uint64_t seen = hl_counts_get(&solver->counts, g, h) + 1;
    double needed = (solver->merge_threshold * (double)solver->nodes[g].size) * (double)solver->nodes[h].size;
    if ((double)seen >= needed) {
        merge_groups(solver, g, h);
        return HL_OK;
    }
    return hl_counts_set(&solver->counts, solver->records, g, h, seen) ? HL_OK : HL_NO_MEMORY;
}

static int walk_pair(hl_greedy *solver, uint32_t x, uint32_t y)
{
    uint32_t g = solver->nodes[x].group, h = solver->nodes[y].group;
    if (x == y || (g != NONE && g == h))
        return HL_OK;
    if (g == NONE && h == NONE && solver->deduplicated && dataset_of(solver, x) == dataset_of(solver, y))
        return HL_OK;
    if (g == NONE)
        found_group(solver, g = x);
    if (h == NONE)
        found_group(solver, h = y);
    return meet(solver, g, h);
}

/* Records of one pair of the batch; false when it lies outside the datasets. */
static bool records_of(const hl_greedy *solver, const hl_greedy_batch *batch, uint64_t at,
                       uint32_t *x, uint32_t *y)
{
    uint32_t a = batch->datasets_a ? batch->datasets_a[at] : batch->dataset_a;
    uint32_t b = batch->datasets_b ? batch->datasets_b[at] : batch->dataset_b;
    if (a >= solver->dataset_count || b >= solver->dataset_count || (a == b && !solver->within_datasets))
        return false;
    if (batch->rows_a[at] >= solver->firsts[a + 1] - solver->firsts[a] ||
        batch->rows_b[at] >= solver->firsts[b + 1] - solver->firsts[b])
        return false;
    *x = solver->firsts[a] + batch->rows_a[at];
    *y = solver->firsts[b] + batch->rows_b[at];
    return true;
}

/* A batch whose pairs all exist; else *bad says which does not. */
static bool batch_valid(const hl_greedy *solver, const hl_greedy_batch *batch, uint64_t *bad)
{
    uint32_t x, y;
    for (uint64_t i = 0; i < batch->count; i++) {
        if (!records_of(solver, batch, i, &x, &y)) {
            *bad = i;
            return false;
        }
    }
    return true;
}

static bool arguments_valid(const hl_greedy *solver, const hl_greedy_batch *batch, const uint64_t *bad)
{
    return solver && batch && bad && (!batch->count || (batch->rows_a && batch->rows_b));
}

/* Records are scattered: ask for those of later pairs, and for the names of their groups, before they are needed. */
static inline void look_ahead(const hl_greedy *solver, const hl_greedy_batch *batch, uint64_t at)
{
    uint32_t x, y;
    if (at + 2 * AHEAD < batch->count && records_of(solver, batch, at + 2 * AHEAD, &x, &y)) {
        __builtin_prefetch(&solver->nodes[x]);
        __builtin_prefetch(&solver->nodes[y]);
    }
    if (at + AHEAD < batch->count && records_of(solver, batch, at + AHEAD, &x, &y)) {
        uint32_t g = solver->nodes[x].group, h = solver->nodes[y].group;
        __builtin_prefetch(&solver->nodes[g == NONE ? x : g]);
        __builtin_prefetch(&solver->nodes[h == NONE ? y : h]);
        hl_counts_prefetch(&solver->counts, g == NONE ? x : g, h == NONE ? y : h);
    }
}

int hl_greedy_feed(hl_greedy *solver, const hl_greedy_batch *batch, uint64_t *bad)
{
    uint32_t x, y;
    if (!arguments_valid(solver, batch, bad) || !batch_valid(solver, batch, bad))
        return HL_BAD_ARGUMENT;
    solver->walking |= batch->count > 0;
    for (uint64_t i = 0; i < batch->count; i++) {
        look_ahead(solver, batch, i);
        if (!records_of(solver, batch, i, &x, &y) || walk_pair(solver, x, y) != HL_OK)
            return HL_NO_MEMORY;
    }
    return HL_OK;
}

/* ---- known links --------------------------------------------------------------------------- */

static bool link_pair(hl_greedy *solver, uint32_t x, uint32_t y)
{
    if (solver->nodes[x].group == NONE)
        found_group(solver, x);
    if (solver->nodes[y].group == NONE)
        found_group(solver, y);
    uint32_t g = solver->nodes[x].group, h = solver->nodes[y].group;
    if (g == h)
        return true;
    if (solver->deduplicated && share_dataset(solver, g, h))
        return false;
    merge_groups(solver, g, h);
    return true;
}

int hl_greedy_link(hl_greedy *solver, const hl_greedy_batch *batch, uint64_t *bad)
{
    uint32_t x, y;
    if (!arguments_valid(solver, batch, bad) || !batch_valid(solver, batch, bad))
        return HL_BAD_ARGUMENT;
    if (solver->walking)
        return HL_UNSUPPORTED;
    for (uint64_t i = 0; i < batch->count; i++) {
        if (!records_of(solver, batch, i, &x, &y) || !link_pair(solver, x, y)) {
            *bad = i;
            return HL_CONTRADICTION;
        }
    }
    return HL_OK;
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool counted(const hl_greedy *solver, uint32_t record)
{
    return solver->nodes[record].group != NONE && solver->nodes[solver->nodes[record].group].size >= 2;
}

void hl_greedy_measure(const hl_greedy *solver, uint64_t *groups, uint64_t *members)
{
    *groups = *members = 0;
    for (uint32_t r = 0; r < solver->records; r++) {
        *members += counted(solver, r);
        *groups += counted(solver, r) && solver->nodes[r].group == r;
    }
}

/* Two walks over the records in ascending order: the first gives every group its place at its first
 * member, the second drops the members into it, which leaves them ascending. */
int hl_greedy_groups(hl_greedy *solver, uint64_t *offsets, uint16_t *datasets, uint32_t *rows)
{
    uint64_t groups = 0, at = 0;
    uint64_t *places = calloc((size_t)solver->records + 1, sizeof *places);
    if (!places)
        return HL_NO_MEMORY;
    for (uint32_t r = 0; r < solver->records; r++) {
        uint32_t group = solver->nodes[r].group;
        if (!counted(solver, r) || places[group])
            continue;
        offsets[groups++] = at;
        places[group] = at + 1;
        at += solver->nodes[group].size;
    }
    offsets[groups] = at;
    for (uint32_t d = 0; d < solver->dataset_count; d++) {
        for (uint32_t r = solver->firsts[d]; r < solver->firsts[d + 1]; r++) {
            if (!counted(solver, r))
                continue;
            uint64_t place = places[solver->nodes[r].group]++ - 1;
            datasets[place] = (uint16_t)d;
            rows[place] = r - solver->firsts[d];
        }
    }
    free(places);
    return HL_OK;
}

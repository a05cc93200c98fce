/* What tokens became: the filter of a token that sets so many bits, kept in bounded memory.
 *
 * Entries are taken one after the other from arrays; an index, at most half full, finds them. It grows with the entries,
 * so that few tokens stay close together. A token is looked for in a few neighbouring slots only, so that no choice of
 * tokens makes it slow: where all are taken, one gives way. When the arrays are used up, everything is forgotten. */
#ifndef HUSHLINK_MASK_CACHE_H
#define HUSHLINK_MASK_CACHE_H

#include <stdbool.h>

#include "token.h"

#define HL_CACHED_TOKEN 64u /* bytes of the longest token that is remembered */

/* What tells a token from others: itself, up to 8 bytes, or a hash of it; its size and the bits that it sets. */
typedef struct hl_mask_name {
    uint64_t word;
    uint32_t kind;
    uint32_t entry; /* from 1; 0 in an empty slot */
} hl_mask_name;

typedef struct hl_mask_cache {
    uint8_t *masks;
    uint8_t *tokens;     /* those longer than 8 bytes */
    hl_mask_name *names; /* of the entries */
    hl_mask_name *slots; /* the same, where the hash puts them */
    uint64_t seed;       /* known to nobody: which tokens meet cannot be arranged */
    uint32_t slot_mask;  /* number of slots now - 1 */
    uint32_t most_slots;
    uint32_t capacity; /* entries; 0: nothing is remembered */
    uint32_t used;
    uint32_t most_used; /* ever: what lies behind was never written */
    uint32_t mask_bytes; /* of one filter, in whole words */
} hl_mask_cache;

size_t hl_mask_cache_size(uint32_t capacity, uint32_t filter_bytes);

/* `memory` is aligned to 64 bytes. */
void hl_mask_cache_begin(hl_mask_cache *cache, void *memory, uint32_t capacity, uint32_t filter_bytes, uint64_t seed);

/* The filter of a token of at most HL_CACHED_TOKEN bytes. `*fresh`: it is new, all zero, and to be filled at once. */
uint8_t *hl_mask_cache_at(hl_mask_cache *cache, hl_token token, uint32_t insertions, bool *fresh);

/* Erase everything that was ever remembered. */
void hl_mask_cache_end(hl_mask_cache *cache);

#endif

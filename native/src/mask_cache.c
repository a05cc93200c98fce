/* What tokens became: see mask_cache.h for the idea. Every entry has a name; slots hold copies of names. */
#include "mask_cache.h"

#include <string.h>

#include "bytes.h"
#include "erase.h"

#define WINDOW 8u       /* slots that are looked at */
#define FEWEST_SLOTS 64u

static uint32_t whole_words(uint32_t bytes) { return (bytes + 7) & ~7u; }

static uint32_t slots_for(uint32_t entries)
{
    uint32_t count = FEWEST_SLOTS;
    while (count < 2 * entries)
        count *= 2;
    return count;
}

/* What an entry takes beside its slots. */
static size_t entry_size(uint32_t mask_bytes) { return mask_bytes + HL_CACHED_TOKEN + sizeof(hl_mask_name); }

size_t hl_mask_cache_size(uint32_t capacity, uint32_t filter_bytes)
{
    size_t slots = slots_for(capacity) * sizeof(hl_mask_name);
    return capacity ? slots + capacity * entry_size(whole_words(filter_bytes)) : 0;
}

static void clear_slots(hl_mask_cache *cache, uint32_t count)
{
    hl_erase(cache->slots, count * sizeof(hl_mask_name));
    cache->slot_mask = count - 1;
}

void hl_mask_cache_begin(hl_mask_cache *cache, void *memory, uint32_t capacity, uint32_t filter_bytes, uint64_t seed)
{
    *cache = (hl_mask_cache){.seed = seed, .capacity = capacity, .mask_bytes = whole_words(filter_bytes)};
    if (!capacity)
        return;
    cache->most_slots = slots_for(capacity);
    cache->slots = memory;
    cache->names = cache->slots + cache->most_slots;
    cache->tokens = (uint8_t *)(cache->names + capacity);
    cache->masks = cache->tokens + (size_t)capacity * HL_CACHED_TOKEN;
    clear_slots(cache, FEWEST_SLOTS);
}

static uint64_t mixed(uint64_t word)
{
    word *= 0x9E3779B97F4A7C15u;
    return word ^ word >> 32;
}

static uint64_t word_of(const hl_mask_cache *cache, hl_token token)
{
    uint64_t word = hl_load64_little(token.bytes);
    if (token.size <= 8)
        return token.size == 8 ? word : word & (((uint64_t)1 << 8 * token.size) - 1);
    for (uint32_t at = 8; at + 8 <= token.size; at += 8)
        word = mixed(word ^ cache->seed) ^ hl_load64_little(token.bytes + at);
    return mixed(word ^ cache->seed) ^ hl_load64_little(token.bytes + token.size - 8);
}

static uint64_t hash_of(const hl_mask_cache *cache, const hl_mask_name *name)
{
    return mixed(mixed(name->word ^ cache->seed) + name->kind);
}

static uint8_t *token_at(const hl_mask_cache *cache, uint32_t entry)
{
    return cache->tokens + (size_t)(entry - 1) * HL_CACHED_TOKEN;
}

static uint8_t *mask_at(const hl_mask_cache *cache, uint32_t entry)
{
    return cache->masks + (size_t)(entry - 1) * cache->mask_bytes;
}

/* The slot for a name that is in none: the first that is empty, else one that the hash picks. */
static hl_mask_name *slot_for(const hl_mask_cache *cache, uint64_t hash)
{
    for (uint32_t i = 0; i < WINDOW; i++) {
        hl_mask_name *slot = &cache->slots[((uint32_t)hash + i) & cache->slot_mask];
        if (!slot->entry)
            return slot;
    }
    return &cache->slots[((uint32_t)hash + (uint32_t)(hash >> 61)) & cache->slot_mask];
}

/* Put the index in order for one entry more: a larger index, or, when there is no room, none. */
static void make_room(hl_mask_cache *cache)
{
    if (cache->used == cache->capacity) {
        clear_slots(cache, cache->slot_mask + 1);
        cache->used = 0;
    } else if (2 * cache->used > cache->slot_mask && cache->slot_mask + 1 < cache->most_slots) {
        clear_slots(cache, 2 * (cache->slot_mask + 1));
        for (uint32_t i = 0; i < cache->used; i++)
            *slot_for(cache, hash_of(cache, &cache->names[i])) = cache->names[i];
    }
}

/* An entry for a token that has none. One that gives way leaves its entry to the token. */
static uint32_t added(hl_mask_cache *cache, hl_mask_name name, hl_token token)
{
    make_room(cache);
    hl_mask_name *slot = slot_for(cache, hash_of(cache, &name));
    name.entry = slot->entry ? slot->entry : ++cache->used;
    cache->most_used = cache->used > cache->most_used ? cache->used : cache->most_used;
    cache->names[name.entry - 1] = *slot = name;
    memset(mask_at(cache, name.entry), 0, cache->mask_bytes);
    if (token.size > 8)
        memcpy(token_at(cache, name.entry), token.bytes, token.size);
    return name.entry;
}

uint8_t *hl_mask_cache_at(hl_mask_cache *cache, hl_token token, uint32_t insertions, bool *fresh)
{
    hl_mask_name name = {word_of(cache, token), insertions << 8 | token.size, 0};
    uint32_t first = (uint32_t)hash_of(cache, &name);
    *fresh = false;
    for (uint32_t i = 0; i < WINDOW; i++) {
        const hl_mask_name *slot = &cache->slots[(first + i) & cache->slot_mask];
        if (!slot->entry)
            break; /* slots are only ever filled */
        if (slot->word == name.word && slot->kind == name.kind &&
            (token.size <= 8 || memcmp(token_at(cache, slot->entry), token.bytes, token.size) == 0))
            return mask_at(cache, slot->entry);
    }
    *fresh = true;
    return mask_at(cache, added(cache, name, token));
}

void hl_mask_cache_end(hl_mask_cache *cache)
{
    if (cache->capacity) {
        size_t used = cache->most_used;
        hl_erase(cache->slots, cache->most_slots * sizeof(hl_mask_name));
        hl_erase(cache->names, used * sizeof(hl_mask_name));
        hl_erase(cache->tokens, used * HL_CACHED_TOKEN);
        hl_erase(cache->masks, used * cache->mask_bytes);
    }
    hl_erase(cache, sizeof *cache);
}

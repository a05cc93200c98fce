/* One column of records: values become tokens, tokens become bits, bits are ORed into the records' filters.
 *
 * `add_text` is the inner loop. Most tokens were seen before: their filter is found in the cache and ORed in. */
#include <stdbool.h>
#include <string.h>

#include "blake2b.h"
#include "erase.h"
#include "hmac.h"
#include "hushlink.h"
#include "mask_cache.h"
#include "token.h"

#define ALIGNMENT 64u
#define BLAKE_WORDS 32u       /* indices from one digest */
#define KEYED_BLOCKS 16u      /* blocks of indices whose key is begun beforehand */
#define CACHED_FILTER 4096u   /* bytes of the largest filter that is remembered: hashing costs less than a wider one */
#define USUAL_FILTER 128u     /* bytes: 1,024 bits */
#define CACHE_ENTRIES (1u << 20)

typedef struct column {
    hl_cutting cutting;
    uint32_t filter_bits;
    uint32_t filter_bytes;
    uint32_t insertions;
    uint32_t key_bytes;
    bool blake;
    bool per_value;
    bool prevent_singularity;
    uint8_t key[64]; /* blakeHash's, for blocks behind those that are begun */
    hl_blake2b_key begun[KEYED_BLOCKS];
    hl_hmac_key sha1;
    hl_hmac_key md5;
    uint64_t digest[8]; /* of the token at hand */
    uint32_t words[5];
    hl_mask_cache cache;
} column;

static size_t padded(size_t size) { return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1); }

static column *aligned(const void *memory)
{
    return (column *)(((uintptr_t)memory + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static bool settings_fit(const hl_column_settings *s)
{
    bool blake = s->hashing == HL_BLAKE_HASH;
    return (blake || s->hashing == HL_DOUBLE_HASH) && s->codec >= HL_ASCII && s->codec <= HL_UTF32 &&
           s->first_key && (blake || s->second_key) && s->key_bytes >= 1 &&
           s->key_bytes <= (blake ? 64u : HL_KEY_BYTES_MAX) && s->filter_bits >= 1 &&
           s->filter_bits <= HL_FILTER_BITS_MAX && s->insertions >= 1 && s->insertions <= HL_INSERTIONS_MAX &&
           s->ngram <= HL_NGRAM_MAX && (s->ngram || !s->positional) &&
           !(s->prevent_singularity && s->filter_bits == 1);
}

static uint32_t filter_bytes(const hl_column_settings *settings) { return (settings->filter_bits + 7) / 8; }

static uint32_t entries_of(const hl_column_settings *settings)
{
    uint32_t wanted = settings->cache_entries;
    return filter_bytes(settings) > CACHED_FILTER ? 0 : wanted > CACHE_ENTRIES ? CACHE_ENTRIES : wanted;
}

size_t hl_column_size(const hl_column_settings *settings)
{
    if (!settings || !settings_fit(settings))
        return 0;
    return ALIGNMENT + padded(sizeof(column)) + hl_mask_cache_size(entries_of(settings), filter_bytes(settings));
}

/* The salt of a block of indices: its number in decimal digits, zeros behind them. */
static void begin_block(hl_blake2b_key *begun, const uint8_t *key, uint32_t key_bytes, uint32_t number)
{
    uint8_t salt[16] = {0}, digits[10];
    uint32_t count = 0;
    do
        digits[count++] = (uint8_t)('0' + number % 10);
    while (number /= 10);
    for (uint32_t i = 0; i < count; i++)
        salt[i] = digits[count - 1 - i];
    hl_blake2b_begin(begun, key, key_bytes, salt);
}

static void begin_keys(column *c, const hl_column_settings *settings)
{
    if (!c->blake) {
        hl_hmac_begin(&c->sha1, &hl_sha1, settings->first_key, settings->key_bytes);
        hl_hmac_begin(&c->md5, &hl_md5, settings->second_key, settings->key_bytes);
        return;
    }
    memcpy(c->key, settings->first_key, settings->key_bytes);
    for (uint32_t block = 0; block < KEYED_BLOCKS && block * BLAKE_WORDS < c->insertions; block++)
        begin_block(&c->begun[block], c->key, c->key_bytes, block);
}

int hl_column_begin(void *memory, size_t size, const hl_column_settings *settings)
{
    size_t needed = hl_column_size(settings);
    if (!memory || !needed || size < needed)
        return HL_BAD_ARGUMENT;
    column *c = aligned(memory);
    memset(c, 0, sizeof *c);
    c->cutting = (hl_cutting){settings->ngram, settings->codec, settings->positional != 0};
    c->filter_bits = settings->filter_bits;
    c->filter_bytes = filter_bytes(settings);
    c->insertions = settings->insertions;
    c->key_bytes = settings->key_bytes;
    c->blake = settings->hashing == HL_BLAKE_HASH;
    c->per_value = settings->per_value != 0;
    c->prevent_singularity = settings->prevent_singularity != 0;
    begin_keys(c, settings);
    uint64_t seed = c->blake ? c->begun[0].state[1] : (uint64_t)c->sha1.inner[0] << 32 | c->md5.outer[0];
    hl_mask_cache_begin(&c->cache, (uint8_t *)c + padded(sizeof *c), entries_of(settings), c->filter_bytes, seed);
    hl_erase_stack();
    return HL_OK;
}

void hl_column_end(void *memory)
{
    column *c = aligned(memory);
    hl_mask_cache_end(&c->cache);
    hl_erase(c, sizeof *c);
}

void hl_forget(void *memory, size_t size) { hl_erase(memory, size); }

/* ---- from a token to bits ------------------------------------------------------------------- */

static inline void set_bit(uint8_t *filter, uint32_t bit) { filter[bit >> 3] |= (uint8_t)(0x80u >> (bit & 7)); }

static void insert_blake(column *c, hl_token token, uint32_t insertions, uint8_t *filter)
{
    hl_blake2b_key later;
    for (uint32_t block = 0; block * BLAKE_WORDS < insertions; block++) {
        if (block >= KEYED_BLOCKS)
            begin_block(&later, c->key, c->key_bytes, block);
        hl_blake2b_finish(block < KEYED_BLOCKS ? &c->begun[block] : &later, token.bytes, token.size, c->digest);
        uint32_t left = insertions - block * BLAKE_WORDS;
        for (uint32_t i = 0; i < BLAKE_WORDS && i < left; i++)
            set_bit(filter, (uint32_t)(c->digest[i / 4] >> (16 * (i % 4)) & 0xFFFF) % c->filter_bits);
    }
}

/* The digest as a big-endian number, modulo the number of bits. */
static uint32_t remainder_of(const column *c, const hl_hmac_key *key)
{
    uint8_t bytes[20];
    uint64_t rest = 0;
    hl_words_to_bytes(key->hash, c->words, bytes);
    for (uint32_t i = 0; i < key->hash->words; i++) {
        const uint8_t *at = bytes + 4 * i;
        uint32_t word = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        rest = (rest << 32 | word) % c->filter_bits;
    }
    return (uint32_t)rest;
}

static uint32_t hashed(column *c, const hl_hmac_key *key, const uint8_t *message, size_t size)
{
    hl_hmac_finish(key, message, size, c->words);
    return remainder_of(c, key);
}

/* h2 with another character behind the token: of one or two bytes, for more are never needed. */
static uint32_t hashed_again(column *c, hl_token token, uint32_t attempt, uint8_t *spare)
{
    uint32_t size = token.size;
    memcpy(spare, token.bytes, size);
    if (attempt >= 0x80)
        spare[size++] = (uint8_t)(0xC0 | attempt >> 6);
    spare[size++] = (uint8_t)(attempt < 0x80 ? attempt : 0x80 | (attempt & 0x3F));
    return hashed(c, &c->md5, spare, size);
}

static void insert_double(column *c, hl_token token, uint32_t insertions, uint8_t *filter, uint8_t *spare)
{
    uint32_t bit = hashed(c, &c->sha1, token.bytes, token.size);
    uint32_t step = hashed(c, &c->md5, token.bytes, token.size);
    for (uint32_t attempt = 0; c->prevent_singularity && step == 0 && attempt < 0x800; attempt++)
        step = hashed_again(c, token, attempt, spare);
    for (uint32_t i = 0; i < insertions; i++) {
        set_bit(filter, bit);
        bit += step;
        bit -= bit >= c->filter_bits ? c->filter_bits : 0;
    }
}

static void insert(column *c, hl_token token, uint32_t insertions, uint8_t *filter, uint8_t *spare)
{
    if (c->blake)
        insert_blake(c, token, insertions, filter);
    else
        insert_double(c, token, insertions, filter, spare);
}

static inline void unite_bytes(uint8_t *restrict filter, const uint8_t *restrict mask, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        filter[i] |= mask[i];
}

/* A size that is known beforehand makes eight vector instructions of the loop. */
static inline void unite(uint8_t *restrict filter, const uint8_t *restrict mask, uint32_t size)
{
    if (size == USUAL_FILTER)
        unite_bytes(filter, mask, USUAL_FILTER);
    else
        unite_bytes(filter, mask, size);
}

static void add_token(column *c, hl_token token, uint32_t insertions, uint8_t *filter, uint8_t *spare)
{
    bool fresh;
    if (!insertions)
        return;
    if (token.size > HL_CACHED_TOKEN || !c->cache.capacity) {
        insert(c, token, insertions, filter, spare);
        return;
    }
    uint8_t *mask = hl_mask_cache_at(&c->cache, token, insertions, &fresh);
    if (fresh)
        insert(c, token, insertions, mask, spare);
    unite(filter, mask, c->filter_bytes);
}

/* ---- values --------------------------------------------------------------------------------- */

/* How many bits each of the tokens of a value sets, and how many of the first tokens set one more. */
typedef struct share {
    uint32_t each, longer;
} share;

static share share_of(const column *c, uint32_t tokens)
{
    return c->per_value ? (share){c->insertions / tokens, c->insertions % tokens} : (share){c->insertions, 0};
}

static void add_text(column *c, const hl_text *text, share bits, uint32_t first, uint8_t *filter)
{
    for (uint32_t i = 0; i < text->tokens; i++) {
        hl_token token = hl_text_token(&c->cutting, text, i);
        add_token(c, token, bits.each + (first + i < bits.longer), filter, text->spare);
    }
}

/* Do the counts add up, and is there a filter for every value? */
static bool counts_fit(const column *c, const hl_values *values, uint64_t filter_count, size_t scratch_size)
{
    uint64_t points = 0, texts = 0;
    if ((values->text_count && (!values->lengths || (values->point_count && !values->points))) ||
        (values->token_counts && c->cutting.ngram) || (!values->rows && values->value_count > filter_count))
        return false;
    for (uint32_t t = 0; t < values->text_count; t++) {
        uint32_t length = values->lengths[t];
        points += length;
        if (length > HL_VALUE_MAX || hl_text_scratch(&c->cutting, length) > scratch_size ||
            (values->token_counts && !length))
            return false;
    }
    for (uint32_t v = 0; v < values->value_count; v++) {
        texts += values->token_counts ? values->token_counts[v] : 1;
        if (values->rows && values->rows[v] >= filter_count)
            return false;
    }
    return points == values->point_count && texts == values->text_count;
}

size_t hl_column_scratch(const void *memory, uint32_t longest)
{
    return longest > HL_VALUE_MAX ? 0 : hl_text_scratch(&aligned(memory)->cutting, longest);
}

static void add_values(column *c, const hl_values *values, uint8_t *filters, void *scratch)
{
    const uint32_t *points = values->points, *lengths = values->lengths;
    for (uint32_t v = 0; v < values->value_count; v++) {
        uint8_t *filter = filters + (size_t)(values->rows ? values->rows[v] : v) * c->filter_bytes;
        uint32_t texts = values->token_counts ? values->token_counts[v] : 1;
        for (uint32_t t = 0; t < texts; t++) {
            hl_text text = hl_text_read(&c->cutting, points, *lengths, scratch);
            uint32_t tokens = values->token_counts ? texts : text.tokens;
            if (tokens)
                add_text(c, &text, share_of(c, tokens), t, filter);
            points += *lengths++;
        }
    }
}

int hl_column_add(void *memory, const hl_values *values, uint8_t *filters, uint64_t filter_count, void *scratch,
                  size_t scratch_size)
{
    if (!memory || !values || !scratch || (filter_count && !filters))
        return HL_BAD_ARGUMENT;
    column *c = aligned(memory);
    if (!c->filter_bits || !counts_fit(c, values, filter_count, scratch_size) ||
        !hl_points_fit(c->cutting.codec, values->points, values->point_count))
        return HL_BAD_ARGUMENT;
    add_values(c, values, filters, scratch);
    hl_erase_stack();
    return HL_OK;
}

/* ---- the primitives by themselves ------------------------------------------------------------ */

int hl_blake2b(const uint8_t *key, size_t key_size, const uint8_t *salt, const uint8_t *message, size_t size,
               uint8_t *digest)
{
    hl_blake2b_key begun;
    uint64_t words[8];
    if (!key || key_size < 1 || key_size > 64 || !salt || !message || !size || !digest)
        return HL_BAD_ARGUMENT;
    hl_blake2b_begin(&begun, key, key_size, salt);
    hl_blake2b_finish(&begun, message, size, words);
    for (uint32_t i = 0; i < 64; i++)
        digest[i] = (uint8_t)(words[i / 8] >> (8 * (i % 8)));
    hl_erase(&begun, sizeof begun);
    return HL_OK;
}

int hl_hmac(int sha1, const uint8_t *key, size_t key_size, const uint8_t *message, size_t size, uint8_t *digest)
{
    hl_hmac_key begun;
    uint32_t words[5];
    if (!key || !key_size || (size && !message) || !digest)
        return HL_BAD_ARGUMENT;
    hl_hmac_begin(&begun, sha1 ? &hl_sha1 : &hl_md5, key, key_size);
    hl_hmac_finish(&begun, message, size, words);
    hl_words_to_bytes(begun.hash, words, digest);
    hl_erase(&begun, sizeof begun);
    return HL_OK;
}

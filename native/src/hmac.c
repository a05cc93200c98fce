/* HMAC, and the padding that SHA-1 and MD5 share. */
#include "hmac.h"

#include <string.h>

#include "bytes.h"
#include "erase.h"

void hl_words_to_bytes(const hl_block_hash *hash, const uint32_t *words, uint8_t *bytes)
{
    for (uint32_t i = 0; i < hash->words; i++)
        hash->big_endian ? hl_store32_big(bytes + 4 * i, words[i]) : hl_store32_little(bytes + 4 * i, words[i]);
}

/* Hash the rest of a message, of whose `before` bytes (whole blocks) the state already knows. */
static void finish(const hl_block_hash *hash, uint32_t *state, uint64_t before, const uint8_t *message, size_t size)
{
    uint8_t block[HL_HMAC_BLOCK];
    uint64_t bits = (before + size) * 8;
    for (; size >= HL_HMAC_BLOCK; size -= HL_HMAC_BLOCK, message += HL_HMAC_BLOCK)
        hash->compress(state, message);
    memset(block, 0, sizeof block);
    memcpy(block, message, size);
    block[size] = 0x80;
    if (size >= HL_HMAC_BLOCK - 8) {
        hash->compress(state, block);
        memset(block, 0, sizeof block);
    }
    uint32_t high = (uint32_t)(bits >> 32), low = (uint32_t)bits;
    if (hash->big_endian)
        hl_store32_big(block + 56, high), hl_store32_big(block + 60, low);
    else
        hl_store32_little(block + 56, low), hl_store32_little(block + 60, high);
    hash->compress(state, block);
}

static void key_block(uint32_t *state, const hl_block_hash *hash, const uint8_t *key, uint8_t filling)
{
    uint8_t block[HL_HMAC_BLOCK];
    for (uint32_t i = 0; i < HL_HMAC_BLOCK; i++)
        block[i] = key[i] ^ filling;
    memcpy(state, hash->initial, sizeof hash->initial);
    hash->compress(state, block);
    hl_erase(block, sizeof block);
}

void hl_hmac_begin(hl_hmac_key *begun, const hl_block_hash *hash, const uint8_t *key, size_t key_size)
{
    uint8_t padded[HL_HMAC_BLOCK] = {0};
    uint32_t state[5];
    if (key_size > HL_HMAC_BLOCK) {
        memcpy(state, hash->initial, sizeof state);
        finish(hash, state, 0, key, key_size);
        hl_words_to_bytes(hash, state, padded);
    } else {
        memcpy(padded, key, key_size);
    }
    begun->hash = hash;
    key_block(begun->inner, hash, padded, 0x36);
    key_block(begun->outer, hash, padded, 0x5C);
    hl_erase(padded, sizeof padded);
    hl_erase(state, sizeof state);
}

void hl_hmac_finish(const hl_hmac_key *begun, const uint8_t *message, size_t size, uint32_t digest[5])
{
    uint8_t inner[20];
    memcpy(digest, begun->inner, sizeof begun->inner);
    finish(begun->hash, digest, HL_HMAC_BLOCK, message, size);
    hl_words_to_bytes(begun->hash, digest, inner);
    memcpy(digest, begun->outer, sizeof begun->outer);
    finish(begun->hash, digest, HL_HMAC_BLOCK, inner, 4 * (size_t)begun->hash->words);
}

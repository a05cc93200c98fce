/* HMAC (RFC 2104) over SHA-1 and MD5, which clkhash's doubleHash is made of. */
#ifndef HUSHLINK_HMAC_H
#define HUSHLINK_HMAC_H

#include <stddef.h>
#include <stdint.h>

#define HL_HMAC_BLOCK 64u /* of both hashes */

/* A hash of 64-byte blocks: how one block changes the state, and how the state is written out. */
typedef struct hl_block_hash {
    void (*compress)(uint32_t *state, const uint8_t *block);
    uint32_t initial[5];
    uint32_t words; /* of the state */
    int big_endian; /* the length behind the message, and the digest */
} hl_block_hash;

extern const hl_block_hash hl_sha1;
extern const hl_block_hash hl_md5;

/* The states behind the key's two blocks: the same for every message, so they are worked out once. */
typedef struct hl_hmac_key {
    const hl_block_hash *hash;
    uint32_t inner[5];
    uint32_t outer[5];
} hl_hmac_key;

/* A key of any size; longer than a block, its digest takes its place. */
void hl_hmac_begin(hl_hmac_key *begun, const hl_block_hash *hash, const uint8_t *key, size_t key_size);

/* The digest of a message, as the words of its state: SHA-1's are big-endian in the digest, MD5's little-endian. */
void hl_hmac_finish(const hl_hmac_key *begun, const uint8_t *message, size_t size, uint32_t digest[5]);

void hl_words_to_bytes(const hl_block_hash *hash, const uint32_t *words, uint8_t *bytes);

#endif

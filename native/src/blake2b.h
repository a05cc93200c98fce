/* BLAKE2b (RFC 7693) with a key of 1 to 64 bytes, a salt, and a digest of 64 bytes. */
#ifndef HUSHLINK_BLAKE2B_H
#define HUSHLINK_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

#define HL_BLAKE2B_BLOCK 128u

/* What the key and a salt make of the state: the same for every message, so it is worked out once. */
typedef struct hl_blake2b_key {
    uint64_t state[8];
} hl_blake2b_key;

void hl_blake2b_begin(hl_blake2b_key *begun, const uint8_t *key, size_t key_size, const uint8_t salt[16]);

/* The digest of a message of at least one byte, as eight words; their little-endian bytes are the digest. */
void hl_blake2b_finish(const hl_blake2b_key *begun, const uint8_t *message, size_t size, uint64_t digest[8]);

#endif

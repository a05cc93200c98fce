/* BLAKE2b. The rounds are written out, so that every index into the message is a constant. */
#include "blake2b.h"

#include <string.h>

#include "bytes.h"
#include "erase.h"

static const uint64_t INITIAL[8] = {
    0x6A09E667F3BCC908u, 0xBB67AE8584CAA73Bu, 0x3C6EF372FE94F82Bu, 0xA54FF53A5F1D36F1u,
    0x510E527FADE682D1u, 0x9B05688C2B3E6C1Fu, 0x1F83D9ABFB41BD6Bu, 0x5BE0CD19137E2179u,
};

static inline uint64_t turned(uint64_t word, int by) { return word >> by | word << (64 - by); }

#define MIX(a, b, c, d, x, y)      \
    do {                           \
        a += b + (x);              \
        d = turned(d ^ a, 32);     \
        c += d;                    \
        b = turned(b ^ c, 24);     \
        a += b + (y);              \
        d = turned(d ^ a, 16);     \
        c += d;                    \
        b = turned(b ^ c, 63);     \
    } while (0)

#define ROUND(a, b, c, d, e, f, g, h, i, j, k, l, n, o, p, q) \
    do {                                                      \
        MIX(v0, v4, v8, v12, m[a], m[b]);                     \
        MIX(v1, v5, v9, v13, m[c], m[d]);                     \
        MIX(v2, v6, v10, v14, m[e], m[f]);                    \
        MIX(v3, v7, v11, v15, m[g], m[h]);                    \
        MIX(v0, v5, v10, v15, m[i], m[j]);                    \
        MIX(v1, v6, v11, v12, m[k], m[l]);                    \
        MIX(v2, v7, v8, v13, m[n], m[o]);                     \
        MIX(v3, v4, v9, v14, m[p], m[q]);                     \
    } while (0)

static void compress(uint64_t state[8], const uint8_t *block, uint64_t bytes_so_far, int last)
{
    uint64_t m[16];
    for (int i = 0; i < 16; i++)
        m[i] = hl_load64_little(block + 8 * i);
    uint64_t v0 = state[0], v1 = state[1], v2 = state[2], v3 = state[3];
    uint64_t v4 = state[4], v5 = state[5], v6 = state[6], v7 = state[7];
    uint64_t v8 = INITIAL[0], v9 = INITIAL[1], v10 = INITIAL[2], v11 = INITIAL[3];
    uint64_t v12 = INITIAL[4] ^ bytes_so_far, v13 = INITIAL[5];
    uint64_t v14 = last ? ~INITIAL[6] : INITIAL[6], v15 = INITIAL[7];
    ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3);
    ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4);
    ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8);
    ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13);
    ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9);
    ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11);
    ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10);
    ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5);
    ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0);
    ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3);
    state[0] ^= v0 ^ v8, state[1] ^= v1 ^ v9, state[2] ^= v2 ^ v10, state[3] ^= v3 ^ v11;
    state[4] ^= v4 ^ v12, state[5] ^= v5 ^ v13, state[6] ^= v6 ^ v14, state[7] ^= v7 ^ v15;
}

void hl_blake2b_begin(hl_blake2b_key *begun, const uint8_t *key, size_t key_size, const uint8_t salt[16])
{
    uint8_t block[HL_BLAKE2B_BLOCK] = {0};
    memcpy(begun->state, INITIAL, sizeof INITIAL);
    begun->state[0] ^= 0x01010000u ^ (uint64_t)key_size << 8 ^ 64u; /* fanout 1, depth 1, key, digest of 64 bytes */
    begun->state[4] ^= hl_load64_little(salt);
    begun->state[5] ^= hl_load64_little(salt + 8);
    memcpy(block, key, key_size);
    compress(begun->state, block, HL_BLAKE2B_BLOCK, 0);
    hl_erase(block, sizeof block);
}

void hl_blake2b_finish(const hl_blake2b_key *begun, const uint8_t *message, size_t size, uint64_t digest[8])
{
    uint8_t block[HL_BLAKE2B_BLOCK];
    uint64_t bytes = HL_BLAKE2B_BLOCK; /* the key's block */
    memcpy(digest, begun->state, sizeof begun->state);
    for (; size > HL_BLAKE2B_BLOCK; size -= HL_BLAKE2B_BLOCK, message += HL_BLAKE2B_BLOCK) {
        bytes += HL_BLAKE2B_BLOCK;
        compress(digest, message, bytes, 0);
    }
    memset(block, 0, sizeof block);
    memcpy(block, message, size);
    compress(digest, block, bytes + size, 1);
}

/* SHA-1 (FIPS 180-4), one block at a time. */
#include "bytes.h"
#include "hmac.h"

static inline uint32_t turned(uint32_t word, int by) { return word << by | word >> (32 - by); }

#define STEP(function, constant)                                                   \
    do {                                                                           \
        uint32_t next = turned(a, 5) + (function) + e + (constant) + word(w, t);   \
        e = d, d = c, c = turned(b, 30), b = a, a = next;                          \
    } while (0)

/* The message's words, and from the 17th on those that are made of earlier ones. */
static inline uint32_t word(uint32_t *w, int t)
{
    if (t >= 16)
        w[t & 15] = turned(w[(t - 3) & 15] ^ w[(t - 8) & 15] ^ w[(t - 14) & 15] ^ w[t & 15], 1);
    return w[t & 15];
}

static void compress(uint32_t *state, const uint8_t *block)
{
    uint32_t w[16], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    int t = 0;
    for (int i = 0; i < 16; i++)
        w[i] = hl_load32_big(block + 4 * i);
    for (; t < 20; t++)
        STEP((b & c) | (~b & d), 0x5A827999u);
    for (; t < 40; t++)
        STEP(b ^ c ^ d, 0x6ED9EBA1u);
    for (; t < 60; t++)
        STEP((b & c) | (b & d) | (c & d), 0x8F1BBCDCu);
    for (; t < 80; t++)
        STEP(b ^ c ^ d, 0xCA62C1D6u);
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

const hl_block_hash hl_sha1 = {
    compress, {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u}, 5, 1};

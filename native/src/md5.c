/* MD5 (RFC 1321), one block at a time. Only as the hash of an HMAC whose values clkhash agreed on. */
#include "bytes.h"
#include "hmac.h"

/* Integer parts of 2^32 * |sin(i + 1)|. */
static const uint32_t SINES[64] = {
    0xD76AA478u, 0xE8C7B756u, 0x242070DBu, 0xC1BDCEEEu, 0xF57C0FAFu, 0x4787C62Au, 0xA8304613u, 0xFD469501u,
    0x698098D8u, 0x8B44F7AFu, 0xFFFF5BB1u, 0x895CD7BEu, 0x6B901122u, 0xFD987193u, 0xA679438Eu, 0x49B40821u,
    0xF61E2562u, 0xC040B340u, 0x265E5A51u, 0xE9B6C7AAu, 0xD62F105Du, 0x02441453u, 0xD8A1E681u, 0xE7D3FBC8u,
    0x21E1CDE6u, 0xC33707D6u, 0xF4D50D87u, 0x455A14EDu, 0xA9E3E905u, 0xFCEFA3F8u, 0x676F02D9u, 0x8D2A4C8Au,
    0xFFFA3942u, 0x8771F681u, 0x6D9D6122u, 0xFDE5380Cu, 0xA4BEEA44u, 0x4BDECFA9u, 0xF6BB4B60u, 0xBEBFBC70u,
    0x289B7EC6u, 0xEAA127FAu, 0xD4EF3085u, 0x04881D05u, 0xD9D4D039u, 0xE6DB99E5u, 0x1FA27CF8u, 0xC4AC5665u,
    0xF4292244u, 0x432AFF97u, 0xAB9423A7u, 0xFC93A039u, 0x655B59C3u, 0x8F0CCC92u, 0xFFEFF47Du, 0x85845DD1u,
    0x6FA87E4Fu, 0xFE2CE6E0u, 0xA3014314u, 0x4E0811A1u, 0xF7537E82u, 0xBD3AF235u, 0x2AD7D2BBu, 0xEB86D391u,
};

static const uint8_t TURNS[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static inline uint32_t turned(uint32_t word, int by) { return word << by | word >> (32 - by); }

#define STEP(function, place, turns)                                                \
    do {                                                                            \
        uint32_t next = b + turned(a + (function) + SINES[t] + m[(place) & 15], (turns)[t & 3]); \
        a = d, d = c, c = b, b = next;                                              \
    } while (0)

static void compress(uint32_t *state, const uint8_t *block)
{
    uint32_t m[16], a = state[0], b = state[1], c = state[2], d = state[3];
    int t = 0;
    for (int i = 0; i < 16; i++)
        m[i] = hl_load32_little(block + 4 * i);
    for (; t < 16; t++)
        STEP((b & c) | (~b & d), t, TURNS[0]);
    for (; t < 32; t++)
        STEP((b & d) | (c & ~d), 5 * t + 1, TURNS[1]);
    for (; t < 48; t++)
        STEP(b ^ c ^ d, 3 * t + 5, TURNS[2]);
    for (; t < 64; t++)
        STEP(c ^ (b | ~d), 7 * t, TURNS[3]);
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
}

const hl_block_hash hl_md5 = {compress, {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u}, 4, 0};

/* Numbers in bytes, the same on every machine. Compilers make one load or store of each. */
#ifndef HUSHLINK_BYTES_H
#define HUSHLINK_BYTES_H

#include <stdint.h>

static inline uint32_t hl_load32_little(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint32_t hl_load32_big(const uint8_t *at)
{
    return (uint32_t)at[3] | (uint32_t)at[2] << 8 | (uint32_t)at[1] << 16 | (uint32_t)at[0] << 24;
}

static inline uint64_t hl_load64_little(const uint8_t *at)
{
    return (uint64_t)hl_load32_little(at) | (uint64_t)hl_load32_little(at + 4) << 32;
}

static inline void hl_store32_little(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static inline void hl_store32_big(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static inline void hl_store64_little(uint8_t *at, uint64_t value)
{
    hl_store32_little(at, (uint32_t)value);
    hl_store32_little(at + 4, (uint32_t)(value >> 32));
}

#endif

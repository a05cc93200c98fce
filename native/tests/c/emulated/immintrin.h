/* The AVX-512 instructions that avx512.c uses, in plain C after their definitions in the manufacturer's manual, so
 * that its logic is tested on machines without them. Stands in for the compiler's header of this name. */
#ifndef HUSHLINK_EMULATED_IMMINTRIN_H
#define HUSHLINK_EMULATED_IMMINTRIN_H

#include <stdint.h>
#include <string.h>

typedef uint32_t __m512i __attribute__((vector_size(64), aligned(64)));
typedef struct { uint16_t w[16]; } __m256i;
typedef uint16_t __mmask16;
typedef uint64_t __mmask64;

static inline __m512i _mm512_setzero_si512(void) { return (__m512i){0}; }
static inline __m512i _mm512_set1_epi32(int32_t x) { return (__m512i){0} + (uint32_t)x; }
static inline __m512i _mm512_xor_si512(__m512i a, __m512i b) { return a ^ b; }
static inline __m512i _mm512_or_si512(__m512i a, __m512i b) { return a | b; }
static inline __m512i _mm512_add_epi32(__m512i a, __m512i b) { return a + b; }
static inline __m512i _mm512_sub_epi32(__m512i a, __m512i b) { return a - b; }
static inline __m512i _mm512_srli_epi32(__m512i a, unsigned n) { return n > 31 ? a ^ a : a >> n; }

static inline __m512i _mm512_popcnt_epi32(__m512i a)
{
    a -= a >> 1 & 0x55555555u;
    a = (a & 0x33333333u) + (a >> 2 & 0x33333333u);
    a = (a + (a >> 4)) & 0x0F0F0F0Fu;
    return a * 0x01010101u >> 24;
}

#define EACH_DWORD(expression)       \
    __m512i result = {0};            \
    for (int i = 0; i < 16; i++)     \
        result[i] = (expression);    \
    return result

static inline __m512i _mm512_cvtepi16_epi32(__m256i a) { EACH_DWORD((uint32_t)(int32_t)(int16_t)a.w[i]); }

static inline __m512i _mm512_set_epi32(int p, int o, int n, int m, int l, int k, int j, int h,
                                       int g, int f, int e, int d, int c, int b, int x, int a)
{
    const int values[16] = {a, x, b, c, d, e, f, g, h, j, k, l, m, n, o, p};
    EACH_DWORD((uint32_t)values[i]);
}

static inline __m512i _mm512_maskz_loadu_epi32(__mmask16 mask, const void *from)
{
    __m512i result = {0};
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) /* what is masked out is not read */
            memcpy((char *)&result + 4 * i, (const char *)from + 4 * i, 4);
    return result;
}

static inline __m512i _mm512_maskz_loadu_epi8(__mmask64 mask, const void *from)
{
    __m512i result = {0};
    for (int i = 0; i < 64; i++)
        if (mask >> i & 1)
            memcpy((char *)&result + i, (const char *)from + i, 1);
    return result;
}

static inline __m512i _mm512_mask_i32gather_epi32(__m512i source, __mmask16 mask, __m512i index,
                                                  const void *base, int scale)
{
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1)
            memcpy((char *)&source + 4 * i, (const char *)base + (int64_t)(int32_t)index[i] * scale, 4);
    return source;
}

static inline __m512i _mm512_load_si512(const void *from)
{
    __m512i result;
    if ((uintptr_t)from % 64)
        __builtin_trap(); /* as the instruction does */
    memcpy(&result, from, 64);
    return result;
}

static inline __m256i _mm256_load_si256(const __m256i *from)
{
    __m256i result;
    if ((uintptr_t)from % 32)
        __builtin_trap();
    memcpy(&result, from, 32);
    return result;
}

static inline void _mm256_storeu_si256(__m256i *to, __m256i value) { memcpy(to, &value, 32); }

static inline __m512i _mm512_popcnt_epi64(__m512i a)
{
    __m512i result = {0};
    for (int i = 0; i < 16; i += 2)
        result[i] = (uint32_t)__builtin_popcount(a[i]) + (uint32_t)__builtin_popcount(a[i + 1]);
    return result;
}

static inline __m512i _mm512_add_epi64(__m512i a, __m512i b)
{
    uint64_t x[8], y[8];
    __m512i result;
    memcpy(x, &a, 64);
    memcpy(y, &b, 64);
    for (int i = 0; i < 8; i++)
        x[i] += y[i];
    memcpy(&result, x, 64);
    return result;
}

static inline int64_t _mm512_reduce_add_epi64(__m512i a)
{
    uint64_t x[8], total = 0;
    memcpy(x, &a, 64);
    for (int i = 0; i < 8; i++)
        total += x[i];
    return (int64_t)total;
}

static inline __mmask16 _mm512_cmplt_epi32_mask(__m512i a, __m512i b)
{
    unsigned mask = 0;
    for (int i = 0; i < 16; i++)
        mask |= (unsigned)((int32_t)a[i] < (int32_t)b[i]) << i;
    return (__mmask16)mask;
}

static inline __mmask16 _mm512_mask_cmpge_epu32_mask(__mmask16 within, __m512i a, __m512i b)
{
    unsigned mask = 0;
    for (int i = 0; i < 16; i++)
        mask |= (unsigned)(a[i] >= b[i]) << i;
    return (__mmask16)(mask & within);
}

static inline __m512i _mm512_maskz_compress_epi32(__mmask16 mask, __m512i a)
{
    __m512i result = {0};
    int at = 0;
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1)
            result[at++] = a[i];
    return result;
}

static inline __m256i _mm512_cvtepi32_epi16(__m512i a)
{
    __m256i result;
    for (int i = 0; i < 16; i++)
        result.w[i] = (uint16_t)a[i];
    return result;
}

#endif

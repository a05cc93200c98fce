/* Which paths this machine can run, asked of the processor itself: compilers' own answers differ. */
#include "hushlink_private.h"

#if defined(HL_X86)
#include <cpuid.h>

#define LEAF1_ECX_POPCNT (1u << 23)
#define LEAF1_ECX_OSXSAVE (1u << 27)
#define LEAF7_EBX_AVX2 (1u << 3 | 1u << 5)      /* BMI1, AVX2 */
#define LEAF7_EBX_AVX512 (1u << 16 | 1u << 30)  /* F, BW */
#define LEAF7_ECX_VPOPCNTDQ (1u << 14)
#define XCR0_YMM 0x6u
#define XCR0_ZMM 0xE6u

/* Registers that the operating system saves: an instruction set without them cannot be used. */
static uint64_t saved_registers(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}

static unsigned x86_paths(void)
{
    unsigned eax, ebx, ecx, edx, paths = 0;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & LEAF1_ECX_POPCNT))
        return 0;
    paths |= 1u << HL_POPCNT;
    if (!(ecx & LEAF1_ECX_OSXSAVE) || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
        return paths;
    uint64_t saved = saved_registers();
    if ((saved & XCR0_YMM) == XCR0_YMM && (ebx & LEAF7_EBX_AVX2) == LEAF7_EBX_AVX2)
        paths |= 1u << HL_AVX2;
    if ((saved & XCR0_ZMM) == XCR0_ZMM && (ebx & LEAF7_EBX_AVX512) == LEAF7_EBX_AVX512 &&
        (ecx & LEAF7_ECX_VPOPCNTDQ) && (paths & 1u << HL_AVX2))
        paths |= 1u << HL_AVX512;
    return paths;
}
#endif

/* Bit p is set when path p can run. Computing it twice in two threads is harmless. */
static unsigned available_paths(void)
{
    static unsigned known;
    unsigned paths = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (!paths) {
        paths = 1u << HL_PORTABLE;
#if defined(HL_X86)
        paths |= x86_paths();
#elif defined(HL_ARM64)
        paths |= 1u << HL_NEON; /* every one has it */
#endif
#if defined(HL_EMULATED_AVX512)
        paths |= 1u << HL_AVX512; /* the tests' build, on machines without it */
#endif
        __atomic_store_n(&known, paths, __ATOMIC_RELAXED);
    }
    return paths;
}

int hl_path_available(int path)
{
    return path >= 0 && path < HL_PATH_COUNT && (available_paths() >> path & 1u);
}

int hl_path_best(void)
{
    int best = HL_PORTABLE;
    for (int path = 0; path < HL_PATH_COUNT; path++)
        if (hl_path_available(path))
            best = path;
    return best;
}

const hl_path_functions *hl_path_of(int path)
{
    if (!hl_path_available(path))
        return NULL;
    switch (path) {
    case HL_PORTABLE: return &hl_portable;
#if defined(HL_X86)
    case HL_POPCNT: return &hl_popcnt;
    case HL_AVX2: return &hl_avx2;
    case HL_AVX512: return &hl_avx512;
#elif defined(HL_ARM64)
    case HL_NEON: return &hl_neon;
#endif
    default: return NULL;
    }
}

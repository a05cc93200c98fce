/* Which paths this machine can run, asked of the processor itself: compilers' own answers differ. */
#include "hushlink_private.h"

#if defined(HL_X86)
#include <cpuid.h>

enum { LEAF1_ECX_POPCNT = 1u << 23, LEAF1_ECX_OSXSAVE = 1u << 27, LEAF7_EBX_AVX2 = 1u << 5,
       LEAF7_EBX_BMI1 = 1u << 3, XCR0_YMM = 0x6 };

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
    if (!(ecx & LEAF1_ECX_OSXSAVE) || (saved_registers() & XCR0_YMM) != XCR0_YMM)
        return paths;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & LEAF7_EBX_AVX2) &&
        (ebx & LEAF7_EBX_BMI1))
        paths |= 1u << HL_AVX2;
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
#endif
    default: return NULL;
    }
}

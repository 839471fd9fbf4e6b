/* isa.c - which instruction sets this CPU runs.
 *
 * An ISA is a base ("x86-64-v3", "aarch64", ...) and features behind it ("aarch64+i8mm").
 */
#define _GNU_SOURCE
#include "internal.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#if defined(__x86_64__)

/* Features that old compilers do not know by name: a bit of ECX. */
static int cpuid_ecx(unsigned leaf, int bit)
{
    unsigned a, b, c, d;
    return __get_cpuid(leaf, &a, &b, &c, &d) && ((c >> bit) & 1u);
}

static int has_feature(const char *name)
{
#define NAMED(text, builtin)                                                                       \
    if (strcmp(name, text) == 0)                                                                   \
        return __builtin_cpu_supports(builtin) != 0;
    __builtin_cpu_init();
    NAMED("sse3", "sse3")
    NAMED("ssse3", "ssse3")
    NAMED("sse4.1", "sse4.1")
    NAMED("sse4.2", "sse4.2")
    NAMED("popcnt", "popcnt")
    NAMED("avx", "avx")
    NAMED("avx2", "avx2")
    NAMED("fma", "fma")
    NAMED("bmi", "bmi")
    NAMED("bmi2", "bmi2")
    NAMED("avx512f", "avx512f")
    NAMED("avx512bw", "avx512bw")
    NAMED("avx512cd", "avx512cd")
    NAMED("avx512dq", "avx512dq")
    NAMED("avx512vl", "avx512vl")
    NAMED("avx512vnni", "avx512vnni")
    NAMED("avx512bf16", "avx512bf16")
#undef NAMED
    if (strcmp(name, "avxvnni") == 0) {
        unsigned a = 0, b, c, d;
        return __get_cpuid_count(7, 1, &a, &b, &c, &d) && ((a >> 4) & 1u) &&
               __builtin_cpu_supports("avx2");
    }
    if (strcmp(name, "f16c") == 0)
        return cpuid_ecx(1, 29) && __builtin_cpu_supports("avx");
    if (strcmp(name, "movbe") == 0)
        return cpuid_ecx(1, 22);
    if (strcmp(name, "lzcnt") == 0)
        return cpuid_ecx(0x80000001u, 5);
    return 0;
}

#define V2 "sse3 ssse3 sse4.1 sse4.2 popcnt"
#define V3 V2 " avx avx2 bmi bmi2 f16c fma lzcnt movbe"
static const struct {
    const char *name;
    const char *features;
} BASES[] = {
    {"x86-64", ""},
    {"x86-64-v2", V2},
    {"x86-64-v3", V3},
    {"x86-64-v4", V3 " avx512f avx512bw avx512cd avx512dq avx512vl"},
};

#elif defined(__aarch64__)

static int has_feature(const char *name)
{
    /* Bits of AT_HWCAP and AT_HWCAP2, which old headers do not name. */
    if (strcmp(name, "dotprod") == 0)
        return (getauxval(AT_HWCAP) >> 20) & 1u;
    if (strcmp(name, "fullfp16") == 0)
        return (getauxval(AT_HWCAP) >> 10) & 1u;
    if (strcmp(name, "sve") == 0)
        return (getauxval(AT_HWCAP) >> 22) & 1u;
    if (strcmp(name, "i8mm") == 0)
        return (getauxval(AT_HWCAP2) >> 13) & 1u;
    if (strcmp(name, "bf16") == 0)
        return (getauxval(AT_HWCAP2) >> 14) & 1u;
    return 0;
}

static const struct {
    const char *name;
    const char *features;
} BASES[] = {{"aarch64", ""}};

#else

static int has_feature(const char *name) { return name == NULL; }

static const struct {
    const char *name;
    const char *features;
} BASES[] = {{"generic", ""}};

#endif

/* Walk through names separated by `separator`; the first that the CPU lacks, or NULL. */
static const char *first_missing(const char *list, char separator)
{
    static __thread char name[32];
    while (*list != '\0') {
        size_t length = 0;
        while (list[length] != '\0' && list[length] != separator)
            length++;
        if (length >= sizeof name)
            length = sizeof name - 1;
        memcpy(name, list, length);
        name[length] = '\0';
        if (length > 0 && !has_feature(name))
            return name;
        list += length;
        while (*list == separator)
            list++;
    }
    return NULL;
}

const char *em_isa_lacks(const char *isa)
{
    const char *extra = strchr(isa, '+');
    const size_t length = extra == NULL ? strlen(isa) : (size_t)(extra - isa);
    for (size_t i = 0; i < sizeof BASES / sizeof BASES[0]; i++) {
        if (strlen(BASES[i].name) != length || strncmp(BASES[i].name, isa, length) != 0)
            continue;
        const char *missing = first_missing(BASES[i].features, ' ');
        return missing != NULL || extra == NULL ? missing : first_missing(extra + 1, '+');
    }
    return "this processor family";
}

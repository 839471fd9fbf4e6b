/* What one core can do at best: reads from a buffer of a given size, float32 FMA, int8 products.
 *
 * Built by benchmarks/roofline.py with `cc -O3 -march=native -shared`. Each function works for about
 * `seconds`, and returns the best of many short looks: a busy machine measures too little, never
 * too much.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__)
#define WIDTH 64 /* bytes of a vector register */
#elif defined(__AVX2__)
#define WIDTH 32
#else
#define WIDTH 16
#endif
#define LANES (WIDTH / 4)
#define CHAINS 10 /* independent accumulators, to hide the latency of an FMA */
#if defined(__x86_64__)
#define VECTOR "+v"
#else
#define VECTOR "+w"
#endif

typedef float floats __attribute__((vector_size(WIDTH)));
typedef int64_t longs __attribute__((vector_size(WIDTH)));

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Bytes that software fetches ahead. Behind the caches it helps the hardware, in them it costs. */
#define AHEAD 2048

/* One pass over the data, with help or without. */
static void add_up(const longs *data, size_t bytes, int fetching, longs *sums) {
    const size_t count = bytes / sizeof *data;
    if (fetching)
        for (size_t i = 0; i < count; i += 8)
            for (int k = 0; k < 8; ++k) {
                __builtin_prefetch(data + i + k + AHEAD / sizeof *data);
                sums[k] += data[i + k];
            }
    else
        for (size_t i = 0; i < count; i += 8)
            for (int k = 0; k < 8; ++k) sums[k] += data[i + k];
}

/* GB/s of reading `bytes` (a multiple of 1024) again and again, warm. */
double read_gbps(size_t bytes, double seconds) {
    longs *data = aligned_alloc(64, bytes);
    if (!data) return 0.0;
    memset(data, 1, bytes);
    double best = 0.0, end = now() + seconds;
    volatile int64_t sink = 0;
    for (int turn = 0; now() < end; ++turn) {
        size_t passes = 1 + (4u << 20) / bytes; /* some 100 us at least */
        double start = now();
        longs sums[8] = {{0}};
        for (size_t pass = 0; pass < passes; ++pass) {
            add_up(data, bytes, turn % 2, sums);
            __asm__ volatile("" : : : "memory");
        }
        double took = now() - start;
        for (int k = 0; k < 8; ++k) sink += sums[k][0];
        double rate = (double)bytes * (double)passes / took * 1e-9;
        if (rate > best) best = rate;
    }
    free(data);
    return best;
}

/* Sums must stay in registers, and no step may be folded into another: the empty assembly says so
 * for each of them. (A clobber of all memory would put the array of sums there.)
 */

/* GFLOP/s of float32 multiply-add, 2 per MAC. */
double f32_gflops(double seconds) {
    enum { STEPS = 20000 };
    double best = 0.0, end = now() + seconds;
    while (now() < end) {
        floats sums[CHAINS], a, b;
        for (int k = 0; k < LANES; ++k) a[k] = 1e-9f, b[k] = 0.5f;
        __asm__ volatile("" : "+m"(a), "+m"(b));
        for (int c = 0; c < CHAINS; ++c) sums[c] = a;
        double start = now();
        for (int step = 0; step < STEPS; ++step)
            for (int c = 0; c < CHAINS; ++c) sums[c] = sums[c] * b + a;
        double took = now() - start;
        for (int c = 0; c < CHAINS; ++c) __asm__ volatile("" : : "m"(sums[c]));
        double rate = 2.0 * STEPS * CHAINS * LANES / took * 1e-9;
        if (rate > best) best = rate;
    }
    return best;
}

#if defined(__AVX512VNNI__)
#include <immintrin.h>
#define INT8 "vpdpbusd, 512 bits"
#define BYTES 64
#define ACCUMULATORS 14 /* latency 5 to 6, two a cycle */
typedef __m512i ints;
static ints dot(ints sum, ints a, ints b) { return _mm512_dpbusd_epi32(sum, a, b); }
static ints set(int x) { return _mm512_set1_epi8((char)x); }
#elif defined(__AVXVNNI__)
#include <immintrin.h>
#define INT8 "vpdpbusd, 256 bits"
#define BYTES 32
#define ACCUMULATORS 12
typedef __m256i ints;
static ints dot(ints sum, ints a, ints b) { return _mm256_dpbusd_avx_epi32(sum, a, b); }
static ints set(int x) { return _mm256_set1_epi8((char)x); }
#elif defined(__AVX2__)
#include <immintrin.h>
#define INT8 "vpmaddubsw + vpmaddwd + vpaddd, 256 bits"
#define BYTES 32
#define ACCUMULATORS 8 /* only the additions are a chain */
typedef __m256i ints;
static ints dot(ints sum, ints a, ints b) {
    ints pairs = _mm256_maddubs_epi16(a, b);
    __asm__("" : "+x"(pairs)); /* the operands never change: keep it inside the loop */
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
static ints set(int x) { return _mm256_set1_epi8((char)x); }
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#define INT8 "sdot, 128 bits"
#define BYTES 16
#define ACCUMULATORS 14
typedef int32x4_t ints;
static ints dot(ints sum, ints a, ints b) {
    return vdotq_s32(sum, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
}
static ints set(int x) { return vreinterpretq_s32_s8(vdupq_n_s8((int8_t)x)); }
#else
#define INT8 ""
#define BYTES 0
#define ACCUMULATORS 0
#endif

/* The instructions that `int8_gops` uses; "" where this CPU has none that we know. */
const char *int8_instruction(void) { return INT8; }

/* GOP/s of int8 multiply-add into 32 bits, 2 per MAC. */
double int8_gops(double seconds) {
#if BYTES
    enum { STEPS = 20000 };
    double best = 0.0, end = now() + seconds;
    while (now() < end) {
        ints sums[ACCUMULATORS], a = set(1), b = set(2);
#pragma GCC unroll 16
        for (int c = 0; c < ACCUMULATORS; ++c) sums[c] = set(0);
        double start = now();
        for (int step = 0; step < STEPS; ++step) {
#pragma GCC unroll 16
            for (int c = 0; c < ACCUMULATORS; ++c) {
                __asm__("" : VECTOR(sums[c]), VECTOR(a)); /* products of neighbours differ */
                sums[c] = dot(sums[c], a, b);
            }
        }
        double took = now() - start;
#pragma GCC unroll 16
        for (int c = 0; c < ACCUMULATORS; ++c) __asm__ volatile("" : VECTOR(sums[c]));
        double rate = 2.0 * STEPS * ACCUMULATORS * BYTES / took * 1e-9;
        if (rate > best) best = rate;
    }
    return best;
#else
    (void)seconds;
    return 0.0;
#endif
}

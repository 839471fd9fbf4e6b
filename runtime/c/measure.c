/* measure.c - what this machine can do at best: float32 multiply-adds and bytes read per second.
 *
 * The kernels are small and regular on purpose: they are the roof that profiles are drawn under.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <stdlib.h>
#include <time.h>

#define ROUNDS 20000       /* of 12 independent vector multiply-adds */
#define READ_BYTES (64u << 20)

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Each function below does ROUNDS x 12 multiply-adds on vectors of N floats. Vector types and one
 * line of assembly per processor: the intrinsics' header alone takes a second to compile. */
#define CHAINS(N, FMA)                                                                             \
    typedef float vector __attribute__((vector_size(4 * (N))));                                    \
    const vector m = (vector){0} + 0.5f;                                                           \
    vector a0 = (vector){0} + x, a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0;                      \
    vector a6 = a0, a7 = a0, a8 = a0, a9 = a0, a10 = a0, a11 = a0;                                 \
    for (int i = 0; i < ROUNDS; i++) {                                                             \
        FMA(a0); FMA(a1); FMA(a2); FMA(a3); FMA(a4); FMA(a5);                                      \
        FMA(a6); FMA(a7); FMA(a8); FMA(a9); FMA(a10); FMA(a11);                                    \
    }                                                                                              \
    a0 += a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11;                                  \
    for (int i = 0; i < (N); i++)                                                                  \
        sink[i] += a0[i];

#if defined(__x86_64__)

#define FMA_ASM(v) __asm__ volatile("vfmadd213ps %1, %1, %0" : "+v"(v) : "v"(m))

static void __attribute__((target("avx512f"))) fma512(float x, float *sink) { CHAINS(16, FMA_ASM) }

static void __attribute__((target("avx2,fma"))) fma256(float x, float *sink) { CHAINS(8, FMA_ASM) }

#define MULTIPLY_ADD(v) (v = v * m + m)

static void mul_add128(float x, float *sink) { CHAINS(4, MULTIPLY_ADD) }

static int lanes(void)
{
    return em_isa_lacks("x86-64-v4") == NULL ? 16 : em_isa_lacks("x86-64-v3") == NULL ? 8 : 4;
}

static void multiply_add(int width, float x, float *sink)
{
    if (width == 16)
        fma512(x, sink);
    else if (width == 8)
        fma256(x, sink);
    else
        mul_add128(x, sink);
}

#elif defined(__aarch64__)

#define FMA_ASM(v) __asm__ volatile("fmla %0.4s, %1.4s, %1.4s" : "+w"(v) : "w"(m))

static int lanes(void) { return 4; }

static void multiply_add(int width, float x, float *sink)
{
    (void)width;
    CHAINS(4, FMA_ASM)
}

#else

#define MULTIPLY_ADD(v) (v = v * m + m)

static int lanes(void) { return 4; }

static void multiply_add(int width, float x, float *sink)
{
    (void)width;
    CHAINS(4, MULTIPLY_ADD)
}

#endif

typedef struct job {
    double seconds;
    int width;
    const void *words;
    double done[EM_MAX_THREADS]; /* rounds or bytes, per thread */
} job;

static void compute_task(const void *context, int32_t begin, int32_t end)
{
    job *j = (job *)(uintptr_t)context;
    for (int32_t t = begin; t < end; t++) {
        float sink[16] = {0};
        const double until = now() + j->seconds;
        do {
            multiply_add(j->width, (float)t, sink);
            j->done[t] += (double)ROUNDS * 12 * 2 * j->width;
        } while (now() < until);
    }
}

/* Sums of 64-byte vectors in eight independent chains, with the next lines fetched ahead: what a
 * kernel does that streams weights. */
#define READ_ALL                                                                                   \
    words8 s0 = {0}, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;                \
    for (size_t i = 0; i < count; i += 8) {                                                        \
        for (size_t line = 0; line < 8; line++)                                                    \
            __builtin_prefetch((const char *)(v + i + line) + FETCH_AHEAD);                        \
        s0 ^= v[i], s1 ^= v[i + 1], s2 ^= v[i + 2], s3 ^= v[i + 3];                                \
        s4 ^= v[i + 4], s5 ^= v[i + 5], s6 ^= v[i + 6], s7 ^= v[i + 7];                            \
    }                                                                                              \
    s0 ^= s1 ^ s2 ^ s3 ^ s4 ^ s5 ^ s6 ^ s7;                                                        \
    return s0[0] ^ s0[1] ^ s0[2] ^ s0[3] ^ s0[4] ^ s0[5] ^ s0[6] ^ s0[7];

#define FETCH_AHEAD 4096

typedef uint64_t words8 __attribute__((vector_size(64)));

#if defined(__x86_64__)
static uint64_t __attribute__((target("avx512f"))) read512(const words8 *v, size_t count)
{
    READ_ALL
}

static uint64_t __attribute__((target("avx2"))) read256(const words8 *v, size_t count)
{
    READ_ALL
}
#endif

static uint64_t read_plain(const words8 *v, size_t count) { READ_ALL }

static uint64_t read_all(int width, const words8 *v, size_t count)
{
#if defined(__x86_64__)
    if (width == 16)
        return read512(v, count);
    if (width == 8)
        return read256(v, count);
#endif
    (void)width;
    return read_plain(v, count);
}

static void read_task(const void *context, int32_t begin, int32_t end)
{
    job *j = (job *)(uintptr_t)context;
    volatile uint64_t result = 0;
    for (int32_t t = begin; t < end; t++) {
        const double until = now() + j->seconds;
        do {
            result = read_all(j->width, (const words8 *)j->words, READ_BYTES / sizeof(words8));
            j->done[t] += READ_BYTES;
        } while (now() < until);
    }
    (void)result;
}

static double measure(em_task_fn task, int32_t threads, double seconds, const void *words)
{
    static const job empty;
    if (threads < 1 || threads > EM_MAX_THREADS)
        threads = em_cpu_count();
    em_pool *pool = threads > 1 ? em_pool_start(threads) : NULL;
    job *j = malloc(sizeof *j);
    double total = 0;
    if (j != NULL && (threads == 1 || pool != NULL)) {
        *j = empty;
        j->seconds = seconds;
        j->width = lanes();
        j->words = words;
        const double start = now();
        em_pool_run(pool, task, j, threads, 0);
        const double elapsed = now() - start;
        for (int32_t t = 0; t < threads; t++)
            total += j->done[t];
        total /= elapsed * 1e9;
    }
    free(j);
    em_pool_stop(pool);
    return total;
}

double em_measure_gflops(int32_t threads, double seconds)
{
    return measure(compute_task, threads, seconds, NULL);
}

double em_measure_read_gbps(int32_t threads, double seconds)
{
    em_buffer buffer = {NULL, 0};
    if (em_buffer_need(&buffer, READ_BYTES) != EM_OK)
        return 0;
    uint64_t *words = buffer.data;
    for (size_t i = 0; i < READ_BYTES / 8; i++)
        words[i] = i;
    const double rate = measure(read_task, threads, seconds, words);
    em_buffer_free(&buffer);
    return rate;
}

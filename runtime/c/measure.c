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

/* Each function below does ROUNDS x 12 multiply-adds on vectors of LANES floats. */
#define CHAINS(TYPE, SET, FMA, STORE)                                                              \
    TYPE a0 = SET(x), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, a8 = a0,      \
         a9 = a0, a10 = a0, a11 = a0;                                                              \
    const TYPE m = SET(0.5f);                                                                      \
    for (int i = 0; i < ROUNDS; i++) {                                                             \
        a0 = FMA(a0, m), a1 = FMA(a1, m), a2 = FMA(a2, m), a3 = FMA(a3, m);                        \
        a4 = FMA(a4, m), a5 = FMA(a5, m), a6 = FMA(a6, m), a7 = FMA(a7, m);                        \
        a8 = FMA(a8, m), a9 = FMA(a9, m), a10 = FMA(a10, m), a11 = FMA(a11, m);                    \
        __asm__ volatile("" ::: "memory");                                                         \
    }                                                                                              \
    STORE(sink, a0), STORE(sink, a1), STORE(sink, a2), STORE(sink, a3), STORE(sink, a4);           \
    STORE(sink, a5), STORE(sink, a6), STORE(sink, a7), STORE(sink, a8), STORE(sink, a9);           \
    STORE(sink, a10), STORE(sink, a11);

#if defined(__x86_64__)
#include <immintrin.h>

static void __attribute__((target("avx512f"))) fma512(float x, float *sink)
{
#define FMA(a, m) _mm512_fmadd_ps(a, m, m)
#define STORE(p, a) _mm512_storeu_ps(p, _mm512_add_ps(_mm512_loadu_ps(p), a))
    CHAINS(__m512, _mm512_set1_ps, FMA, STORE)
#undef FMA
#undef STORE
}

static void __attribute__((target("avx2,fma"))) fma256(float x, float *sink)
{
#define FMA(a, m) _mm256_fmadd_ps(a, m, m)
#define STORE(p, a) _mm256_storeu_ps(p, _mm256_add_ps(_mm256_loadu_ps(p), a))
    CHAINS(__m256, _mm256_set1_ps, FMA, STORE)
#undef FMA
#undef STORE
}

static void fma128(float x, float *sink)
{
#define FMA(a, m) _mm_add_ps(_mm_mul_ps(a, m), m)
#define STORE(p, a) _mm_storeu_ps(p, _mm_add_ps(_mm_loadu_ps(p), a))
    CHAINS(__m128, _mm_set1_ps, FMA, STORE)
#undef FMA
#undef STORE
}

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
        fma128(x, sink);
}

#elif defined(__aarch64__)
#include <arm_neon.h>

static int lanes(void) { return 4; }

static void multiply_add(int width, float x, float *sink)
{
    (void)width;
#define FMA(a, m) vfmaq_f32(m, a, m)
#define STORE(p, a) vst1q_f32(p, vaddq_f32(vld1q_f32(p), a))
    CHAINS(float32x4_t, vdupq_n_f32, FMA, STORE)
#undef FMA
#undef STORE
}

#else

static int lanes(void) { return 1; }

static void multiply_add(int width, float x, float *sink)
{
    (void)width;
#define SET(x) (x)
#define FMA(a, m) ((a) * (m) + (m))
#define STORE(p, a) (*(p) += (a))
    CHAINS(float, SET, FMA, STORE)
#undef SET
#undef FMA
#undef STORE
}

#endif

typedef struct job {
    double seconds;
    int width;
    const uint64_t *words;
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

static void read_task(const void *context, int32_t begin, int32_t end)
{
    job *j = (job *)(uintptr_t)context;
    volatile uint64_t result;
    for (int32_t t = begin; t < end; t++) {
        const double until = now() + j->seconds;
        do {
            uint64_t sum[8] = {0};
            for (size_t i = 0; i < READ_BYTES / 8; i += 8)
                for (int k = 0; k < 8; k++)
                    sum[k] ^= j->words[i + (size_t)k];
            result = sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
            j->done[t] += READ_BYTES;
        } while (now() < until);
    }
    (void)result;
}

static double measure(em_task_fn task, int32_t threads, double seconds, const uint64_t *words)
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
        em_pool_run(pool, task, j, threads);
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

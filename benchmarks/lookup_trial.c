/* lookup_trial.c - products of 2-bit weights by tables instead of multiplications, as T-MAC does.
 *
 * A table holds the 16 sums of four int8 inputs with 0 or 1 each, rounded to int8. A byte of weights is
 * one column's index for the low bits of four codes (low nibble) and for the high bits (high nibble):
 * sum over k of code[k] * a[k] = low look-up + 2 * high look-up. One row, a panel of 32 columns, a group
 * of inputs whose sums fit 16 bits.
 *
 * `lookup` is the inner loop that benchmarks.lookup_counts counts; `main` compares it with plain sums of
 * the same table entries.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS = 32, FOURS = 32 }; /* 128 inputs */

#if defined(__aarch64__)
#include <arm_neon.h>

/* sums[0..31] of the low bits, then of the high bits */
void lookup(const int8_t *tables, const uint8_t *weights, int16_t *sums, long fours)
{
    int16x8_t s[8];
    for (int i = 0; i < 8; i++)
        s[i] = vdupq_n_s16(0);
    const uint8x16_t low = vdupq_n_u8(15);
    for (long n = 0; n < fours; n++) {
        const int8x16_t table = vld1q_s8(tables + 16 * n);
        for (int half = 0; half < 2; half++) {
            const uint8x16_t both = vld1q_u8(weights + COLUMNS * n + 16 * half);
            const int8x16_t one = vqtbl1q_s8(table, vandq_u8(both, low));
            const int8x16_t two = vqtbl1q_s8(table, vshrq_n_u8(both, 4));
            s[2 * half] = vaddw_s8(s[2 * half], vget_low_s8(one));
            s[2 * half + 1] = vaddw_high_s8(s[2 * half + 1], one);
            s[4 + 2 * half] = vaddw_s8(s[4 + 2 * half], vget_low_s8(two));
            s[5 + 2 * half] = vaddw_high_s8(s[5 + 2 * half], two);
        }
        __builtin_prefetch(weights + COLUMNS * n + 4096);
    }
    for (int i = 0; i < 8; i++)
        vst1q_s16(sums + 8 * i, s[i]);
}

static int total_of(const int16_t *sums, int j) { return sums[j] + 2 * sums[COLUMNS + j]; }

#else
#include <immintrin.h>

/* Bytes 2j and 2j + 1 of a vector of indices are both nibbles of column j: `vpmaddubsw` with 1 and 2
 * adds them up to 16 bits, so that sums need no widening. Bytes of weights are in the order of pairs:
 * the low nibbles of a vector are columns 0-15, the high ones columns 16-31. */
#if defined(__AVX512BW__)
void lookup(const int8_t *tables, const uint8_t *weights, int16_t *sums, long fours)
{
    __m512i s[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    const __m512i low = _mm512_set1_epi8(15), ones = _mm512_set1_epi16(0x0201);
    for (long n = 0; n < fours; n += 2) { /* two groups of four inputs: a table per half */
        const __m512i table = _mm512_inserti64x4(
            _mm512_castsi256_si512(_mm256_broadcastsi128_si256(
                _mm_loadu_si128((const __m128i *)(tables + 16 * n)))),
            _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(tables + 16 * n + 16))), 1);
        const __m512i both = _mm512_loadu_si512(weights + COLUMNS * n);
        const __m512i one = _mm512_shuffle_epi8(table, _mm512_and_si512(both, low));
        const __m512i two = _mm512_shuffle_epi8(
            table, _mm512_and_si512(_mm512_srli_epi16(both, 4), low));
        s[0] = _mm512_add_epi16(s[0], _mm512_maddubs_epi16(ones, one));
        s[1] = _mm512_add_epi16(s[1], _mm512_maddubs_epi16(ones, two));
        _mm_prefetch((const char *)(weights + COLUMNS * n + 4096), _MM_HINT_T0);
    }
    for (int i = 0; i < 2; i++)
        _mm256_storeu_si256((__m256i *)(sums + 16 * i),
                            _mm256_add_epi16(_mm512_castsi512_si256(s[i]),
                                             _mm512_extracti64x4_epi64(s[i], 1)));
}
#else
void lookup(const int8_t *tables, const uint8_t *weights, int16_t *sums, long fours)
{
    __m256i s[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    const __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(0x0201);
    for (long n = 0; n < fours; n++) {
        const __m256i table =
            _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(tables + 16 * n)));
        const __m256i both = _mm256_loadu_si256((const __m256i *)(weights + COLUMNS * n));
        const __m256i one = _mm256_shuffle_epi8(table, _mm256_and_si256(both, low));
        const __m256i two =
            _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(both, 4), low));
        s[0] = _mm256_add_epi16(s[0], _mm256_maddubs_epi16(ones, one));
        s[1] = _mm256_add_epi16(s[1], _mm256_maddubs_epi16(ones, two));
        _mm_prefetch((const char *)(weights + COLUMNS * n + 4096), _MM_HINT_T0);
    }
    for (int i = 0; i < 2; i++)
        _mm256_storeu_si256((__m256i *)(sums + 16 * i), s[i]);
}
#endif
#define PAIRS 1
static int total_of(const int16_t *sums, int j) { return sums[j]; }
#endif

static int8_t tables[16 * FOURS];
static uint8_t indices[FOURS][2][COLUMNS], weights[COLUMNS * FOURS + 8192];
static int16_t sums[2 * COLUMNS];

int main(void)
{
    srand(1);
    for (int i = 0; i < 16 * FOURS; i++)
        tables[i] = (int8_t)(rand() % 255 - 127);
    for (int n = 0; n < FOURS; n++)
        for (int j = 0; j < COLUMNS; j++) {
            indices[n][0][j] = (uint8_t)(rand() & 15);
            indices[n][1][j] = (uint8_t)(rand() & 15);
        }
    for (int n = 0; n < FOURS; n++)
        for (int j = 0; j < COLUMNS; j++) {
#ifdef PAIRS
            const int bit = j % 2, column = j / 2;
            weights[COLUMNS * n + j] =
                (uint8_t)(indices[n][bit][column] | indices[n][bit][COLUMNS / 2 + column] << 4);
#else
            weights[COLUMNS * n + j] = (uint8_t)(indices[n][0][j] | indices[n][1][j] << 4);
#endif
        }
    lookup(tables, weights, sums, FOURS);
    for (int j = 0; j < COLUMNS; j++) {
        int wanted = 0;
        for (int n = 0; n < FOURS; n++)
            wanted += tables[16 * n + indices[n][0][j]] + 2 * tables[16 * n + indices[n][1][j]];
        if (total_of(sums, j) != wanted) {
            printf("column %d: %d, not %d\n", j, total_of(sums, j), wanted);
            return 1;
        }
    }
    puts("ok");
    return 0;
}

/* em_core.h - the small functions that generated kernels call.
 *
 * Every function has a portable C99 form; where the compiler says that the core has instructions for
 * it (ACLE macros), these are used. Both give the same bits.
 */
#ifndef EM_CORE_H
#define EM_CORE_H

#include <stdint.h>

#if defined(__ARM_FEATURE_DSP) || defined(__ARM_FEATURE_SIMD32)
#include <arm_acle.h>
#define EM_HAS_DSP 1
#else
#define EM_HAS_DSP 0
#endif

/* gcc orders instructions before it gives them registers, which Thumb cores have too few of: sums of
 * products would be kept on the stack. It orders them again afterwards. Nor may it gather numbers that
 * are stored side by side in a vector: with Helium they would go through the stack.
 */
#if EM_HAS_DSP && defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-schedule-insns", "no-tree-slp-vectorize")
#endif

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#include <arm_mve.h>
#define EM_HAS_MVE 1
#else
#define EM_HAS_MVE 0
#endif

#if defined(__GNUC__)
#define EM_INLINE static inline __attribute__((always_inline, unused))
#else
#define EM_INLINE static inline
#endif

/* ---- the bits of one type as another ---- */

EM_INLINE int32_t em_int32_of_float32(float value)
{
    union { float from; int32_t to; } both;
    both.from = value;
    return both.to;
}

EM_INLINE uint32_t em_uint32_of_float32(float value)
{
    union { float from; uint32_t to; } both;
    both.from = value;
    return both.to;
}

EM_INLINE float em_float32_of_int32(int32_t value)
{
    union { int32_t from; float to; } both;
    both.from = value;
    return both.to;
}

EM_INLINE float em_float32_of_uint32(uint32_t value)
{
    union { uint32_t from; float to; } both;
    both.from = value;
    return both.to;
}

EM_INLINE int64_t em_int64_of_float64(double value)
{
    union { double from; int64_t to; } both;
    both.from = value;
    return both.to;
}

EM_INLINE double em_float64_of_int64(int64_t value)
{
    union { int64_t from; double to; } both;
    both.from = value;
    return both.to;
}

/* ---- memory ---- */

/* Four int8 as a word, the first in its lowest byte; `p` may be odd. */
EM_INLINE int32_t em_load4(const int8_t *p)
{
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
    int32_t word;
    (void)__builtin_memcpy(&word, p, sizeof word);
    return word;
#else
    const uint8_t *b = (const uint8_t *)p;
    uint32_t word = (uint32_t)b[0] | ((uint32_t)b[1] << 8) | ((uint32_t)b[2] << 16)
        | ((uint32_t)b[3] << 24);
    return (int32_t)word;
#endif
}

/* Two int16 as a word, the first in its lower half; `p` is at a multiple of 2. */
EM_INLINE int32_t em_load2(const int16_t *p)
{
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
    int32_t word;
    (void)__builtin_memcpy(&word, p, sizeof word);
    return word;
#else
    return (int32_t)(((uint32_t)(uint16_t)p[0]) | ((uint32_t)(uint16_t)p[1] << 16));
#endif
}

/* ---- halves of a word: two int16 ---- */

EM_INLINE int32_t em_low16(int32_t word)
{
    int32_t half = (int32_t)((uint32_t)word & 0xFFFFu);
    return half < 32768 ? half : half - 65536;
}

EM_INLINE int32_t em_high16(int32_t word)
{
    return em_low16((int32_t)(((uint32_t)word >> 16) & 0xFFFFu));
}

/* The lower (upper) halves of two words: a's below, b's above. */
EM_INLINE int32_t em_lows16(int32_t a, int32_t b)
{
    return (int32_t)(((uint32_t)a & 0xFFFFu) | ((uint32_t)b << 16));
}

EM_INLINE int32_t em_highs16(int32_t a, int32_t b)
{
    return (int32_t)(((uint32_t)a >> 16) | ((uint32_t)b & 0xFFFF0000u));
}

/* acc + a.low * b.low + a.high * b.high; wraps modulo 2^32. */
EM_INLINE int32_t em_smlad(int32_t a, int32_t b, int32_t acc)
{
#if EM_HAS_DSP
    return __smlad((int16x2_t)a, (int16x2_t)b, acc);
#else
    uint32_t low = (uint32_t)(em_low16(a) * em_low16(b));
    uint32_t high = (uint32_t)(em_high16(a) * em_high16(b));
    return (int32_t)((uint32_t)acc + low + high);
#endif
}

/* Bytes 0 and 2 of a word, sign-extended to the halves of the result. */
EM_INLINE int32_t em_sxtb16(int32_t word)
{
#if EM_HAS_DSP
    return (int32_t)__sxtb16((int8x4_t)word);
#else
    uint32_t even = (uint32_t)word & 0x00FF00FFu;
    uint32_t sign = (even & 0x00800080u) << 1;
    return (int32_t)((even | (sign * 0xFFu & 0xFF00FF00u)) & 0xFFFFFFFFu);
#endif
}

/* Bytes 1 and 3 of a word, sign-extended to the halves of the result. */
EM_INLINE int32_t em_sxtb16_ror8(int32_t word)
{
#if EM_HAS_DSP && defined(__GNUC__) && defined(__thumb__)
    int32_t result; /* compilers do not fold the rotation that the instruction has for free */
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(word));
    return result;
#else
    return em_sxtb16((int32_t)(((uint32_t)word >> 8) | ((uint32_t)word << 24)));
#endif
}

/* Codes number P and P + 4 (P + 8) of a word of 4 (2) bit codes, as two int16. */
#if EM_HAS_DSP && defined(__GNUC__) && defined(__thumb__)
#define EM_CODES(BITS, P, MASK) \
    EM_INLINE int32_t em_codes##BITS##_##P(int32_t word) \
    { \
        int32_t result; \
        __asm__("and %0, %1, %2, lsr %3" : "=r"(result) : "r"(MASK), "r"(word), "I"((BITS) * (P))); \
        return result; \
    }
#else
#define EM_CODES(BITS, P, MASK) \
    EM_INLINE int32_t em_codes##BITS##_##P(int32_t word) \
    { \
        return (int32_t)(((uint32_t)word >> ((BITS) * (P))) & (uint32_t)(MASK)); \
    }
#endif
EM_INLINE int32_t em_codes4_0(int32_t word)
{
    return word & 0x000F000F;
}
EM_CODES(4, 1, 0x000F000F)
EM_CODES(4, 2, 0x000F000F)
EM_CODES(4, 3, 0x000F000F)
EM_INLINE int32_t em_codes2_0(int32_t word)
{
    return word & 0x00030003;
}
EM_CODES(2, 1, 0x00030003)
EM_CODES(2, 2, 0x00030003)
EM_CODES(2, 3, 0x00030003)
EM_CODES(2, 4, 0x00030003)
EM_CODES(2, 5, 0x00030003)
EM_CODES(2, 6, 0x00030003)
EM_CODES(2, 7, 0x00030003)

#include "em_sums.h"

#include "em_rows.h"

#endif

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
 * products would be kept on the stack. It orders them again afterwards.
 */
#if EM_HAS_DSP && defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-schedule-insns")
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

/* ---- vectors of 16 bytes: acc + sum of x[i] * code[i] over the first `n` of 16 inputs ----
 *
 * em_mve_TYPE_wBITS_PART. Of weights of 4 (2) bits, byte i holds the codes of inputs i, i + 16
 * (i + 32, i + 48) with an offset; PART says which. `n` of 16 and more is all of them.
 */
#if EM_HAS_MVE
#define EM_MVE_S8(NAME, TYPE, CODES) \
    EM_INLINE int32_t NAME(int32_t acc, const int8_t *x, const TYPE *w, int32_t n) \
    { \
        if (n < 16) { \
            mve_pred16_t some = vctp8q((uint32_t)n); \
            return vmladavaq_p_s8(acc, vldrbq_z_s8(x, some), CODES, some); \
        } \
        return vmladavaq_s8(acc, vldrbq_s8(x), CODES); \
    }
#define EM_MVE_S16(NAME, TYPE, CODES, CODES_8) \
    EM_INLINE int32_t NAME(int32_t acc, const int16_t *x, const TYPE *w, int32_t n) \
    { \
        if (n < 16) { \
            mve_pred16_t some = vctp16q((uint32_t)n); \
            mve_pred16_t rest = vctp16q(n > 8 ? (uint32_t)n - 8u : 0u); \
            acc = vmladavaq_p_s16(acc, vldrhq_z_s16(x, some), CODES, some); \
            return vmladavaq_p_s16(acc, vldrhq_z_s16(x + 8, rest), CODES_8, rest); \
        } \
        acc = vmladavaq_s16(acc, vldrhq_s16(x), CODES); \
        return vmladavaq_s16(acc, vldrhq_s16(x + 8), CODES_8); \
    }
#define EM_BYTES(SHIFTED, MASK) vreinterpretq_s8_u8(vandq_u8(SHIFTED, vdupq_n_u8(MASK)))
#define EM_HALVES(SHIFTED, MASK) vreinterpretq_s16_u16(vandq_u16(SHIFTED, vdupq_n_u16(MASK)))
#define EM_MVE_PART(BITS, PART, SHIFT, MASK) \
    EM_MVE_S8(em_mve_s8_w##BITS##_##PART, uint8_t, \
              EM_BYTES(vshrq_n_u8(vldrbq_u8(w), SHIFT), MASK)) \
    EM_MVE_S16(em_mve_s16_w##BITS##_##PART, uint8_t, \
               EM_HALVES(vshrq_n_u16(vldrbq_u16(w), SHIFT), MASK), \
               EM_HALVES(vshrq_n_u16(vldrbq_u16(w + 8), SHIFT), MASK))
#define EM_MVE_LOW(BITS, MASK) \
    EM_MVE_S8(em_mve_s8_w##BITS##_0, uint8_t, EM_BYTES(vldrbq_u8(w), MASK)) \
    EM_MVE_S16(em_mve_s16_w##BITS##_0, uint8_t, EM_HALVES(vldrbq_u16(w), MASK), \
               EM_HALVES(vldrbq_u16(w + 8), MASK))
EM_MVE_S8(em_mve_s8_w8_0, int8_t, vldrbq_s8(w))
EM_MVE_S16(em_mve_s16_w8_0, int8_t, vldrbq_s16(w), vldrbq_s16(w + 8))
#else
#define EM_MVE_SUM(NAME, X, TYPE, CODE) \
    EM_INLINE int32_t NAME(int32_t acc, const X *x, const TYPE *w, int32_t n) \
    { \
        int32_t i; \
        for (i = 0; i < n && i < 16; ++i) { \
            acc += (int32_t)x[i] * (CODE); \
        } \
        return acc; \
    }
#define EM_MVE_PART(BITS, PART, SHIFT, MASK) \
    EM_MVE_SUM(em_mve_s8_w##BITS##_##PART, int8_t, uint8_t, ((int32_t)w[i] >> (SHIFT)) & (MASK)) \
    EM_MVE_SUM(em_mve_s16_w##BITS##_##PART, int16_t, uint8_t, ((int32_t)w[i] >> (SHIFT)) & (MASK))
#define EM_MVE_LOW(BITS, MASK) EM_MVE_PART(BITS, 0, 0, MASK)
EM_MVE_SUM(em_mve_s8_w8_0, int8_t, int8_t, (int32_t)w[i])
EM_MVE_SUM(em_mve_s16_w8_0, int16_t, int8_t, (int32_t)w[i])
#endif
EM_MVE_LOW(4, 15)
EM_MVE_PART(4, 1, 4, 15)
EM_MVE_LOW(2, 3)
EM_MVE_PART(2, 1, 2, 3)
EM_MVE_PART(2, 2, 4, 3)
EM_MVE_PART(2, 3, 6, 3)

/* The high half of the 64-bit product, rounded down. */
EM_INLINE int32_t em_smmul(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * (int64_t)b) >> 32);
}

EM_INLINE int32_t em_limit(int32_t value, int32_t low, int32_t high)
{
    const int32_t below = value < high ? value : high;
    return below > low ? below : low;
}

/* The whole range of a result: what does not fit becomes the nearest number. */
EM_INLINE int32_t em_whole_s8(int32_t value)
{
#if EM_HAS_DSP
    return __ssat(value, 8);
#else
    return em_limit(value, -128, 127);
#endif
}

EM_INLINE int32_t em_whole_s16(int32_t value)
{
#if EM_HAS_DSP
    return __ssat(value, 16);
#else
    return em_limit(value, -32768, 32767);
#endif
}

/* With the limits as em_limit has them; the instruction knows its own. */
EM_INLINE int32_t em_whole_s8_of(int32_t value, int32_t low, int32_t high)
{
    (void)low;
    (void)high;
    return em_whole_s8(value);
}

EM_INLINE int32_t em_whole_s16_of(int32_t value, int32_t low, int32_t high)
{
    (void)low;
    (void)high;
    return em_whole_s16(value);
}

/* The high half of the 64-bit product, rounded down, + sum; wraps modulo 2^32. */
EM_INLINE int32_t em_smmla(int32_t a, int32_t b, int32_t sum)
{
#if EM_HAS_DSP && defined(__GNUC__) && defined(__thumb__)
    int32_t result; /* compilers do not find this instruction */
    __asm__("smmla %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
#else
    return (int32_t)((uint32_t)em_smmul(a, b) + (uint32_t)sum);
#endif
}

/* ---- four sums of products to four results: the first `count` of them are stored ----
 *
 * ((sum + bias) * left * multiplier / 2^32 + offset) / 2^right, within limits; rounding and the
 * zero point are part of `offset`. There are four of `bias` and `multiplier`, whatever `count` is.
 * em_finish4 keeps the whole range of the result, em_limit4 numbers from `low` to `high`.
 */
#if EM_HAS_MVE
/* Lanes are set one by one: QEMU 7.2 swaps the halves of what vcreateq becomes. */
#define EM_LIMIT4(NAME, TYPE, LIMIT, STORE) \
    EM_INLINE int32_t NAME(int32_t a, int32_t b, int32_t c, int32_t d, const int32_t *bias, \
                           const int32_t *multiplier, int32_t left, int32_t offset, \
                           int32_t right, int32_t low, int32_t high, TYPE *out, int32_t count) \
    { \
        int32x4_t sums = vsetq_lane_s32(b, vdupq_n_s32(a), 1); \
        sums = vsetq_lane_s32(d, vsetq_lane_s32(c, sums, 2), 3); \
        sums = vmulq_n_s32(vaddq_s32(sums, vldrwq_s32(bias)), left); \
        sums = vaddq_n_s32(vmulhq_s32(sums, vldrwq_s32(multiplier)), offset); \
        sums = vminq_s32(vshlq_r_s32(sums, -right), vdupq_n_s32(high)); \
        STORE(out, vmaxq_s32(sums, vdupq_n_s32(low)), vctp32q((uint32_t)count)); \
        return 0; \
    }
#else
#define EM_ONE(LIMIT, SUM, J) \
    LIMIT(em_smmla(((SUM) + bias[J]) * left, multiplier[J], offset) >> right, low, high)
#define EM_LIMIT4(NAME, TYPE, LIMIT, STORE) \
    EM_INLINE int32_t NAME(int32_t a, int32_t b, int32_t c, int32_t d, const int32_t *bias, \
                           const int32_t *multiplier, int32_t left, int32_t offset, \
                           int32_t right, int32_t low, int32_t high, TYPE *out, int32_t count) \
    { \
        const int32_t first = EM_ONE(LIMIT, a, 0), second = EM_ONE(LIMIT, b, 1); \
        const int32_t third = EM_ONE(LIMIT, c, 2), fourth = EM_ONE(LIMIT, d, 3); \
        out[0] = (TYPE)first; \
        if (count > 3) { \
            out[1] = (TYPE)second; \
            out[2] = (TYPE)third; \
            out[3] = (TYPE)fourth; \
        } else if (count > 1) { \
            out[1] = (TYPE)second; \
            if (count > 2) { \
                out[2] = (TYPE)third; \
            } \
        } \
        return 0; \
    }
#endif
EM_LIMIT4(em_limit4_s8, int8_t, em_limit, vstrbq_p_s32)
EM_LIMIT4(em_limit4_s16, int16_t, em_limit, vstrhq_p_s32)
EM_LIMIT4(em_whole4_s8, int8_t, em_whole_s8_of, vstrbq_p_s32)
EM_LIMIT4(em_whole4_s16, int16_t, em_whole_s16_of, vstrhq_p_s32)

EM_INLINE int32_t em_finish4_s8(int32_t a, int32_t b, int32_t c, int32_t d, const int32_t *bias,
                                const int32_t *multiplier, int32_t left, int32_t offset,
                                int32_t right, int8_t *out, int32_t count)
{
    return em_whole4_s8(a, b, c, d, bias, multiplier, left, offset, right, -128, 127, out, count);
}

EM_INLINE int32_t em_finish4_s16(int32_t a, int32_t b, int32_t c, int32_t d, const int32_t *bias,
                                 const int32_t *multiplier, int32_t left, int32_t offset,
                                 int32_t right, int16_t *out, int32_t count)
{
    return em_whole4_s16(a, b, c, d, bias, multiplier, left, offset, right, -32768, 32767, out,
                         count);
}

/* ---- four sums of products are added to others ---- */

EM_INLINE int32_t em_add4(int32_t a, int32_t b, int32_t c, int32_t d, int32_t *out)
{
    const int32_t first = out[0] + a, second = out[1] + b;
    const int32_t third = out[2] + c, fourth = out[3] + d;
    out[0] = first;
    out[1] = second;
    out[2] = third;
    out[3] = fourth;
    return 0;
}

/* With them goes bias * share / 2^shift, rounded. */
EM_INLINE int32_t em_add4_weighted(int32_t a, int32_t b, int32_t c, int32_t d, const int32_t *bias,
                                   int32_t share, int32_t shift, int32_t *out)
{
    const int32_t half = (int32_t)((1u << (uint32_t)shift) >> 1);
    a += (bias[0] * share + half) >> shift;
    b += (bias[1] * share + half) >> shift;
    c += (bias[2] * share + half) >> shift;
    d += (bias[3] * share + half) >> shift;
    return em_add4(a, b, c, d, out);
}

#endif

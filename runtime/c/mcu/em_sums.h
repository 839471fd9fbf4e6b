/* em_sums.h - sums of products: vectors of Helium, and what becomes of four sums at a time.
 *
 * A part of em_core.h, which has it in its place where kernels are written.
 */
/* ---- vectors of 16 bytes: acc + sum of x[i] * code[i] over the first `n` of 16 inputs ----
 *
 * em_mve_TYPE_wBITS_PART. Of weights of 4 (2) bits, byte i holds the codes of inputs i, i + 16
 * (i + 32, i + 48) with an offset; PART says which. `n` of 16 and more is all of them; with
 * less, inputs behind them count as 0, and codes are read of all 16: packed weights are that long.
 */
#if EM_HAS_MVE
#define EM_MVE_S8(NAME, TYPE, CODES) \
    EM_INLINE int32_t NAME(int32_t acc, const int8_t *x, const TYPE *w, int32_t n) \
    { \
        if (n < 16) { \
            mve_pred16_t some = vctp8q((uint32_t)n); \
            return vmladavaq_s8(acc, vldrbq_z_s8(x, some), CODES); \
        } \
        return vmladavaq_s8(acc, vldrbq_s8(x), CODES); \
    }
#define EM_MVE_S16(NAME, TYPE, CODES, CODES_8) \
    EM_INLINE int32_t NAME(int32_t acc, const int16_t *x, const TYPE *w, int32_t n) \
    { \
        if (n < 16) { \
            mve_pred16_t some = vctp16q((uint32_t)n); \
            mve_pred16_t rest = vctp16q(n > 8 ? (uint32_t)n - 8u : 0u); \
            acc = vmladavaq_s16(acc, vldrhq_z_s16(x, some), CODES); \
            return vmladavaq_s16(acc, vldrhq_z_s16(x + 8, rest), CODES_8); \
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

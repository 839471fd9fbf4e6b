/* em_rows.h - whole rows at a time, with vectors of Helium where the core has them.
 *
 * A part of em_core.h, which has it in its place where kernels are written.
 */

/* ---- four columns side by side: sums[j] = sum over k of a[k] * b[k * step + j] ---- */
#if EM_HAS_MVE
#define EM_ACROSS4(A) \
    int32x4_t four = vdupq_n_s32(0); \
    int32_t k; \
    for (k = 0; k < depth; ++k) { \
        four = vmlaq_n_s32(four, vldrbq_s32(b), (int32_t)(A)[k]); \
        b += step; \
    } \
    vstrwq_s32(sums, four); \
    return 0;
#else
#define EM_ACROSS4(A) \
    int32_t j, k; \
    for (j = 0; j < 4; ++j) { \
        sums[j] = 0; \
        for (k = 0; k < depth; ++k) { \
            sums[j] += (int32_t)(A)[k] * (int32_t)b[k * step + j]; \
        } \
    } \
    return 0;
#endif
EM_INLINE int32_t em_across4_s8(const int8_t *a, const int8_t *b, int32_t step, int32_t depth,
                                int32_t *sums)
{
    EM_ACROSS4(a)
}

EM_INLINE int32_t em_across4_s16(const int16_t *a, const int8_t *b, int32_t step, int32_t depth,
                                 int32_t *sums)
{
    EM_ACROSS4(a)
}

/* ---- a row of at most 16 inputs: sums[j] += sum over k of x[k] * w[16 j + k] ----
 *
 * Weights of a column are padded to 16. The row stays in two vectors for all columns, whose number
 * is a multiple of four.
 */
EM_INLINE int32_t em_add_short_s16(const int16_t *x, int32_t depth, const int8_t *w, int32_t *sums,
                                   int32_t columns)
{
    int32_t j;
#if EM_HAS_MVE && defined(__GNUC__)
    const int16x8_t low = vldrhq_z_s16(x, vctp16q((uint32_t)depth));
    const int16x8_t high = vldrhq_z_s16(x + 8, vctp16q(depth > 8 ? (uint32_t)depth - 8u : 0u));
    for (j = 0; j < columns; j += 4) {
        int16x8_t codes; /* compilers move sums of several columns through other registers */
#define EM_COLUMN(SUM) \
    "vldrb.s16 %q2, [%1], #8\n vmladava.s16 " SUM ", %q3, %q2\n" \
    "vldrb.s16 %q2, [%1], #8\n vmladava.s16 " SUM ", %q4, %q2\n"
        __asm__ volatile("ldm %0, {r0, r2, r4, r6}\n" EM_COLUMN("r0") EM_COLUMN("r2") EM_COLUMN("r4")
                EM_COLUMN("r6") "stm %0!, {r0, r2, r4, r6}\n"
                : "+r"(sums), "+l"(w), "=&w"(codes)
                : "w"(low), "w"(high)
                : "r0", "r2", "r4", "r6", "memory");
#undef EM_COLUMN
    }
#else
    int32_t k;
    for (j = 0; j < columns; ++j) {
        for (k = 0; k < depth; ++k) {
            sums[j] += (int32_t)x[k] * (int32_t)w[16 * j + k];
        }
    }
#endif
    return 0;
}

/* ---- out[i] = values[x[i]]; `values` points to the entry of 0, in the middle of a table ---- */
EM_INLINE int32_t em_table_s8(const int8_t *x, const int8_t *values, int8_t *out, int32_t count)
{
    int32_t i = 0;
#if EM_HAS_MVE
    const uint8x16_t middle = vdupq_n_u8(128);
    for (; i + 16 <= count; i += 16) {
        const uint8x16_t at = veorq_u8(vreinterpretq_u8_s8(vldrbq_s8(x + i)), middle);
        vstrbq_s8(out + i, vldrbq_gather_offset_s8(values - 128, at));
    }
#endif
    for (; i < count; ++i) {
        out[i] = values[x[i]];
    }
    return 0;
}

/* ---- out[i] = (x[i] * weight + more) / 2^right, rounded down, as int16 ---- */
#if EM_HAS_MVE
#define EM_WEIGH(LOAD) \
    int32_t i = 0; \
    for (; i + 4 <= count; i += 4) { \
        const int32x4_t sum = vaddq_n_s32(vmulq_n_s32(LOAD(x + i), weight), more); \
        vstrhq_s32(out + i, vshlq_r_s32(sum, -right)); \
    }
#else
#define EM_WEIGH(LOAD) int32_t i = 0;
#endif
#define EM_WEIGH_ROW(NAME, TYPE, LOAD) \
    EM_INLINE int32_t NAME(const TYPE *x, int32_t weight, int32_t more, int32_t right, \
                           int16_t *out, int32_t count) \
    { \
        EM_WEIGH(LOAD) \
        for (; i < count; ++i) { \
            out[i] = (int16_t)(((int32_t)x[i] * weight + more) >> right); \
        } \
        return 0; \
    }
EM_WEIGH_ROW(em_weigh_s8, int8_t, vldrbq_s32)
EM_WEIGH_ROW(em_weigh_s16, int16_t, vldrhq_s32)

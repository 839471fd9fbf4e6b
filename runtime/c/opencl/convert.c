/* convert.c - elements on their way to the device and back: it holds float, half, int and uint. */
#include "host.h"

#include <string.h>

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

static float float_of_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t exponent = (half >> 10) & 0x1fu;
    const uint32_t fraction = half & 0x3ffu;
    if (exponent == 31)
        return float_of_bits(sign | 0x7f800000u | (fraction << 13));
    if (exponent == 0) { /* fraction * 2^-24 is exact */
        const float value = (float)fraction * (1.0f / 16777216.0f);
        return sign != 0 ? -value : value;
    }
    return float_of_bits(sign | ((exponent + 112u) << 23) | (fraction << 13));
}

/* The nearest half, ties to even. */
static uint16_t half_of_float(float value)
{
    const uint32_t bits = bits_of_float(value);
    const uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) /* rounds to 65536 or more */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x38800000u) { /* a subnormal: adding 2^-1 * 2^... lets the sum round */
        const float moved = float_of_bits(magnitude) + 0.5f;
        return (uint16_t)(sign | (bits_of_float(moved) - 0x3f000000u));
    }
    const uint32_t rounded = magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u);
    return (uint16_t)(sign | (rounded >> 13));
}

static uint16_t bfloat_of_float(float value)
{
    const uint32_t bits = bits_of_float(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((bits >> 16) | 0x40u);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

static float load_float(int32_t dtype, const unsigned char *from)
{
    uint16_t half;
    float single;
    double wide;
    switch (dtype) {
    case EM_FLOAT64:
        memcpy(&wide, from, 8);
        return (float)wide;
    case EM_FLOAT16:
        memcpy(&half, from, 2);
        return float_of_half(half);
    case EM_BFLOAT16:
        memcpy(&half, from, 2);
        return float_of_bits((uint32_t)half << 16);
    default:
        memcpy(&single, from, 4);
        return single;
    }
}

static void store_float(int32_t dtype, float value, unsigned char *to)
{
    uint16_t half;
    const double wide = value;
    switch (dtype) {
    case EM_FLOAT64:
        memcpy(to, &wide, 8);
        return;
    case EM_FLOAT16:
        half = half_of_float(value);
        memcpy(to, &half, 2);
        return;
    case EM_BFLOAT16:
        half = bfloat_of_float(value);
        memcpy(to, &half, 2);
        return;
    default:
        memcpy(to, &value, 4);
    }
}

/* *large is set for an uint64 above the range of int64. */
static int64_t load_int(int32_t dtype, const unsigned char *from, int32_t *large)
{
    int8_t i1;
    int16_t i2;
    uint16_t u2;
    int32_t i4;
    uint32_t u4;
    int64_t i8;
    switch (dtype) {
    case EM_INT8:
        memcpy(&i1, from, 1);
        return i1;
    case EM_INT16:
        memcpy(&i2, from, 2);
        return i2;
    case EM_UINT16:
        memcpy(&u2, from, 2);
        return u2;
    case EM_INT32:
        memcpy(&i4, from, 4);
        return i4;
    case EM_UINT32:
        memcpy(&u4, from, 4);
        return u4;
    case EM_INT64:
        memcpy(&i8, from, 8);
        return i8;
    case EM_UINT64:
        memcpy(&i8, from, 8);
        *large |= i8 < 0;
        return i8;
    case EM_BOOL:
        return from[0] != 0;
    default:
        return from[0]; /* uint8 */
    }
}

static void store_int(int32_t dtype, int64_t value, unsigned char *to)
{
    const int8_t i1 = (int8_t)value;
    const int16_t i2 = (int16_t)value;
    const int32_t i4 = (int32_t)value;
    switch (em_dtype_bytes(dtype)) {
    case 8:
        memcpy(to, &value, 8);
        return;
    case 4:
        memcpy(to, &i4, 4);
        return;
    case 2:
        memcpy(to, &i2, 2);
        return;
    default:
        if (dtype == EM_BOOL)
            to[0] = value != 0;
        else
            memcpy(to, &i1, 1);
    }
}

static int32_t is_float(int32_t dtype) { return dtype <= EM_BFLOAT16; }

em_status em_cl_check_values(int32_t input, const void *data, size_t count)
{
    const em_tensor_info *info = &em_this_model.inputs[input];
    const int32_t dtype = em_this_model.input_dtypes[input];
    const int64_t least = dtype == EM_UINT32 ? 0 : INT32_MIN;
    const int64_t most = dtype == EM_UINT32 ? (int64_t)UINT32_MAX : INT32_MAX;
    const size_t width = em_dtype_bytes(info->dtype);
    const unsigned char *p = data;
    if (is_float(dtype) || info->dtype == dtype || (width < 4 && dtype != EM_UINT32))
        return EM_OK; /* every value fits */
    for (size_t i = 0; i < count; i++, p += width) {
        int32_t large = 0;
        const int64_t value = load_int(info->dtype, p, &large);
        if (large || value < least || value > most)
            return em_fail(EM_ERROR_INPUT,
                           "input '%s' holds %lld, outside of %lld to %lld: GPUs compute with "
                           "32-bit integers; give smaller ones, or run the model on a CPU",
                           info->name, (long long)value, (long long)least, (long long)most);
    }
    return EM_OK;
}

void em_cl_convert(int32_t dtype, int32_t wanted, const void *from, void *to, size_t count)
{
    const size_t step = em_dtype_bytes(dtype), width = em_dtype_bytes(wanted);
    const unsigned char *source = from;
    unsigned char *target = to;
    int32_t large = 0;
    if (wanted == dtype) {
        memcpy(to, from, count * step);
        return;
    }
    for (size_t i = 0; i < count; i++, source += step, target += width) {
        if (is_float(wanted))
            store_float(wanted, load_float(dtype, source), target);
        else
            store_int(wanted, load_int(dtype, source, &large), target);
    }
}

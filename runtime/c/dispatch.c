/* dispatch.c - checks of the caller's arrays, and which variant runs how many tokens. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
} DTYPES[] = {{"float32", 4}, {"float64", 8}, {"float16", 2}, {"bfloat16", 2}, {"int8", 1},
              {"uint8", 1},   {"int16", 2},   {"uint16", 2},  {"int32", 4},    {"uint32", 4},
              {"int64", 8},   {"uint64", 8},  {"bool", 1}};
#define DTYPE_COUNT ((int32_t)(sizeof DTYPES / sizeof DTYPES[0]))

const char *em_dtype_name(int32_t dtype)
{
    return dtype >= 0 && dtype < DTYPE_COUNT ? DTYPES[dtype].name : "unknown";
}

size_t em_dtype_bytes(int32_t dtype)
{
    return dtype >= 0 && dtype < DTYPE_COUNT ? DTYPES[dtype].bytes : 0;
}

size_t em_tensor_bytes(const em_tensor *tensor)
{
    if (tensor == NULL || tensor->rank < 0 || tensor->rank > EM_MAX_RANK)
        return 0;
    size_t bytes = em_dtype_bytes(tensor->dtype);
    for (int32_t i = 0; i < tensor->rank; i++)
        bytes *= (size_t)tensor->shape[i];
    return bytes;
}

void em_expect(const em_tensor_info *info, int64_t tokens, em_tensor *tensor)
{
    tensor->dtype = info->dtype;
    tensor->rank = info->rank;
    for (int32_t i = 0; i < EM_MAX_RANK; i++)
        tensor->shape[i] = i >= info->rank ? 1 : i == info->token_axis ? tokens : info->shape[i];
}

/* "[8, n, 3]": a shape as text; -1 is written as n. */
static const char *shape_text(const int64_t *shape, int32_t rank, char *text, size_t room)
{
    size_t used = (size_t)snprintf(text, room, "[");
    for (int32_t i = 0; i < rank && i < EM_MAX_RANK && used < room; i++) {
        const char *comma = i ? ", " : "";
        if (shape[i] < 0)
            used += (size_t)snprintf(text + used, room - used, "%sn", comma);
        else
            used += (size_t)snprintf(text + used, room - used, "%s%lld", comma,
                                     (long long)shape[i]);
    }
    if (used < room)
        snprintf(text + used, room - used, "]");
    return text;
}

static int matches(const em_tensor_info *info, const em_tensor *tensor, int64_t tokens)
{
    if (tensor->dtype != info->dtype || tensor->rank != info->rank)
        return 0;
    for (int32_t i = 0; i < info->rank; i++) {
        const int64_t want = i == info->token_axis ? tokens : info->shape[i];
        if (want >= 0 ? tensor->shape[i] != want : tensor->shape[i] < 1)
            return 0;
    }
    return 1;
}

static em_status mismatch(em_status status, const char *kind, const em_tensor_info *info,
                          const em_tensor *given, int64_t tokens)
{
    char got[256], want[256];
    int64_t shape[EM_MAX_RANK] = {0};
    for (int32_t i = 0; i < info->rank; i++)
        shape[i] = i == info->token_axis ? tokens : info->shape[i];
    return em_fail(status, "%s '%s' is %s %s, expected %s %s", kind, info->name,
                   em_dtype_name(given->dtype),
                   shape_text(given->shape, given->rank, got, sizeof got),
                   em_dtype_name(info->dtype), shape_text(shape, info->rank, want, sizeof want));
}

em_status em_check_inputs(const em_tensor *inputs, int32_t count, int64_t *tokens)
{
    const em_description *m = &em_this_model;
    if (count != m->input_count || (count > 0 && inputs == NULL))
        return em_fail(EM_ERROR_INPUT, "model '%s' has %d inputs, %d were given", m->name,
                       (int)m->input_count, (int)count);
    const char *first = "";
    *tokens = -1;
    for (int32_t i = 0; i < count; i++) {
        const em_tensor_info *info = &m->inputs[i];
        if (inputs[i].data == NULL) {
            if (info->state >= 0)
                continue;
            return em_fail(EM_ERROR_INPUT, "input '%s' has no data; only states may be left out",
                           info->name);
        }
        if (!matches(info, &inputs[i], -1))
            return mismatch(EM_ERROR_INPUT, "input", info, &inputs[i], -1);
        if (info->token_axis < 0)
            continue;
        const int64_t n = inputs[i].shape[info->token_axis];
        if (*tokens >= 0 && n != *tokens)
            return em_fail(EM_ERROR_INPUT,
                           "input '%s' has %lld tokens, input '%s' has %lld; they must be equal",
                           info->name, (long long)n, first, (long long)*tokens);
        *tokens = n;
        first = info->name;
    }
    return EM_OK;
}

em_status em_check_outputs(const em_tensor *inputs, const em_tensor *outputs, int32_t count,
                           int64_t tokens)
{
    const em_description *m = &em_this_model;
    if (count != m->output_count || (count > 0 && outputs == NULL))
        return em_fail(EM_ERROR_OUTPUT, "model '%s' has %d outputs, room for %d was given",
                       m->name, (int)m->output_count, (int)count);
    for (int32_t i = 0; i < count; i++) {
        const em_tensor_info *info = &m->outputs[i];
        if (outputs[i].data == NULL) {
            if (info->state >= 0 && inputs[info->state].data == NULL)
                continue;
            return em_fail(EM_ERROR_OUTPUT, "output '%s' has no data%s", info->name,
                           info->state >= 0 ? "; it may be left out only when its state input is"
                                            : "");
        }
        if (!matches(info, &outputs[i], tokens))
            return mismatch(EM_ERROR_OUTPUT, "output", info, &outputs[i], tokens);
    }
    return EM_OK;
}

static em_status no_variant(int64_t tokens, const char *why)
{
    char buckets[256] = "";
    size_t used = 0;
    for (int32_t i = 0; i < em_this_model.variant_count && used < sizeof buckets; i++)
        used += (size_t)snprintf(buckets + used, sizeof buckets - used, "%s%lld", i ? ", " : "",
                                 (long long)em_this_model.variants[i].tokens);
    return em_fail(EM_ERROR_TOKENS,
                   "no variant of model '%s' runs %lld tokens: it was compiled for %s tokens%s; "
                   "give one of these, or compile with --tokens ...,%lld",
                   em_this_model.name, (long long)tokens, buckets, why, (long long)tokens);
}

em_status em_choose(int64_t tokens, int64_t remaining, int32_t *variant, int64_t *take)
{
    const em_description *m = &em_this_model;
    *take = remaining;
    *variant = 0;
    if (tokens < 0)
        return EM_OK; /* no token axis: one variant */
    int32_t below = -1, above = -1;
    for (int32_t i = 0; i < m->variant_count; i++) {
        if (m->variants[i].tokens <= remaining)
            below = i;
        else if (above < 0)
            above = i;
    }
    if (below >= 0 && m->variants[below].tokens == remaining) {
        *variant = below;
        return EM_OK;
    }
    if (m->dispatch == EM_DISPATCH_PAD && above >= 0) {
        *variant = above;
        return EM_OK;
    }
    if (m->dispatch == EM_DISPATCH_SPLIT && below >= 0) {
        *variant = below;
        *take = m->variants[below].tokens;
        return EM_OK;
    }
    if (m->dispatch == EM_DISPATCH_SPLIT && m->pad_ok && above >= 0) {
        *variant = above;
        return EM_OK;
    }
    if (m->dispatch == EM_DISPATCH_STATIC)
        return no_variant(tokens, "");
    if (m->dispatch == EM_DISPATCH_PAD)
        return no_variant(tokens, " and pads up to the largest of them");
    return no_variant(tokens, " and splits into these, but the rest is below the smallest and "
                              "padding would change results");
}

em_status em_check_tokens(int64_t tokens)
{
    int64_t remaining = tokens, take;
    int32_t variant;
    const em_description *m = &em_this_model;
    const int64_t largest = m->variants[m->variant_count - 1].tokens;
    if (tokens > largest && m->dispatch == EM_DISPATCH_SPLIT && largest > 0)
        remaining = tokens % largest; /* the chunks before it all have the largest size */
    while (remaining > 0) {
        const em_status status = em_choose(tokens, remaining, &variant, &take);
        if (status != EM_OK)
            return status;
        remaining -= take;
    }
    return EM_OK;
}

/* questions.c - errors, and what the model expects and gives. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>

#if defined(__GNUC__)
static __thread char last_error[1024];
#else
static char last_error[1024];
#endif

em_status em_fail(em_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    return status;
}

void em_clear_error(void) { last_error[0] = '\0'; }

const char *em_last_error(void) { return last_error; }

em_status em_output_shape(const em_model *model, const em_tensor *inputs, int32_t input_count,
                          int32_t index, em_tensor *output)
{
    int64_t tokens;
    em_clear_error();
    if (model == NULL || output == NULL || index < 0 || index >= em_this_model.output_count)
        return em_fail(EM_ERROR_ARGUMENT, "em_output_shape: model '%s' has outputs 0 to %d",
                       em_this_model.name, (int)em_this_model.output_count - 1);
    const em_status status = em_check_inputs(inputs, input_count, &tokens);
    if (status == EM_OK)
        em_expect(&em_this_model.outputs[index], tokens, output);
    return status;
}

const em_tensor_info *em_input_info(const em_model *model, int32_t index)
{
    (void)model;
    return index >= 0 && index < em_this_model.input_count ? &em_this_model.inputs[index] : NULL;
}

const em_tensor_info *em_output_info(const em_model *model, int32_t index)
{
    (void)model;
    return index >= 0 && index < em_this_model.output_count ? &em_this_model.outputs[index] : NULL;
}

int64_t em_bucket(const em_model *model, int32_t index)
{
    (void)model;
    return index >= 0 && index < em_this_model.variant_count ? em_this_model.variants[index].tokens
                                                              : -1;
}

int32_t em_bucket_count(const em_model *model)
{
    (void)model;
    return em_this_model.variants[0].tokens < 0 ? 0 : em_this_model.variant_count;
}

size_t em_arena_bytes(const em_model *model)
{
    size_t most = 0;
    (void)model;
    for (int32_t i = 0; i < em_this_model.variant_count; i++)
        if (em_this_model.variants[i].arena_bytes > most)
            most = em_this_model.variants[i].arena_bytes;
    return most;
}

int32_t em_input_count(const em_model *model) { (void)model; return em_this_model.input_count; }
int32_t em_output_count(const em_model *model) { (void)model; return em_this_model.output_count; }
const char *em_model_name(const em_model *model) { (void)model; return em_this_model.name; }

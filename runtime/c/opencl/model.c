/* model.c - handles: opening, closing, errors and questions. */
#include "host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

em_status em_cl_fail(const em_model *model, cl_int code, const char *doing)
{
    switch (code) {
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_RESOURCES:
    case CL_OUT_OF_HOST_MEMORY:
    case CL_INVALID_BUFFER_SIZE:
        return em_fail(EM_ERROR_MEMORY,
                       "%s has too little memory (%s, OpenCL error %d); compile with smaller "
                       "--tokens or a narrower --precision, close other programs, or choose "
                       "another device",
                       model->device_name, doing, (int)code);
    case CL_DEVICE_NOT_AVAILABLE:
    case CL_INVALID_DEVICE:
    case CL_INVALID_CONTEXT:
    case CL_INVALID_COMMAND_QUEUE:
        return em_fail(EM_ERROR_DEVICE,
                       "%s is lost (OpenCL error %d); close the model and open it again",
                       model->device_name, (int)code);
    default:
        return em_fail(EM_ERROR_DEVICE, "%s cannot %s (OpenCL error %d)", model->device_name,
                       doing, (int)code);
    }
}

em_status em_open(const char *dir, const em_options *options, em_model **model)
{
    static const em_options defaults = {0, 0, NULL};
    em_clear_error();
    if (model == NULL || dir == NULL)
        return em_fail(EM_ERROR_ARGUMENT, "em_open: `dir` and `model` must not be NULL");
    *model = NULL;
    if (options == NULL)
        options = &defaults;
    em_model *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return em_fail(EM_ERROR_MEMORY, "out of memory when opening model '%s'", em_cl_model.name);
    em_status status = em_cl_open_device(opened, options->device);
    if (status == EM_OK)
        status = em_cl_build(opened, dir, options->cache);
    if (status == EM_OK)
        status = em_cl_allocate(opened, dir, options->verify);
    if (status != EM_OK) {
        em_close(opened);
        return status;
    }
    *model = opened;
    return EM_OK;
}

static void release(cl_mem memory)
{
    if (memory != NULL)
        clReleaseMemObject(memory);
}

static void close_recording(em_cl_recording *recording, const em_cl_variant *variant)
{
    for (int32_t s = 0; s < variant->step_count && recording->kernels != NULL; s++)
        if (recording->kernels[s] != NULL)
            clReleaseKernel(recording->kernels[s]);
    for (int32_t b = 0; b < variant->buffer_count && recording->views != NULL; b++)
        release(recording->views[b]);
    free(recording->kernels);
    free(recording->views);
}

void em_close(em_model *model)
{
    const em_cl_description *m = &em_cl_model;
    if (model == NULL)
        return;
    if (model->queue != NULL)
        clFinish(model->queue);
    for (int32_t r = 0; r < 2 * m->variant_count && model->recordings != NULL; r++)
        close_recording(&model->recordings[r], &m->variants[r / 2]);
    for (int32_t i = 0; i < m->input_count && model->inputs != NULL; i++)
        release(model->inputs[i]);
    for (int32_t i = 0; i < m->input_count && model->spares != NULL; i++)
        release(model->spares[i]);
    for (int32_t i = 0; i < m->output_count && model->outputs != NULL; i++)
        release(model->outputs[i]);
    for (int32_t p = 0; p < model->page_count; p++)
        release(model->pages[p].memory);
    release(model->arena);
    for (int32_t k = 0; k < m->kernel_count && model->programs != NULL; k++)
        if (model->programs[k] != NULL)
            clReleaseProgram(model->programs[k]);
    if (model->queue != NULL)
        clReleaseCommandQueue(model->queue);
    if (model->context != NULL)
        clReleaseContext(model->context);
    free(model->recordings);
    free(model->inputs);
    free(model->spares);
    free(model->zero);
    free(model->outputs);
    free(model->pages);
    free(model->programs);
    free(model->stage);
    free(model);
}

em_status em_state_reset(em_model *model)
{
    em_clear_error();
    if (model == NULL)
        return em_fail(EM_ERROR_ARGUMENT, "em_state_reset: `model` must not be NULL");
    memset(model->zero, 1, (size_t)em_cl_model.input_count);
    return EM_OK;
}

em_status em_output_shape(const em_model *model, const em_tensor *inputs, int32_t input_count,
                          int32_t index, em_tensor *output)
{
    int64_t tokens;
    em_clear_error();
    if (model == NULL || output == NULL || index < 0 || index >= em_cl_model.output_count)
        return em_fail(EM_ERROR_ARGUMENT, "em_output_shape: model '%s' has outputs 0 to %d",
                       em_cl_model.name, (int)em_cl_model.output_count - 1);
    const em_status status = em_cl_check(inputs, input_count, &tokens);
    if (status == EM_OK)
        em_cl_expect(&em_cl_model.outputs[index], tokens, output);
    return status;
}

size_t em_state_bytes(const em_model *model)
{
    size_t bytes = 0;
    (void)model;
    for (int32_t i = 0; i < em_cl_model.input_count; i++)
        if (em_cl_is_held(i))
            bytes += em_cl_model.input_bytes[i] * (em_cl_model.in_place[i] ? 1 : 2);
    return bytes;
}

const em_tensor_info *em_input_info(const em_model *model, int32_t index)
{
    (void)model;
    return index >= 0 && index < em_cl_model.input_count ? &em_cl_model.inputs[index] : NULL;
}

const em_tensor_info *em_output_info(const em_model *model, int32_t index)
{
    (void)model;
    return index >= 0 && index < em_cl_model.output_count ? &em_cl_model.outputs[index] : NULL;
}

int64_t em_bucket(const em_model *model, int32_t index)
{
    (void)model;
    return index >= 0 && index < em_cl_model.variant_count ? em_cl_model.variants[index].tokens
                                                            : -1;
}

int32_t em_bucket_count(const em_model *model)
{
    (void)model;
    return em_cl_model.variants[0].tokens < 0 ? 0 : em_cl_model.variant_count;
}

int32_t em_input_count(const em_model *model) { (void)model; return em_cl_model.input_count; }
int32_t em_output_count(const em_model *model) { (void)model; return em_cl_model.output_count; }
size_t em_arena_bytes(const em_model *model) { (void)model; return em_cl_model.arena_bytes; }
const char *em_model_name(const em_model *model) { (void)model; return em_cl_model.name; }
int32_t em_kernels_built(const em_model *model) { return model == NULL ? 0 : model->kernels_built; }
const char *em_device_name(const em_model *model)
{
    return model == NULL ? "" : model->device_name;
}

/* model.c - handles: opening, closing, errors of the driver and states. */
#include "host.h"

#include <stdlib.h>
#include <string.h>

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
        return em_fail(EM_ERROR_MEMORY, "out of memory when opening model '%s'", em_this_model.name);
    em_status status = em_cl_open_device(opened, options->device);
    if (status == EM_OK)
        status = em_cl_build(opened, dir, options->cache);
    if (status == EM_OK)
        status = em_cl_allocate(opened, dir, options->verify);
#ifdef EM_JOINT
    if (status == EM_OK)
        status = em_cl_joint_open(opened, dir);
#endif
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

static void close_recording(em_cl_recording *recording, const em_variant *variant)
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
    const em_description *m = &em_this_model;
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
#ifdef EM_JOINT
    em_cl_joint_close(model);
#endif
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
    memset(model->zero, 1, (size_t)em_this_model.input_count);
    return EM_OK;
}

size_t em_state_bytes(const em_model *model)
{
    size_t bytes = 0;
    (void)model;
    for (int32_t i = 0; i < em_this_model.input_count; i++)
        if (em_cl_is_held(i))
            bytes += em_this_model.input_bytes[i] * (em_this_model.in_place[i] ? 1 : 2);
    return bytes;
}

int32_t em_kernels_built(const em_model *model) { return model == NULL ? 0 : model->kernels_built; }
const char *em_device_name(const em_model *model)
{
    return model == NULL ? "" : model->device_name;
}

/* run.c - em_run: slices the tokens into variants, moves states, enqueues the steps. */
#include "host.h"

#include <stdlib.h>
#include <string.h>

/* ---- recordings: the arguments of every step are set once ---- */

static cl_mem whole(const em_model *model, const em_cl_buffer *buffer)
{
    if (buffer->where == EM_IN_ARENA)
        return model->arena;
    if (buffer->where == EM_IN_INPUT)
        return em_cl_is_held(buffer->index) ? em_cl_state(model, buffer->index, 0)
                                            : model->inputs[buffer->index];
    if (buffer->where == EM_IN_OUTPUT) {
        const int32_t state = em_this_model.outputs[buffer->index].state;
        return state < 0 ? model->outputs[buffer->index] : em_cl_state(model, state, 1);
    }
    return NULL;
}

static em_status view_of(const em_model *model, const em_cl_buffer *buffer, cl_mem *view)
{
    cl_mem memory = whole(model, buffer);
    cl_buffer_region region = {0, 0};
    cl_int code = CL_SUCCESS;
    region.origin = buffer->offset;
    region.size = buffer->bytes;
    if (buffer->where <= EM_IN_OUTPUT) { /* from its first byte on */
        clRetainMemObject(memory);
        *view = memory;
        return EM_OK;
    }
    if (buffer->where == EM_IN_WEIGHTS)
        for (int32_t p = 0; p < model->page_count; p++)
            if (model->pages[p].begin <= buffer->offset &&
                buffer->offset + buffer->bytes <= model->pages[p].end) {
                memory = model->pages[p].memory;
                region.origin = buffer->offset - model->pages[p].begin;
            }
    *view = clCreateSubBuffer(memory, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region,
                              &code);
    return code == CL_SUCCESS ? EM_OK : em_cl_fail(model, code, "place a buffer");
}

static em_status record_step(const em_model *model, const em_variant *variant,
                             const em_cl_recording *recording, const em_cl_step *step,
                             cl_kernel *kernel)
{
    cl_int code = CL_SUCCESS;
    const int32_t *arguments = variant->arguments + step->first;
    if (em_this_model.kernels[step->kernel].copies &&
        recording->views[arguments[0]] == recording->views[arguments[1]])
        return EM_OK;
    *kernel = clCreateKernel(model->programs[step->kernel], em_this_model.kernels[step->kernel].name,
                             &code);
    for (int32_t a = 0; a < step->count && code == CL_SUCCESS; a++) {
        code = clSetKernelArg(*kernel, (cl_uint)a, sizeof(cl_mem),
                              &recording->views[arguments[a]]);
    }
    return code == CL_SUCCESS ? EM_OK : em_cl_fail(model, code, "prepare a step");
}

static em_status record(em_model *model, int32_t number, em_cl_recording **made)
{
    const em_variant *variant = &em_this_model.variants[number];
    em_cl_recording *recording = &model->recordings[2 * number + model->parity];
    em_status status = EM_OK;
    *made = recording;
    if (recording->kernels != NULL)
        return EM_OK;
    recording->views = calloc((size_t)variant->buffer_count + 1, sizeof(cl_mem));
    cl_kernel *kernels = calloc((size_t)variant->step_count + 1, sizeof(cl_kernel));
    if (recording->views == NULL || kernels == NULL) {
        free(kernels);
        return em_fail(EM_ERROR_MEMORY, "out of memory in a run of model '%s'", em_this_model.name);
    }
    for (int32_t b = 0; b < variant->buffer_count && status == EM_OK; b++)
        status = view_of(model, &variant->buffers[b], &recording->views[b]);
    for (int32_t s = 0; s < variant->step_count && status == EM_OK; s++)
        status = record_step(model, variant, recording, &variant->steps[s], &kernels[s]);
    recording->kernels = kernels;
    return status;
}

em_status em_cl_enqueue(em_model *model, int32_t variant, const em_cl_recording *recording,
                        int32_t number)
{
    const em_cl_step *step = &em_this_model.variants[variant].steps[number];
    const size_t local = em_this_model.kernels[step->kernel].threads;
    const size_t global = step->groups * local;
    if (recording->kernels[number] == NULL)
        return EM_OK;
    const cl_int code = clEnqueueNDRangeKernel(model->queue, recording->kernels[number], 1, NULL,
                                               &global, &local, 0, NULL, NULL);
    return code == CL_SUCCESS ? EM_OK : em_cl_fail(model, code, "run a step");
}

static em_status run_steps(em_model *model, int32_t number)
{
    em_cl_recording *recording;
    em_status status = record(model, number, &recording);
#ifdef EM_JOINT
    return status == EM_OK ? em_cl_joint_run(model, number, recording) : status;
#else
    for (int32_t s = 0; s < em_this_model.variants[number].step_count && status == EM_OK; s++)
        status = em_cl_enqueue(model, number, recording, s);
    return status;
#endif
}

/* ---- inputs and outputs ---- */

static size_t elements(const em_tensor *tensor)
{
    size_t count = 1;
    for (int32_t i = 0; i < tensor->rank; i++)
        count *= (size_t)tensor->shape[i];
    return count;
}

static em_cl_rows rows_of(const em_tensor_info *info, const em_tensor *tensor, const em_cl_chunk *chunk)
{
    em_cl_rows r = {1, 1, 1, 1, 1, 0};
    if (info->token_axis < 0) {
        r.row = elements(tensor);
        return r;
    }
    for (int32_t i = 0; i < info->rank; i++)
        if (i < info->token_axis)
            r.outer *= (size_t)info->shape[i];
        else if (i > info->token_axis)
            r.row *= (size_t)info->shape[i];
    r.bucket = (size_t)em_this_model.variants[chunk->variant].tokens;
    r.take = (size_t)chunk->take;
    r.tokens = (size_t)chunk->tokens;
    r.begin = (size_t)chunk->begin;
    return r;
}

static size_t up(size_t bytes) { return (bytes + 3) / 4 * 4; }

static em_status write_input(em_model *model, const em_tensor *input, int32_t i,
                             const em_cl_chunk *chunk)
{
    const em_tensor_info *info = &em_this_model.inputs[i];
    const int32_t dtype = em_this_model.input_dtypes[i];
    const size_t width = em_dtype_bytes(dtype), from_width = em_dtype_bytes(info->dtype);
    const em_cl_rows r = rows_of(info, input, chunk);
    const size_t bytes = r.outer * r.bucket * r.row * width;
    const unsigned char *from = input->data;
#ifdef EM_JOINT
    em_cl_joint_input(model, input, i, &r, chunk->variant);
#endif
    if (bytes > em_this_model.input_bytes[i]) /* no step of the device reads it in this variant */
        return EM_OK;
    const em_status status = em_stage_need(model, up(bytes));
    if (status != EM_OK)
        return status;
    memset(model->stage, 0, up(bytes));
    for (size_t k = 0; k < r.outer; k++)
        em_cl_convert(info->dtype, dtype, from + (k * r.tokens + r.begin) * r.row * from_width,
                      model->stage + k * r.bucket * r.row * width, r.take * r.row);
    cl_mem memory = em_cl_is_held(i) ? em_cl_state(model, i, 0) : model->inputs[i];
    const cl_int code = clEnqueueWriteBuffer(model->queue, memory, CL_TRUE, 0, up(bytes),
                                             model->stage, 0, NULL, NULL);
    return code == CL_SUCCESS ? EM_OK : em_cl_fail(model, code, "take an input");
}

static em_status read_output(em_model *model, const em_tensor *output, int32_t i,
                             const em_cl_chunk *chunk)
{
    const em_tensor_info *info = &em_this_model.outputs[i];
    const int32_t dtype = em_this_model.output_dtypes[i];
    const size_t width = em_dtype_bytes(dtype), to_width = em_dtype_bytes(info->dtype);
    const em_cl_rows r = rows_of(info, output, chunk);
    const size_t bytes = r.outer * r.bucket * r.row * width;
#ifdef EM_JOINT
    if (info->state < 0 && em_cl_joint_output(model, output, i, &r, chunk->variant))
        return EM_OK;
#endif
    const em_status status = em_stage_need(model, up(bytes));
    if (status != EM_OK)
        return status;
    cl_mem memory = info->state >= 0 ? em_cl_state(model, info->state, 0) : model->outputs[i];
    const cl_int code = clEnqueueReadBuffer(model->queue, memory, CL_TRUE, 0, up(bytes),
                                            model->stage, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        return em_cl_fail(model, code, "run the model");
    for (size_t k = 0; k < r.outer; k++)
        em_cl_convert(dtype, info->dtype, model->stage + k * r.bucket * r.row * width,
                      (unsigned char *)output->data + (k * r.tokens + r.begin) * r.row * to_width,
                      r.take * r.row);
    return EM_OK;
}

/* ---- states ---- */

static size_t state_bytes(int32_t i)
{
    const size_t in = em_this_model.input_bytes[i];
    const size_t out = em_this_model.output_bytes[em_this_model.inputs[i].state];
    return in > out ? in : out;
}

static em_status copy(em_model *model, cl_mem from, cl_mem to, size_t bytes)
{
    const cl_int code =
        clEnqueueCopyBuffer(model->queue, from, to, 0, 0, bytes, 0, NULL, NULL);
    return code == CL_SUCCESS ? EM_OK : em_cl_fail(model, code, "copy a state");
}

/* A held state that should be zeros becomes zeros; one that the caller gives is put aside. */
static em_status begin_state(em_model *model, const em_tensor *input, int32_t i)
{
    em_status status = EM_OK;
    if (input->data == NULL) {
        if (model->zero[i])
            status = em_cl_zero(model, em_cl_state(model, i, 0), state_bytes(i));
        model->zero[i] = 0;
        return status;
    }
    if (!model->zero[i]) {
        if (model->spares[i] == NULL)
            status = em_cl_new(model, state_bytes(i), "a state", &model->spares[i]);
        if (status == EM_OK)
            status = copy(model, em_cl_state(model, i, 0), model->spares[i], state_bytes(i));
    }
    return status;
}

static em_status end_state(em_model *model, const em_tensor *input, const em_tensor *outputs,
                           int32_t i)
{
    const em_cl_chunk none = {0, -1, 0, 0};
    const int32_t output = em_this_model.inputs[i].state;
    em_status status = EM_OK;
    if (outputs[output].data != NULL)
        status = read_output(model, &outputs[output], output, &none);
    if (status == EM_OK && input->data != NULL && !model->zero[i])
        status = copy(model, model->spares[i], em_cl_state(model, i, 0), state_bytes(i));
    return status;
}

/* Do any states move between two buffers? */
static int32_t has_pairs(void)
{
    for (int32_t i = 0; i < em_this_model.input_count; i++)
        if (em_cl_is_held(i) && !em_this_model.in_place[i])
            return 1;
    return 0;
}

/* ---- runs ---- */

static em_status run_chunk(em_model *model, const em_tensor *inputs, const em_tensor *outputs,
                           const em_cl_chunk *chunk)
{
    em_status status = EM_OK;
    for (int32_t i = 0; i < em_this_model.input_count && status == EM_OK; i++) {
        const int32_t again = em_this_model.inputs[i].token_axis >= 0 || chunk->begin == 0;
        if (inputs[i].data != NULL && again)
            status = write_input(model, &inputs[i], i, chunk);
    }
    if (status == EM_OK)
        status = run_steps(model, chunk->variant);
    for (int32_t i = 0; i < em_this_model.output_count && status == EM_OK; i++)
        if (em_this_model.outputs[i].state < 0)
            status = read_output(model, &outputs[i], i, chunk);
    if (status == EM_OK && has_pairs())
        model->parity ^= 1;
    return status;
}

em_status em_run(em_model *model, const em_tensor *inputs, int32_t input_count,
                 const em_tensor *outputs, int32_t output_count)
{
    em_cl_chunk chunk = {0, -1, 0, 0};
    em_clear_error();
    if (model == NULL)
        return em_fail(EM_ERROR_ARGUMENT, "em_run: `model` must not be NULL");
    em_status status = em_check_inputs(inputs, input_count, &chunk.tokens);
    if (status == EM_OK)
        status = em_check_outputs(inputs, outputs, output_count, chunk.tokens);
    if (status == EM_OK)
        status = em_check_tokens(chunk.tokens);
    for (int32_t i = 0; i < em_this_model.input_count && status == EM_OK; i++)
        if (inputs[i].data != NULL)
            status = em_cl_check_values(i, inputs[i].data, elements(&inputs[i]));
    for (int32_t i = 0; i < em_this_model.input_count && status == EM_OK; i++)
        if (em_cl_is_held(i))
            status = begin_state(model, &inputs[i], i);
    int64_t remaining = chunk.tokens;
    while (status == EM_OK) {
        status = em_choose(chunk.tokens, remaining, &chunk.variant, &chunk.take);
        if (status == EM_OK)
            status = run_chunk(model, inputs, outputs, &chunk);
        chunk.begin += chunk.take;
        remaining -= chunk.take;
        if (remaining <= 0)
            break;
    }
    for (int32_t i = 0; i < em_this_model.input_count && status == EM_OK; i++)
        if (em_cl_is_held(i))
            status = end_state(model, &inputs[i], outputs, i);
    const cl_int code = status == EM_OK ? clFinish(model->queue) : CL_SUCCESS;
    return code == CL_SUCCESS ? status : em_cl_fail(model, code, "run the model");
}

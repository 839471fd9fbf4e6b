/* joint.c - steps of the CPU between those of the device, and what crosses. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_ALIGNMENT 64
#define WEIGHTS_HEADER 64

static const em_cl_joint_variant *joint_of(int32_t variant)
{
    return &em_this_model.joint->variants[variant];
}

/* ---- memory of the CPU ---- */

static unsigned char *aligned(unsigned char *memory)
{
    const uintptr_t rest = (uintptr_t)memory % HOST_ALIGNMENT;
    return rest == 0 ? memory : memory + (HOST_ALIGNMENT - rest);
}

static em_status host_new(em_model *model, size_t bytes, unsigned char **place)
{
    unsigned char *memory = calloc(1, bytes + HOST_ALIGNMENT);
    if (memory == NULL)
        return em_fail(EM_ERROR_MEMORY, "out of memory: model '%s' needs %zu bytes",
                       em_this_model.name, bytes);
    model->host_owned[model->host_owned_count++] = memory;
    *place = aligned(memory);
    return EM_OK;
}

static em_status host_weights(em_model *model, const char *dir)
{
    const size_t bytes = em_this_model.joint->weights_bytes;
    char path[4096];
    em_status status = host_new(model, bytes, &model->host_weights);
    if (status != EM_OK)
        return status;
    const int written = snprintf(path, sizeof path, "%s/weights.bin", dir);
    FILE *file = written > 0 && (size_t)written < sizeof path ? fopen(path, "rb") : NULL;
    const int whole = file != NULL && fseek(file, WEIGHTS_HEADER, SEEK_SET) == 0 &&
                      fread(model->host_weights, 1, bytes, file) == bytes;
    if (file != NULL)
        fclose(file);
    return whole ? EM_OK
                 : em_fail(EM_ERROR_FILE, "cannot read the weights of %s; copy the artifact again",
                           path);
}

em_status em_cl_joint_open(em_model *model, const char *dir)
{
    const em_description *m = &em_this_model;
    const char *lacks = em_isa_lacks(m->joint->isa);
    if (lacks != NULL)
        return em_fail(EM_ERROR_DEVICE,
                       "model '%s' was compiled for %s, this CPU lacks %s; compile it on this "
                       "machine, or with --cpu of an older one",
                       m->name, m->joint->isa, lacks);
    const size_t in = (size_t)m->input_count, out = (size_t)m->output_count;
    model->host_owned = calloc(in + out + 2, sizeof *model->host_owned);
    model->host_inputs = calloc(in + 1, sizeof *model->host_inputs);
    model->host_outputs = calloc(out + 1, sizeof *model->host_outputs);
    if (!model->host_owned || !model->host_inputs || !model->host_outputs)
        return em_fail(EM_ERROR_MEMORY, "out of memory when opening model '%s'", m->name);
    em_status status = em_pool_resize(&model->pool, &model->threads, 1);
    if (status == EM_OK)
        status = host_weights(model, dir);
    if (status == EM_OK)
        status = host_new(model, m->joint->arena_bytes, &model->host_arena);
    for (size_t i = 0; i < in && status == EM_OK; i++)
        status = host_new(model, m->joint->input_bytes[i], &model->host_inputs[i]);
    for (size_t i = 0; i < out && status == EM_OK; i++)
        status = host_new(model, m->joint->output_bytes[i], &model->host_outputs[i]);
    return status;
}

void em_cl_joint_close(em_model *model)
{
    em_pool_stop(model->pool);
    for (int32_t i = 0; i < model->host_owned_count; i++)
        free(model->host_owned[i]);
    free(model->host_owned);
    free(model->host_inputs);
    free(model->host_outputs);
}

static unsigned char *address(const em_model *model, const em_cl_host_buffer *buffer)
{
    switch (buffer->where) {
    case EM_IN_INPUT:
        return model->host_inputs[buffer->index];
    case EM_IN_OUTPUT:
        return model->host_outputs[buffer->index];
    case EM_IN_ARENA:
        return model->host_arena + buffer->offset;
    default:
        return model->host_weights + buffer->offset;
    }
}

/* Does the CPU of this variant have input or output `index`? */
static int32_t has_buffer(int32_t variant, int32_t where, int32_t index)
{
    const em_cl_joint_variant *v = joint_of(variant);
    for (int32_t b = 0; b < v->buffer_count; b++)
        if (v->buffers[b].where == where && v->buffers[b].index == index)
            return 1;
    return 0;
}

/* ---- inputs and outputs ---- */

/* Copies the rows of a chunk between the caller's array and one of the variant. */
static void copy_rows(const em_cl_rows *r, size_t width, unsigned char *caller, unsigned char *own,
                      int32_t to_caller)
{
    for (size_t k = 0; k < r->outer; k++) {
        unsigned char *there = caller + (k * r->tokens + r->begin) * r->row * width;
        unsigned char *here = own + k * r->bucket * r->row * width;
        memcpy(to_caller ? there : here, to_caller ? here : there, r->take * r->row * width);
    }
}

void em_cl_joint_input(em_model *model, const em_tensor *input, int32_t i, const em_cl_rows *rows,
                       int32_t variant)
{
    const size_t width = em_dtype_bytes(em_this_model.inputs[i].dtype);
    if (!has_buffer(variant, EM_IN_INPUT, i))
        return;
    memset(model->host_inputs[i], 0, rows->outer * rows->bucket * rows->row * width);
    copy_rows(rows, width, input->data, model->host_inputs[i], 0);
}

int32_t em_cl_joint_output(em_model *model, const em_tensor *output, int32_t i,
                           const em_cl_rows *rows, int32_t variant)
{
    const size_t width = em_dtype_bytes(em_this_model.outputs[i].dtype);
    if (!has_buffer(variant, EM_IN_OUTPUT, i))
        return 0;
    copy_rows(rows, width, output->data, model->host_outputs[i], 1);
    return 1;
}

/* ---- steps ---- */

static em_status cross(em_model *model, const em_cl_joint_step *step,
                       const em_cl_host_buffer *buffer, cl_mem view)
{
    const size_t bytes = buffer->count * em_dtype_bytes(step->dtype);
    const size_t whole = (bytes + 3) / 4 * 4;
    unsigned char *here = address(model, buffer);
    const em_status status = em_stage_need(model, whole);
    cl_int code;
    if (status != EM_OK)
        return status;
    if (step->kind == EM_UPLOAD) {
        memset(model->stage, 0, whole);
        em_cl_convert(buffer->dtype, step->dtype, here, model->stage, buffer->count);
        code = clEnqueueWriteBuffer(model->queue, view, CL_TRUE, 0, whole, model->stage, 0, NULL,
                                    NULL);
    } else {
        code = clEnqueueReadBuffer(model->queue, view, CL_TRUE, 0, whole, model->stage, 0, NULL,
                                   NULL);
        if (code == CL_SUCCESS)
            em_cl_convert(step->dtype, buffer->dtype, model->stage, here, buffer->count);
    }
    return code == CL_SUCCESS ? EM_OK : em_cl_fail(model, code, "take or give a tensor");
}

typedef struct host_tasks {
    em_cl_call call;
    unsigned char *const *at;
} host_tasks;

static void run_tasks(const void *context, int32_t begin, int32_t end)
{
    const host_tasks *tasks = context;
    tasks->call(tasks->at, begin, end);
}

static void call(const em_model *model, const em_cl_joint_variant *variant,
                 const em_cl_joint_step *step)
{
    unsigned char *at[EM_MOST_ARGUMENTS];
    int32_t tasks = step->tasks;
    for (int32_t a = 0; a < step->count; a++) {
        const em_cl_joint_argument *argument = &variant->arguments[step->first + a];
        at[a] = address(model, &variant->buffers[argument->buffer]) + argument->offset;
    }
    if (step->follows >= 0) {
        int32_t factor;
        memcpy(&factor, address(model, &variant->buffers[step->follows]), 4);
        tasks *= factor;
    }
    const host_tasks shared = {step->call, at};
    em_pool_run(step->serial ? NULL : model->pool, run_tasks, &shared, tasks,
                step->even);
}

em_status em_cl_joint_run(em_model *model, int32_t number, const em_cl_recording *recording)
{
    const em_cl_joint_variant *variant = joint_of(number);
    em_status status = EM_OK;
    for (int32_t s = 0; s < variant->step_count && status == EM_OK; s++) {
        const em_cl_joint_step *step = &variant->steps[s];
        if (step->kind == EM_ON_DEVICE)
            status = em_cl_enqueue(model, number, recording, step->first);
        else if (step->kind == EM_ON_HOST)
            call(model, variant, step);
        else
            status = cross(model, step, &variant->buffers[step->first],
                           recording->views[step->count]);
    }
    return status;
}

/* ---- threads ---- */

em_status em_set_threads(em_model *model, int32_t threads)
{
    em_clear_error();
    if (model == NULL)
        return em_fail(EM_ERROR_ARGUMENT, "em_set_threads: `model` must not be NULL");
    return em_pool_resize(&model->pool, &model->threads, threads);
}

int32_t em_threads(const em_model *model) { return model == NULL ? 0 : model->threads; }

/* runtime.c - handles: opening, closing, options and states. */
#define _GNU_SOURCE
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64

em_status em_buffer_need(em_buffer *buffer, size_t bytes)
{
    if (buffer->data != NULL && buffer->bytes >= bytes)
        return EM_OK;
    em_buffer_free(buffer);
    if (bytes == 0)
        bytes = ALIGNMENT;
    if (posix_memalign(&buffer->data, ALIGNMENT, bytes) != 0) {
        buffer->data = NULL;
        return em_fail(EM_ERROR_MEMORY, "out of memory: model '%s' needs %zu more bytes",
                       em_this_model.name, bytes);
    }
    buffer->bytes = bytes;
    return EM_OK;
}

void em_buffer_free(em_buffer *buffer)
{
    free(buffer->data);
    buffer->data = NULL;
    buffer->bytes = 0;
}

static em_status allocate(em_model *model)
{
    const size_t in = (size_t)em_this_model.input_count + 1;
    const size_t out = (size_t)em_this_model.output_count + 1;
    model->states = calloc(in, sizeof *model->states);
    model->current = calloc(in, sizeof *model->current);
    model->in_stage = calloc(in, sizeof *model->in_stage);
    model->out_stage = calloc(out, sizeof *model->out_stage);
    model->in_now = calloc(in, sizeof *model->in_now);
    model->out_now = calloc(out, sizeof *model->out_now);
    if (!model->states || !model->current || !model->in_stage || !model->out_stage || !model->in_now ||
        !model->out_now)
        return em_fail(EM_ERROR_MEMORY, "out of memory when opening model '%s'",
                       em_this_model.name);
    return em_buffer_need(&model->arena, em_arena_bytes(model));
}

static em_status open_into(em_model *model, const char *dir, const em_options *options)
{
    int32_t isa = 0;
    em_status status = em_isa_select(options->isa, &isa);
    if (status == EM_OK)
        status = em_weights_open(dir, options->verify, &model->weights);
    if (status == EM_OK)
        status = allocate(model);
    if (status == EM_OK)
        status = em_pool_resize(&model->pool, &model->threads, options->threads);
    model->isa = &em_this_model.isas[isa];
    return status;
}

em_status em_open(const char *dir, const em_options *options, em_model **model)
{
    static const em_options defaults = {0, 0, NULL};
    em_clear_error();
    if (model == NULL || dir == NULL)
        return em_fail(EM_ERROR_ARGUMENT, "em_open: `dir` and `model` must not be NULL");
    *model = NULL;
    em_model *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return em_fail(EM_ERROR_MEMORY, "out of memory when opening model '%s'",
                       em_this_model.name);
    pthread_mutex_init(&opened->mutex, NULL);
    const em_status status = open_into(opened, dir, options != NULL ? options : &defaults);
    if (status != EM_OK) {
        em_close(opened);
        return status;
    }
    *model = opened;
    return EM_OK;
}

void em_close(em_model *model)
{
    if (model == NULL)
        return;
    em_pool_stop(model->pool);
    em_weights_close(&model->weights);
    em_buffer_free(&model->arena);
    for (int32_t i = 0; i < em_this_model.input_count; i++) {
        for (int32_t k = 0; k < 2 && model->states != NULL; k++) {
            em_buffer_free(&model->states[i].pair[k]);
            em_buffer_free(&model->states[i].scratch[k]);
        }
        if (model->in_stage != NULL)
            em_buffer_free(&model->in_stage[i]);
    }
    for (int32_t i = 0; i < em_this_model.output_count && model->out_stage != NULL; i++)
        em_buffer_free(&model->out_stage[i]);
    free(model->states);
    free(model->current);
    free(model->in_stage);
    free(model->out_stage);
    free(model->in_now);
    free(model->out_now);
    pthread_mutex_destroy(&model->mutex);
    free(model);
}

em_status em_set_threads(em_model *model, int32_t threads)
{
    em_clear_error();
    if (model == NULL)
        return em_fail(EM_ERROR_ARGUMENT, "em_set_threads: `model` must not be NULL");
    pthread_mutex_lock(&model->mutex);
    const em_status status = em_pool_resize(&model->pool, &model->threads, threads);
    pthread_mutex_unlock(&model->mutex);
    return status;
}

em_status em_state_reset(em_model *model)
{
    em_clear_error();
    if (model == NULL)
        return em_fail(EM_ERROR_ARGUMENT, "em_state_reset: `model` must not be NULL");
    pthread_mutex_lock(&model->mutex);
    for (int32_t i = 0; i < em_this_model.input_count; i++) {
        const em_state *state = &model->states[i];
        if (state->ready) /* otherwise the first run that needs it fills it with zeros */
            memset(state->pair[state->current].data, 0, state->pair[state->current].bytes);
    }
    pthread_mutex_unlock(&model->mutex);
    return EM_OK;
}

size_t em_state_bytes(const em_model *model)
{
    size_t bytes = 0;
    (void)model;
    for (int32_t i = 0; i < em_this_model.input_count; i++) {
        em_tensor tensor;
        if (em_this_model.inputs[i].state < 0)
            continue;
        em_expect(&em_this_model.inputs[i], 0, &tensor);
        bytes += em_tensor_bytes(&tensor) * (em_this_model.in_place[i] ? 1 : 2);
    }
    return bytes;
}

int32_t em_abi_version(void) { return EM_ABI_VERSION; }
int32_t em_threads(const em_model *model) { return model == NULL ? 0 : model->threads; }
const char *em_isa_name(const em_model *model) { return model == NULL ? "" : model->isa->name; }

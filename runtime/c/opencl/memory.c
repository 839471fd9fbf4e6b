/* memory.c - everything on the device: weights, one arena, inputs, outputs, states. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 64
#define UPLOAD_BYTES ((size_t)1 << 20)

em_status em_stage_need(em_model *model, size_t bytes)
{
    if (model->stage_bytes >= bytes && model->stage != NULL)
        return EM_OK;
    free(model->stage);
    model->stage = malloc(bytes + 8);
    model->stage_bytes = model->stage == NULL ? 0 : bytes;
    if (model->stage == NULL)
        return em_fail(EM_ERROR_MEMORY, "out of memory: model '%s' needs %zu bytes",
                       em_this_model.name, bytes);
    return EM_OK;
}

em_status em_cl_zero(em_model *model, cl_mem memory, size_t bytes)
{
    const cl_uint zero = 0;
    const cl_int code =
        clEnqueueFillBuffer(model->queue, memory, &zero, sizeof zero, 0, bytes, 0, NULL, NULL);
    return code == CL_SUCCESS ? EM_OK : em_cl_fail(model, code, "clear memory");
}

em_status em_cl_new(em_model *model, size_t bytes, const char *what, cl_mem *memory)
{
    cl_int code = CL_SUCCESS;
    if (bytes == 0)
        bytes = 4;
    if (bytes > model->largest)
        return em_fail(EM_ERROR_MEMORY,
                       "%s cannot hold %s of %zu bytes: its largest buffer is %zu bytes; compile "
                       "with smaller --tokens or a narrower --precision, or choose another device",
                       model->device_name, what, bytes, model->largest);
    *memory = clCreateBuffer(model->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    if (code == CL_SUCCESS) /* drivers allocate late: what does not fit shows when it is touched */
        return em_cl_zero(model, *memory, bytes);
    *memory = NULL;
    return em_cl_fail(model, code, what);
}

/* ---- weights ---- */

static uint64_t word_at(const unsigned char *p)
{
    uint64_t w = 0;
    for (int i = 7; i >= 0; i--)
        w = (w << 8) | p[i];
    return w;
}

/* The sum of a bijective mix of every word with its place, as in runtime/c/weights.c. */
static uint64_t mixed(const unsigned char *data, size_t words, uint64_t first)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t w = word_at(data + 8 * i) + (first + i + 1) * 0x9e3779b97f4a7c15u;
        w = (w ^ (w >> 32)) * 0xbf58476d1ce4e5b9u;
        sum += w ^ (w >> 29);
    }
    return sum;
}

static em_status check_header(const unsigned char *header, size_t bytes, const char *path)
{
    if (bytes < HEADER_BYTES || memcmp(header, "EDGEMOEW", 8) != 0)
        return em_fail(EM_ERROR_FORMAT,
                       "%s is not a weight file of edgemoe; copy the artifact again or compile "
                       "the model again",
                       path);
    if (memcmp(header + 16, em_this_model.build_id, 16) != 0 ||
        word_at(header + 32) != em_this_model.weights_bytes)
        return em_fail(EM_ERROR_FORMAT,
                       "%s belongs to another build than the program of model '%s'; use "
                       "weights.bin and the sources of one artifact",
                       path, em_this_model.name);
    return EM_OK;
}

/* Groups the ranges that steps read into pages that one buffer of the device holds. */
static em_status make_pages(em_model *model)
{
    model->pages = calloc((size_t)em_this_model.range_count + 1, sizeof *model->pages);
    if (model->pages == NULL)
        return em_fail(EM_ERROR_MEMORY, "out of memory when opening model '%s'", em_this_model.name);
    for (int32_t r = 0; r < em_this_model.range_count; r++) {
        const size_t begin = em_this_model.ranges[r].offset;
        const size_t end = begin + em_this_model.ranges[r].bytes;
        em_cl_page *last = model->page_count > 0 ? &model->pages[model->page_count - 1] : NULL;
        if (last != NULL && (begin < last->end || end - last->begin <= model->largest)) {
            if (end > last->end)
                last->end = end;
            continue;
        }
        model->pages[model->page_count].begin = begin;
        model->pages[model->page_count++].end = end;
    }
    for (int32_t p = 0; p < model->page_count; p++) {
        em_cl_page *page = &model->pages[p];
        const em_status status =
            em_cl_new(model, page->end - page->begin, "the weights", &page->memory);
        if (status != EM_OK)
            return status;
    }
    return EM_OK;
}

/* Writes payload bytes [at, at + bytes) to the pages that hold them. */
static em_status upload(em_model *model, const unsigned char *data, size_t at, size_t bytes)
{
    for (int32_t p = 0; p < model->page_count; p++) {
        const em_cl_page *page = &model->pages[p];
        const size_t begin = page->begin > at ? page->begin : at;
        const size_t end = page->end < at + bytes ? page->end : at + bytes;
        if (begin >= end)
            continue;
        const cl_int code =
            clEnqueueWriteBuffer(model->queue, page->memory, CL_TRUE, begin - page->begin,
                                 end - begin, data + (begin - at), 0, NULL, NULL);
        if (code != CL_SUCCESS)
            return em_cl_fail(model, code, "take the weights");
    }
    return EM_OK;
}

static em_status read_weights(em_model *model, FILE *file, const char *path, int32_t verify)
{
    unsigned char header[HEADER_BYTES] = {0};
    uint64_t sum = 0;
    const size_t got = fread(header, 1, HEADER_BYTES, file);
    em_status status = check_header(header, got, path);
    if (status == EM_OK)
        status = em_stage_need(model, UPLOAD_BYTES);
    const size_t total = (size_t)em_this_model.weights_bytes;
    for (size_t at = 0; at < total && status == EM_OK;) {
        const size_t part = total - at < UPLOAD_BYTES ? total - at : UPLOAD_BYTES;
        if (fread(model->stage, 1, part, file) != part)
            return em_fail(EM_ERROR_FORMAT,
                           "%s has less than %zu bytes (it was cut off); copy the artifact again",
                           path, HEADER_BYTES + total);
        if (verify)
            sum += mixed(model->stage, part / 8, at / 8);
        status = upload(model, model->stage, at, part);
        at += part;
    }
    if (status == EM_OK && verify && sum != word_at(header + 40))
        return em_fail(EM_ERROR_FORMAT,
                       "%s is damaged: the checksum of its %zu bytes of weights differs from the "
                       "one in its header; copy the artifact again",
                       path, total);
    return status;
}

static em_status open_weights(em_model *model, const char *dir, int32_t verify)
{
    char path[4096];
    const int written = snprintf(path, sizeof path, "%s/weights.bin", dir);
    FILE *file = written > 0 && (size_t)written < sizeof path ? fopen(path, "rb") : NULL;
    if (file == NULL)
        return em_fail(EM_ERROR_FILE,
                       "cannot open %s; give the folder of the artifact that this program came "
                       "with",
                       path);
    em_status status = make_pages(model);
    if (status == EM_OK)
        status = read_weights(model, file, path, verify);
    fclose(file);
    return status;
}

/* ---- inputs, outputs, states ---- */

int32_t em_cl_is_held(int32_t input) { return em_this_model.inputs[input].state >= 0; }

cl_mem em_cl_state(const em_model *model, int32_t input, int32_t written)
{
    const int32_t output = em_this_model.inputs[input].state;
    return (model->parity ^ written) != 0 ? model->outputs[output] : model->inputs[input];
}

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

em_status em_cl_allocate(em_model *model, const char *dir, int32_t verify)
{
    const em_description *m = &em_this_model;
    const size_t in = (size_t)m->input_count + 1, out = (size_t)m->output_count + 1;
    model->inputs = calloc(in, sizeof *model->inputs);
    model->spares = calloc(in, sizeof *model->spares);
    model->zero = calloc(in, 1);
    model->outputs = calloc(out, sizeof *model->outputs);
    model->recordings = calloc(2 * (size_t)m->variant_count, sizeof *model->recordings);
    if (!model->inputs || !model->spares || !model->zero || !model->outputs || !model->recordings)
        return em_fail(EM_ERROR_MEMORY, "out of memory when opening model '%s'", m->name);
    em_status status = open_weights(model, dir, verify);
    if (status == EM_OK)
        status = em_cl_new(model, em_arena_bytes(model), "the arena of activations", &model->arena);
    for (int32_t i = 0; i < m->input_count && status == EM_OK; i++) {
        const int32_t output = m->inputs[i].state;
        const size_t bytes =
            output < 0 ? m->input_bytes[i] : most(m->input_bytes[i], m->output_bytes[output]);
        model->zero[i] = 1;
        status = em_cl_new(model, bytes, "an input", &model->inputs[i]);
        if (status == EM_OK && output >= 0 && m->in_place[i]) {
            clRetainMemObject(model->inputs[i]);
            model->outputs[output] = model->inputs[i];
        } else if (status == EM_OK && output >= 0) {
            status = em_cl_new(model, bytes, "a state", &model->outputs[output]);
        }
    }
    for (int32_t i = 0; i < m->output_count && status == EM_OK; i++)
        if (model->outputs[i] == NULL)
            status = em_cl_new(model, m->output_bytes[i], "an output", &model->outputs[i]);
    if (status == EM_OK && clFinish(model->queue) != CL_SUCCESS)
        return em_fail(EM_ERROR_MEMORY, "%s has too little memory for model '%s'",
                       model->device_name, m->name);
    return status;
}

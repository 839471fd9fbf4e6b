/* run.c - em_run: slices the tokens into variants, chains states, runs the steps. */
#define _GNU_SOURCE
#include "internal.h"

#include <string.h>
#include <time.h>

/* One em_run in progress. The present chunk covers tokens [begin, begin + take). */
typedef struct run {
    em_model *model;
    const em_tensor *inputs;
    const em_tensor *outputs;
    em_hook hook;
    void *user;
    int64_t tokens; /* -1: no token axis */
    int64_t begin, take;
    int32_t variant;
    int32_t first; /* is this the first chunk? */
} run;

static int aligned(const void *p)
{
    return ((uintptr_t)p & (em_this_model.io_alignment - 1)) == 0;
}

static size_t bytes_of(const em_tensor_info *info, int64_t tokens)
{
    em_tensor tensor;
    em_expect(info, tokens, &tensor);
    return em_tensor_bytes(&tensor);
}

/* A tensor as rows of the token axis: `outer` blocks of extent x `row` bytes. */
static void rows_of(const em_tensor_info *info, size_t *outer, size_t *row)
{
    em_tensor tensor;
    em_expect(info, 1, &tensor);
    *outer = 1;
    for (int32_t i = 0; i < info->token_axis; i++)
        *outer *= (size_t)tensor.shape[i];
    *row = em_tensor_bytes(&tensor) / (*outer ? *outer : 1);
}

/* ---- inputs ---- */

static em_status stage_input(run *r, int32_t i)
{
    em_buffer *stage = &r->model->in_stage[i];
    const em_tensor_info *info = &em_this_model.inputs[i];
    unsigned char *data = r->inputs[i].data;
    if (info->token_axis < 0) {
        r->model->in_now[i] = data;
        if (aligned(data))
            return EM_OK;
        const size_t bytes = bytes_of(info, 0);
        const em_status status = em_buffer_need(stage, bytes);
        if (status != EM_OK)
            return status;
        if (r->first)
            memcpy(stage->data, data, bytes);
        r->model->in_now[i] = stage->data;
        return EM_OK;
    }
    const int64_t bucket = em_this_model.variants[r->variant].tokens;
    size_t outer, row;
    rows_of(info, &outer, &row);
    unsigned char *from = data + (size_t)r->begin * row;
    const int whole = r->take == r->tokens;
    if (bucket == r->take && (outer == 1 || whole) && aligned(from)) {
        r->model->in_now[i] = from; /* the caller's array as it is */
        return EM_OK;
    }
    const em_status status = em_buffer_need(stage, outer * (size_t)bucket * row);
    if (status != EM_OK)
        return status;
    unsigned char *to = stage->data;
    const size_t copied = (size_t)r->take * row, padded = (size_t)(bucket - r->take) * row;
    for (size_t k = 0; k < outer; k++) {
        memcpy(to, from, copied);
        memset(to + copied, 0, padded);
        from += (size_t)r->tokens * row;
        to += copied + padded;
    }
    r->model->in_now[i] = stage->data;
    return EM_OK;
}

/* ---- outputs: staged first, copied to the caller afterwards ---- */

/* Where output `i` is written directly, or NULL when it must be staged. */
static unsigned char *direct_output(const run *r, int32_t i)
{
    const em_tensor_info *info = &em_this_model.outputs[i];
    unsigned char *data = r->outputs[i].data;
    if (info->token_axis >= 0) {
        size_t outer, row;
        rows_of(info, &outer, &row);
        if (r->take != em_this_model.variants[r->variant].tokens ||
            (outer != 1 && r->take != r->tokens))
            return NULL;
        data += (size_t)r->begin * row;
    }
    return aligned(data) ? data : NULL;
}

static em_status stage_output(run *r, int32_t i)
{
    r->model->out_now[i] = direct_output(r, i);
    if (r->model->out_now[i] != NULL)
        return EM_OK;
    em_buffer *stage = &r->model->out_stage[i];
    const int64_t bucket = em_this_model.variants[r->variant].tokens;
    const em_status status = em_buffer_need(stage, bytes_of(&em_this_model.outputs[i], bucket));
    r->model->out_now[i] = stage->data;
    return status;
}

static void deliver_output(run *r, int32_t i)
{
    const em_tensor_info *info = &em_this_model.outputs[i];
    const unsigned char *from = r->model->out_now[i];
    unsigned char *to = r->outputs[i].data;
    if (from == direct_output(r, i))
        return;
    if (info->token_axis < 0) {
        memcpy(to, from, bytes_of(info, 0)); /* of several chunks, the last one stays */
        return;
    }
    size_t outer, row;
    rows_of(info, &outer, &row);
    to += (size_t)r->begin * row;
    for (size_t k = 0; k < outer; k++) {
        memcpy(to, from, (size_t)r->take * row);
        from += (size_t)em_this_model.variants[r->variant].tokens * row;
        to += (size_t)r->tokens * row;
    }
}

/* ---- states ---- */

/* The pair of buffers that a state moves between: the held ones, or scratch. */
static em_buffer *pair_of(run *r, int32_t i)
{
    em_state *state = &r->model->states[i];
    return r->inputs[i].data == NULL ? state->pair : state->scratch;
}

/* Once per em_run: make the buffers, and put the first value into pair[current]. */
static em_status begin_state(run *r, int32_t i, int32_t *current)
{
    const em_tensor_info *info = &em_this_model.inputs[i];
    const size_t bytes = bytes_of(info, 0);
    em_state *state = &r->model->states[i];
    em_buffer *pair = pair_of(r, i);
    em_status status = em_buffer_need(&pair[0], bytes);
    if (status == EM_OK && !em_this_model.in_place[i])
        status = em_buffer_need(&pair[1], bytes);
    if (status != EM_OK)
        return status;
    if (r->inputs[i].data != NULL) {
        memcpy(pair[0].data, r->inputs[i].data, bytes);
        *current = 0;
        return EM_OK;
    }
    if (!state->ready) {
        memset(pair[0].data, 0, bytes);
        state->current = 0;
        state->ready = 1;
    }
    *current = state->current;
    return EM_OK;
}

static void point_state(run *r, int32_t i, int32_t current)
{
    em_buffer *pair = pair_of(r, i);
    const int32_t next = em_this_model.in_place[i] ? current : 1 - current;
    r->model->in_now[i] = pair[current].data;
    r->model->out_now[em_this_model.inputs[i].state] = pair[next].data;
}

static void finish_state(run *r, int32_t i, int32_t current)
{
    const int32_t output = em_this_model.inputs[i].state;
    if (r->inputs[i].data == NULL)
        r->model->states[i].current = current;
    if (r->outputs[output].data != NULL)
        memcpy(r->outputs[output].data, pair_of(r, i)[current].data,
               bytes_of(&em_this_model.inputs[i], 0));
}

/* ---- steps ---- */

typedef struct task_call {
    em_step_fn fn;
    const em_call *call;
} task_call;

static void run_tasks(const void *context, int32_t begin, int32_t end)
{
    const task_call *task = context;
    task->fn(task->call, begin, end);
}

static void run_step(const run *r, const em_step *step, const em_call *call)
{
    int32_t tasks = step->tasks;
    if (step->tasks_from >= 0) {
        int32_t factor;
        memcpy(&factor, call->arena + step->tasks_from, sizeof factor);
        tasks *= factor;
    }
    if (r->model->pool == NULL || step->serial) {
        if (tasks > 0)
            step->fn(call, 0, tasks);
        return;
    }
    const task_call task = {step->fn, call};
    em_pool_run(r->model->pool, run_tasks, &task, tasks, step->even);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void run_steps(const run *r)
{
    em_model *model = r->model;
    const em_variant *variant = &em_this_model.variants[r->variant];
    const em_call call = {model->isa->kernels, model->arena.data, model->weights.payload,
                          model->in_now, model->out_now};
    if (r->hook == NULL) {
        for (int32_t s = 0; s < variant->step_count; s++)
            run_step(r, &variant->steps[s], &call);
        return;
    }
    em_step_info info = {r->variant, 0, 0, r->tokens < 0 ? 0 : r->take, call.arena,
                         call.inputs, call.outputs};
    for (info.step = 0; info.step < variant->step_count; info.step++) {
        const int64_t start = now();
        run_step(r, &variant->steps[info.step], &call);
        info.nanoseconds = now() - start;
        r->hook(r->user, &info);
    }
}

static em_status run_chunk(run *r, const int32_t *current)
{
    const em_description *m = &em_this_model;
    em_status status = EM_OK;
    for (int32_t i = 0; i < m->input_count && status == EM_OK; i++)
        if (m->inputs[i].state < 0)
            status = stage_input(r, i);
        else
            point_state(r, i, current[i]);
    for (int32_t i = 0; i < m->output_count && status == EM_OK; i++)
        if (m->outputs[i].state < 0)
            status = stage_output(r, i);
    if (status != EM_OK)
        return status;
    run_steps(r);
    for (int32_t i = 0; i < m->output_count; i++)
        if (m->outputs[i].state < 0)
            deliver_output(r, i);
    return EM_OK;
}

/* Which half of its pair each state is in while a run goes on; a failure leaves the held one. */
static em_status run_all(run *r, int32_t *current)
{
    const em_description *m = &em_this_model;
    em_status status = EM_OK;
    for (int32_t i = 0; i < m->input_count && status == EM_OK; i++)
        if (m->inputs[i].state >= 0)
            status = begin_state(r, i, &current[i]);
    int64_t remaining = r->tokens;
    r->first = 1;
    do {
        if (status == EM_OK)
            status = em_choose(r->tokens, remaining, &r->variant, &r->take);
        if (status == EM_OK)
            status = run_chunk(r, current);
        if (status != EM_OK)
            return status;
        for (int32_t i = 0; i < m->input_count; i++)
            if (m->inputs[i].state >= 0 && !m->in_place[i])
                current[i] = 1 - current[i];
        r->begin += r->take;
        remaining -= r->take;
        r->first = 0;
    } while (remaining > 0);
    for (int32_t i = 0; i < m->input_count; i++)
        if (m->inputs[i].state >= 0)
            finish_state(r, i, current[i]);
    return EM_OK;
}

em_status em_run_hooked(em_model *model, const em_tensor *inputs, int32_t input_count,
                        const em_tensor *outputs, int32_t output_count, em_hook hook, void *user)
{
    run r = {0};
    if (model == NULL)
        return em_fail(EM_ERROR_ARGUMENT, "em_run: `model` must not be NULL");
    em_status status = em_check_inputs(inputs, input_count, &r.tokens);
    if (status == EM_OK)
        status = em_check_outputs(inputs, outputs, output_count, r.tokens);
    if (status == EM_OK && r.tokens >= 0)
        status = em_check_tokens(r.tokens);
    if (status != EM_OK)
        return status;
    r.model = model;
    r.inputs = inputs;
    r.outputs = outputs;
    r.hook = hook;
    r.user = user;
    pthread_mutex_lock(&model->mutex);
    status = run_all(&r, model->current);
    pthread_mutex_unlock(&model->mutex);
    return status;
}

em_status em_run(em_model *model, const em_tensor *inputs, int32_t input_count,
                 const em_tensor *outputs, int32_t output_count)
{
    return em_run_hooked(model, inputs, input_count, outputs, output_count, NULL, NULL);
}

void em_record_time(void *user, const em_step_info *info)
{
    em_times *times = user;
    if (times->count < times->capacity)
        times->steps[times->count] =
            (em_step_time){info->variant, info->step, info->nanoseconds};
    times->count++;
}

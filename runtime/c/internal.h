/* internal.h - what the generated model.c hands to the runtime, and what its files share. */
#ifndef EDGEMOE_INTERNAL_H
#define EDGEMOE_INTERNAL_H

#include "edgemoe.h"
#include "shared.h"
#include "pool.h"

#include <pthread.h>

/* ---- the description of the model: tables in model.c ---- */

struct em_kernels; /* the kernels of one instruction set; defined in model.c */

/* Where the data of a run is; every step computes its addresses from it. */
typedef struct em_call {
    const struct em_kernels *kernels;
    unsigned char *arena;
    const unsigned char *weights;
    void *const *inputs;
    void *const *outputs;
} em_call;

/* Addresses for the arguments of kernels; offsets in bytes. */
static inline void *em_arena(const em_call *c, size_t offset) { return c->arena + offset; }
static inline void *em_weight(const em_call *c, size_t offset)
{
    return (void *)(uintptr_t)(c->weights + offset); /* kernels take plain pointers */
}
static inline void *em_input(const em_call *c, int32_t index, size_t offset)
{
    return (unsigned char *)c->inputs[index] + offset;
}
static inline void *em_output(const em_call *c, int32_t index, size_t offset)
{
    return (unsigned char *)c->outputs[index] + offset;
}

typedef void (*em_step_fn)(const em_call *call, int32_t begin, int32_t end);

typedef struct em_step {
    em_step_fn fn;
    int32_t tasks;
    int64_t tasks_from; /* arena offset of an int32 that multiplies `tasks`, or -1 */
    int32_t serial;     /* too little work to share with other threads */
    int32_t even;       /* a thread claims its share of the tasks at once */
} em_step;

typedef struct em_variant {
    int64_t tokens; /* -1: no token axis */
    const em_step *steps;
    int32_t step_count;
    size_t arena_bytes;
} em_variant;

typedef struct em_isa {
    const char *name;
    const struct em_kernels *kernels;
} em_isa;

typedef struct em_description {
    const char *name;
    const char *target;
    unsigned char build_id[16];
    uint64_t weights_bytes; /* of the payload, after the header */
    int32_t dispatch;
    int32_t pad_ok;       /* a last chunk below the smallest bucket may be padded */
    size_t io_alignment;  /* what kernels expect of inputs and outputs */
    const em_tensor_info *inputs;
    const em_tensor_info *outputs;
    const unsigned char *in_place; /* per input: its state output may share its bytes */
    int32_t input_count;
    int32_t output_count;
    const em_variant *variants; /* ascending tokens */
    int32_t variant_count;
    const em_isa *isas; /* best last */
    int32_t isa_count;
} em_description;

extern const em_description em_this_model; /* in model.c */

/* ---- weights.c: the mapped file ---- */

#define EM_WEIGHTS_HEADER_BYTES 64
#define EM_WEIGHTS_VERSION 1

typedef struct em_weights {
    void *map; /* the whole file, header included */
    size_t bytes;
    const unsigned char *payload;
} em_weights;

em_status em_weights_open(const char *dir, int verify, em_weights *weights);
void em_weights_close(em_weights *weights);
uint64_t em_checksum(const unsigned char *data, size_t bytes); /* bytes: a multiple of 8 */

/* ---- isa_select.c ---- */

em_status em_isa_select(const char *wanted, int32_t *index);

/* ---- a handle ---- */

typedef struct em_buffer { /* grows, aligned for kernels */
    void *data;
    size_t bytes;
} em_buffer;

em_status em_buffer_need(em_buffer *buffer, size_t bytes);
void em_buffer_free(em_buffer *buffer);

/* Buffers of one state. Held: `pair[current]` holds the value. Given by the caller: scratch. */
typedef struct em_state {
    em_buffer pair[2];
    int32_t current;
    int32_t ready; /* pair[current] holds a value (zeros at first) */
    em_buffer scratch[2];
} em_state;

struct em_model {
    pthread_mutex_t mutex; /* one run at a time */
    em_weights weights;
    const em_isa *isa;
    em_pool *pool; /* NULL for one thread */
    int32_t threads;
    em_buffer arena;
    em_state *states;      /* per input */
    int32_t *current;      /* per input: the half of the pair that holds the state of this run */
    em_buffer *in_stage;   /* per input: what is padded, sliced or misaligned */
    em_buffer *out_stage;  /* per output */
    void **in_now;         /* per input: the pointers of the present call */
    void **out_now;        /* per output */
};

#endif

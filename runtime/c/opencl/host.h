/* host.h - what the tables of the model hand to the host program, and what its parts share. */
#ifndef EDGEMOE_OPENCL_HOST_H
#define EDGEMOE_OPENCL_HOST_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "model_opencl.h"

#include "../shared.h"

/* ---- the description of the model ---- */

enum { EM_IN_INPUT = 0, EM_IN_OUTPUT = 1, EM_IN_ARENA = 2, EM_IN_WEIGHTS = 3 };

typedef struct em_cl_kernel {
    const char *name; /* entry point, and name of the file in kernels/ */
    size_t threads;
    int32_t copies; /* from its first argument to its second */
} em_cl_kernel;

typedef struct em_cl_buffer {
    int32_t where;
    int32_t index; /* of an input or output */
    size_t offset; /* in arena or weights */
    size_t bytes;  /* a multiple of 4 */
} em_cl_buffer;

typedef struct em_cl_step {
    int32_t kernel;
    int32_t first; /* of its arguments */
    int32_t count;
    size_t groups;
} em_cl_step;

typedef struct em_variant {
    int64_t tokens; /* -1: no token axis */
    const em_cl_buffer *buffers;
    const em_cl_step *steps;
    const int32_t *arguments; /* numbers of buffers */
    int32_t buffer_count;
    int32_t step_count;
    size_t arena_bytes;
} em_variant;

typedef struct em_cl_range {
    size_t offset;
    size_t bytes;
} em_cl_range;

#ifdef EM_JOINT
/* ---- the CPU's side of a hybrid model, see joint.c ---- */

#include "../pool.h"

enum { EM_ON_DEVICE = 0, EM_ON_HOST = 1, EM_UPLOAD = 2, EM_DOWNLOAD = 3 };
enum { EM_MOST_ARGUMENTS = 64 };

typedef void (*em_cl_call)(unsigned char *const *at, int32_t begin, int32_t end);

typedef struct em_cl_joint_step {
    int32_t kind;
    int32_t first;   /* step of the device; first argument of a call; buffer that crosses */
    int32_t count;   /* of arguments; the device's buffer of what crosses */
    int32_t tasks;
    int32_t follows; /* buffer whose first int32 multiplies the tasks, or -1 */
    int32_t dtype;   /* on the device, of what crosses */
    int32_t serial;  /* too little work to share with other threads */
    int32_t even;    /* see em_pool_run */
    em_cl_call call;
} em_cl_joint_step;

typedef struct em_cl_host_buffer {
    int32_t where;
    int32_t index; /* of an input or output */
    size_t offset; /* in arena or weights */
    int32_t dtype;
    size_t count;
} em_cl_host_buffer;

typedef struct em_cl_joint_argument {
    int32_t buffer;
    size_t offset;
} em_cl_joint_argument;

typedef struct em_cl_joint_variant {
    const em_cl_host_buffer *buffers;
    const em_cl_joint_step *steps;
    const em_cl_joint_argument *arguments;
    int32_t buffer_count;
    int32_t step_count;
} em_cl_joint_variant;

typedef struct em_cl_joint {
    const em_cl_joint_variant *variants;
    const char *isa; /* that the CPU's kernels need */
    size_t arena_bytes;
    size_t weights_bytes;       /* the first of the payload */
    const size_t *input_bytes;  /* of the largest variant whose CPU reads it */
    const size_t *output_bytes; /* of the largest variant whose CPU writes it */
} em_cl_joint;
#endif

typedef struct em_description {
    const char *name;
    unsigned char build_id[16];
    uint64_t weights_bytes; /* of the payload, after the header */
    const em_cl_range *ranges; /* what steps read of the weights, ascending */
    int32_t range_count;
    int32_t dispatch;
    int32_t pad_ok; /* a last chunk below the smallest bucket may be padded */
    const em_tensor_info *inputs;
    const em_tensor_info *outputs;
    const int32_t *input_dtypes; /* on the device */
    const int32_t *output_dtypes;
    const size_t *input_bytes; /* of the largest variant, on the device */
    const size_t *output_bytes;
    const unsigned char *in_place; /* per input: its state output may share its bytes */
    int32_t input_count;
    int32_t output_count;
    const em_variant *variants; /* ascending tokens */
    int32_t variant_count;
    const em_cl_kernel *kernels;
    int32_t kernel_count;
    /* what the device must offer */
    size_t threads;
    size_t local_bytes;
    size_t alignment;
    int32_t fp16;
#ifdef EM_JOINT
    const em_cl_joint *joint;
#endif
} em_description;

extern const em_description em_this_model;

/* ---- a handle ---- */

typedef struct em_cl_page { /* weights [begin, end) */
    size_t begin;
    size_t end;
    cl_mem memory;
} em_cl_page;

typedef struct em_cl_recording { /* a variant with its arguments set */
    cl_kernel *kernels;          /* per step; NULL: a copy to itself, in place */
    cl_mem *views;               /* per buffer */
} em_cl_recording;

struct em_model {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    char device_name[256];
    cl_program *programs; /* per kernel */
    int32_t kernels_built;
    size_t largest; /* allocation */
    cl_mem arena;
    em_cl_page *pages;
    int32_t page_count;
    cl_mem *inputs;  /* per input; for a state one half of its pair */
    cl_mem *outputs; /* per output; for a state the other half, the same one in place */
    cl_mem *spares;  /* per input: the held value while the caller gives one */
    unsigned char *zero; /* per input: the held state is zeros, whatever the memory holds */
    int32_t parity;      /* 0: states are in `inputs`, 1: in `outputs` */
    em_cl_recording *recordings; /* 2 per variant */
    unsigned char *stage; /* host memory for one input or output */
    size_t stage_bytes;
#ifdef EM_JOINT
    em_pool *pool; /* NULL for one thread */
    int32_t threads;
    unsigned char **host_owned; /* memory of the CPU's steps */
    int32_t host_owned_count;
    unsigned char *host_arena;
    unsigned char *host_weights;
    unsigned char **host_inputs;
    unsigned char **host_outputs;
#endif
};

/* One chunk of a run: tokens [begin, begin + take) of the caller in a variant. */
typedef struct em_cl_chunk {
    int32_t variant;
    int64_t tokens; /* of the caller; -1: no token axis */
    int64_t begin;
    int64_t take;
} em_cl_chunk;

/* A tensor as rows of the token axis: `outer` blocks of `tokens` times `row` elements, of which a
 * chunk has [begin, begin + take), the first of `bucket` on the device. No token axis: one block. */
typedef struct em_cl_rows {
    size_t outer, row, bucket, take, tokens, begin;
} em_cl_rows;

em_status em_cl_fail(const em_model *model, cl_int code, const char *doing);
em_status em_stage_need(em_model *model, size_t bytes);

/* devices.c */
em_status em_cl_open_device(em_model *model, int32_t number);
/* programs.c */
em_status em_cl_build(em_model *model, const char *dir, const char *cache);
void *em_read_file(const char *path, size_t *bytes); /* with a 0 behind it; NULL: cannot be read */
/* memory.c */
em_status em_cl_allocate(em_model *model, const char *dir, int32_t verify);
int32_t em_cl_is_held(int32_t input); /* is it a state? */
cl_mem em_cl_state(const em_model *model, int32_t input, int32_t written);
em_status em_cl_new(em_model *model, size_t bytes, const char *what, cl_mem *memory);
em_status em_cl_zero(em_model *model, cl_mem memory, size_t bytes);
/* run.c */
em_status em_cl_enqueue(em_model *model, int32_t variant, const em_cl_recording *recording,
                        int32_t step);
#ifdef EM_JOINT
/* joint.c */
em_status em_cl_joint_open(em_model *model, const char *dir);
void em_cl_joint_input(em_model *model, const em_tensor *input, int32_t i, const em_cl_rows *rows,
                       int32_t variant);
int32_t em_cl_joint_output(em_model *model, const em_tensor *output, int32_t i,
                           const em_cl_rows *rows, int32_t variant); /* is it the CPU's? */
em_status em_cl_joint_run(em_model *model, int32_t variant, const em_cl_recording *recording);
void em_cl_joint_close(em_model *model);
#endif
/* convert.c */
em_status em_cl_check_values(int32_t input, const void *data, size_t count);
void em_cl_convert(int32_t dtype, int32_t wanted, const void *from, void *to, size_t count);

#endif

/* model_opencl.h - run a model that was compiled with edgemoe for OpenCL (C99, needs CL/cl.h).
 *
 *   em_model *model;
 *   if (em_open("artifact-folder", NULL, &model) != EM_OK) { puts(em_last_error()); return 1; }
 *   em_tensor x = {data, EM_FLOAT32, 2, {8, 64}}, y;
 *   em_output_shape(model, &x, 1, 0, &y);          fills in dtype, rank and shape of output 0
 *   y.data = malloc(em_tensor_bytes(&y));
 *   em_run(model, &x, 1, &y, 1);
 *   em_close(model);
 *
 * The interface is that of CPU artifacts (edgemoe.h) without what is about threads and instruction
 * sets. Inputs and outputs are dense row-major arrays in the order of em_input_info and
 * em_output_info. Every function that returns em_status returns EM_OK (0), or another code and
 * leaves a sentence in em_last_error(). No function prints, exits or changes global state.
 *
 * Threads: calls on one handle must not overlap; different handles may run at the same time.
 */
#ifndef EDGEMOE_MODEL_OPENCL_H
#define EDGEMOE_MODEL_OPENCL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EM_MAX_RANK 8

typedef enum em_status {
    EM_OK = 0,
    EM_ERROR_ARGUMENT = 1, /* a null pointer, an index or an option out of range */
    EM_ERROR_FILE = 2,     /* weights.bin or a kernel is missing or cannot be read */
    EM_ERROR_FORMAT = 3,   /* weights.bin is damaged or belongs to another build */
    EM_ERROR_DEVICE = 4,   /* no device, one that offers too little, or one that failed */
    EM_ERROR_MEMORY = 5,   /* out of memory, on the host or on the device */
    EM_ERROR_INPUT = 6,    /* an input has the wrong dtype, rank, shape or content */
    EM_ERROR_OUTPUT = 7,   /* an output has the wrong dtype, rank or shape */
    EM_ERROR_TOKENS = 8    /* no compiled variant runs this number of tokens */
} em_status;

typedef enum em_dtype {
    EM_FLOAT32 = 0, EM_FLOAT64 = 1, EM_FLOAT16 = 2, EM_BFLOAT16 = 3, EM_INT8 = 4, EM_UINT8 = 5,
    EM_INT16 = 6, EM_UINT16 = 7, EM_INT32 = 8, EM_UINT32 = 9, EM_INT64 = 10, EM_UINT64 = 11,
    EM_BOOL = 12 /* one byte, 0 or 1 */
} em_dtype;

/* An array of the caller. */
typedef struct em_tensor {
    void *data;
    int32_t dtype; /* em_dtype */
    int32_t rank;
    int64_t shape[EM_MAX_RANK];
} em_tensor;

/* What the model expects or gives. */
typedef struct em_tensor_info {
    const char *name;
    int32_t dtype;
    int32_t rank;
    int64_t shape[EM_MAX_RANK]; /* -1 on the token axis */
    int32_t token_axis;         /* -1: every extent is fixed */
    int32_t state; /* input: the output that becomes it in the next call; output: the input that it
                      becomes; -1: not a state */
} em_tensor_info;

typedef struct em_options {
    int32_t device;    /* 0: the first GPU, else the first device; n: device n of em_device_count,
                          from 1 */
    int32_t verify;    /* not 0: compare the checksum of all weights */
    const char *cache; /* an existing folder for compiled kernels; NULL: compile at every start */
} em_options;

typedef struct em_model em_model; /* opaque */

/* Open the model with the files of the artifact folder `dir`. `options` may be NULL. */
em_status em_open(const char *dir, const em_options *options, em_model **model);
void em_close(em_model *model); /* NULL is allowed */

/* Run once and wait. A number of tokens that is no compiled bucket is padded or split where the
 * compiler proved that this does not change results; otherwise EM_ERROR_TOKENS lists the buckets.
 * States: an input with `state` >= 0 may have data == NULL: the handle then uses and updates the
 * state that it holds on the device (zeros at first), and the output of that state may have
 * data == NULL too. */
em_status em_run(em_model *model, const em_tensor *inputs, int32_t input_count,
                 const em_tensor *outputs, int32_t output_count);

/* Fill in dtype, rank and shape (not data) of output `index` for these inputs. */
em_status em_output_shape(const em_model *model, const em_tensor *inputs, int32_t input_count,
                          int32_t index, em_tensor *output);

em_status em_state_reset(em_model *model); /* held states become zeros */

int32_t em_input_count(const em_model *model);
int32_t em_output_count(const em_model *model);
const em_tensor_info *em_input_info(const em_model *model, int32_t index);
const em_tensor_info *em_output_info(const em_model *model, int32_t index);
int32_t em_bucket_count(const em_model *model);          /* 0: no token axis */
int64_t em_bucket(const em_model *model, int32_t index); /* tokens, ascending */
size_t em_arena_bytes(const em_model *model);
size_t em_state_bytes(const em_model *model);
int32_t em_kernels_built(const em_model *model); /* kernels that no cache had */
const char *em_model_name(const em_model *model);
const char *em_device_name(const em_model *model);
int32_t em_device_count(void); /* OpenCL devices of this machine */
size_t em_tensor_bytes(const em_tensor *tensor); /* 0 for a dtype that does not exist */
const char *em_dtype_name(int32_t dtype);

/* The message of the last failure on this thread; "" when there was none. */
const char *em_last_error(void);

#ifdef __cplusplus
}
#endif
#endif

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

#ifndef EM_API
#define EM_API /* what stands before every function, for example __declspec(dllexport) */
#endif

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

typedef struct em_options {
    int32_t device;    /* 0: the first GPU, else the first device; n: device n of em_device_count,
                          from 1 */
    int32_t verify;    /* not 0: compare the checksum of all weights */
    const char *cache; /* an existing folder for compiled kernels; NULL: compile at every start */
} em_options;

#include "../interface.h"

/* ---- what OpenCL artifacts alone have ---- */

EM_API int32_t em_kernels_built(const em_model *model); /* kernels that no cache had */
EM_API const char *em_device_name(const em_model *model);
EM_API int32_t em_device_count(void); /* OpenCL devices of this machine */

#ifdef __cplusplus
}
#endif
#endif

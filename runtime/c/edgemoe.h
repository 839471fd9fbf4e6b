/* edgemoe.h - run a model that was compiled with edgemoe (C99, POSIX).
 *
 *   em_model *model;
 *   if (em_open("artifact-folder", NULL, &model) != EM_OK) { puts(em_last_error()); return 1; }
 *   em_tensor x = {data, EM_FLOAT32, 2, {8, 64}}, y;
 *   em_output_shape(model, &x, 1, 0, &y);          fills in dtype, rank and shape of output 0
 *   y.data = malloc(em_tensor_bytes(&y));
 *   em_run(model, &x, 1, &y, 1);
 *   em_close(model);
 *
 * Inputs and outputs are dense row-major arrays in the order of em_input_info and em_output_info.
 * Every function that returns em_status returns EM_OK (0), or another code and leaves a sentence
 * in em_last_error(). No function prints, exits or changes global state. One library holds one
 * model; several handles of it share the weights (mapped read-only from weights.bin).
 *
 * Threads: calls of em_run on one handle run one after another; different handles run at the same
 * time. em_close must not be called while another call uses the handle.
 */
#ifndef EDGEMOE_H
#define EDGEMOE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define EM_API __attribute__((visibility("default")))
#else
#define EM_API
#endif

#define EM_ABI_VERSION 1
#define EM_MAX_THREADS 256

typedef enum em_status {
    EM_OK = 0,
    EM_ERROR_ARGUMENT = 1, /* a null pointer, an index or an option out of range */
    EM_ERROR_FILE = 2,     /* weights.bin is missing or cannot be read */
    EM_ERROR_FORMAT = 3,   /* weights.bin is damaged or belongs to another build */
    EM_ERROR_ISA = 4,      /* this CPU lacks an instruction set that the kernels need */
    EM_ERROR_MEMORY = 5,   /* out of memory, or no thread could be started */
    EM_ERROR_INPUT = 6,    /* an input has the wrong dtype, rank or shape */
    EM_ERROR_OUTPUT = 7,   /* an output has the wrong dtype, rank or shape */
    EM_ERROR_TOKENS = 8    /* no compiled variant runs this number of tokens */
} em_status;

typedef struct em_options {
    int32_t threads; /* 1 when 0; -1: one per CPU that this process may use */
    int32_t verify;  /* not 0: read all of weights.bin and compare its checksum */
    const char *isa; /* for example "x86-64-v3"; NULL: environment EDGEMOE_ISA, else the best */
} em_options;

#include "interface.h"

/* ---- what CPU artifacts alone have ---- */

/* What a hook is told after each step. The pointers are valid during the call only. */
typedef struct em_step_info {
    int32_t variant;           /* number of the variant in plan.json */
    int32_t step;              /* number of the step in that variant */
    int64_t nanoseconds;       /* time of this step */
    int64_t tokens;            /* tokens of the caller in this variant run, 0 without token axis */
    const void *arena;         /* activations; offsets are in plan.json */
    void *const *inputs;       /* the arrays that the steps read ... */
    void *const *outputs;      /* ... and write */
} em_step_info;

typedef void (*em_hook)(void *user, const em_step_info *info);

/* em_run that calls `hook` on this thread after every step; it must not use this handle. */
EM_API em_status em_run_hooked(em_model *model, const em_tensor *inputs, int32_t input_count,
                               const em_tensor *outputs, int32_t output_count, em_hook hook,
                               void *user);

/* A hook that notes the time of every step in the em_times that `user` points to. A hook of your
 * own costs time between the steps, and may push the model's data out of the caches. */
typedef struct em_step_time {
    int32_t variant;
    int32_t step;
    int64_t nanoseconds;
} em_step_time;

typedef struct em_times {
    em_step_time *steps; /* room for `capacity` of them */
    int32_t capacity;
    int32_t count; /* steps that ran; those beyond the capacity are not noted */
} em_times;

EM_API void em_record_time(void *user, const em_step_info *info);

EM_API em_status em_set_threads(em_model *model, int32_t threads); /* as in em_options */
EM_API int32_t em_threads(const em_model *model);

EM_API const char *em_isa_name(const em_model *model);
EM_API int32_t em_abi_version(void);

/* What this machine can do, measured for about `seconds` on `threads` threads. */
EM_API double em_measure_gflops(int32_t threads, double seconds);    /* f32 multiply-add = 2 */
EM_API double em_measure_read_gbps(int32_t threads, double seconds); /* 10^9 bytes read per s */

#ifdef __cplusplus
}
#endif
#endif

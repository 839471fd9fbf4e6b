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
#define EM_MAX_RANK 8
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

typedef enum em_dtype {
    EM_FLOAT32 = 0, EM_FLOAT64 = 1, EM_FLOAT16 = 2, EM_BFLOAT16 = 3, EM_INT8 = 4, EM_UINT8 = 5,
    EM_INT16 = 6, EM_UINT16 = 7, EM_INT32 = 8, EM_UINT32 = 9, EM_INT64 = 10, EM_UINT64 = 11,
    EM_BOOL = 12 /* one byte, 0 or 1 */
} em_dtype;

/* An array of the caller. `data` may have any alignment. */
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
    int32_t threads; /* 1 when 0; -1: one per CPU that this process may use */
    int32_t verify;  /* not 0: read all of weights.bin and compare its checksum */
    const char *isa; /* for example "x86-64-v3"; NULL: environment EDGEMOE_ISA, else the best */
} em_options;

typedef struct em_model em_model; /* opaque */

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

/* Open the model with the weights of the artifact folder `dir`. `options` may be NULL. */
EM_API em_status em_open(const char *dir, const em_options *options, em_model **model);
EM_API void em_close(em_model *model); /* NULL is allowed */

/* Run once. Outputs must not overlap inputs (of a state they may). A number of tokens that is no compiled bucket is padded or split where the compiler
 * proved that this does not change results; otherwise EM_ERROR_TOKENS lists the buckets.
 * States: an input with `state` >= 0 may have data == NULL: the handle then uses and updates the
 * state that it holds (zeros at first), and the output of that state may have data == NULL too. */
EM_API em_status em_run(em_model *model, const em_tensor *inputs, int32_t input_count,
                        const em_tensor *outputs, int32_t output_count);

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

/* Fill in dtype, rank and shape (not data) of output `index` for these inputs. */
EM_API em_status em_output_shape(const em_model *model, const em_tensor *inputs,
                                 int32_t input_count, int32_t index, em_tensor *output);

EM_API em_status em_set_threads(em_model *model, int32_t threads); /* as in em_options */
EM_API int32_t em_threads(const em_model *model);
EM_API em_status em_state_reset(em_model *model); /* held states become zeros */

EM_API int32_t em_abi_version(void);
EM_API int32_t em_input_count(const em_model *model);
EM_API int32_t em_output_count(const em_model *model);
EM_API const em_tensor_info *em_input_info(const em_model *model, int32_t index);
EM_API const em_tensor_info *em_output_info(const em_model *model, int32_t index);
EM_API int32_t em_bucket_count(const em_model *model);              /* 0: no token axis */
EM_API int64_t em_bucket(const em_model *model, int32_t index);     /* tokens, ascending */
EM_API size_t em_arena_bytes(const em_model *model);
EM_API size_t em_state_bytes(const em_model *model); /* of all held states, as if all were used */
EM_API const char *em_isa_name(const em_model *model);
EM_API const char *em_model_name(const em_model *model);
EM_API size_t em_tensor_bytes(const em_tensor *tensor); /* 0 for a dtype that does not exist */
EM_API const char *em_dtype_name(int32_t dtype);

/* The message of the last failure on this thread; "" when there was none. */
EM_API const char *em_last_error(void);

/* What this machine can do, measured for about `seconds` on `threads` threads. */
EM_API double em_measure_gflops(int32_t threads, double seconds);    /* f32 multiply-add = 2 */
EM_API double em_measure_read_gbps(int32_t threads, double seconds); /* 10^9 bytes read per s */

#ifdef __cplusplus
}
#endif
#endif

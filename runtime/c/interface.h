/* ---- what the interfaces of CPU and OpenCL artifacts share ---- */

#define EM_MAX_RANK 8

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

typedef struct em_model em_model; /* opaque */

/* Open the model with the files of the artifact folder `dir`. `options` may be NULL. */
EM_API em_status em_open(const char *dir, const em_options *options, em_model **model);
EM_API void em_close(em_model *model); /* NULL is allowed */

/* Run once and wait. Outputs must not overlap inputs (of a state they may). A number of tokens that
 * is no compiled bucket is padded or split where the compiler proved that this does not change
 * results; otherwise EM_ERROR_TOKENS lists the buckets.
 * States: an input with `state` >= 0 may have data == NULL: the handle then uses and updates the
 * state that it holds (zeros at first), and the output of that state may have data == NULL too. */
EM_API em_status em_run(em_model *model, const em_tensor *inputs, int32_t input_count,
                        const em_tensor *outputs, int32_t output_count);

/* Fill in dtype, rank and shape (not data) of output `index` for these inputs. */
EM_API em_status em_output_shape(const em_model *model, const em_tensor *inputs,
                                 int32_t input_count, int32_t index, em_tensor *output);

EM_API em_status em_state_reset(em_model *model); /* held states become zeros */

EM_API int32_t em_input_count(const em_model *model);
EM_API int32_t em_output_count(const em_model *model);
EM_API const em_tensor_info *em_input_info(const em_model *model, int32_t index);
EM_API const em_tensor_info *em_output_info(const em_model *model, int32_t index);
EM_API int32_t em_bucket_count(const em_model *model);              /* 0: no token axis */
EM_API int64_t em_bucket(const em_model *model, int32_t index);     /* tokens, ascending */
EM_API size_t em_arena_bytes(const em_model *model);
EM_API size_t em_state_bytes(const em_model *model); /* of all held states, as if all were used */
EM_API const char *em_model_name(const em_model *model);
EM_API size_t em_tensor_bytes(const em_tensor *tensor); /* 0 for a dtype that does not exist */
EM_API const char *em_dtype_name(int32_t dtype);

/* The message of the last failure on this thread; "" when there was none. */
EM_API const char *em_last_error(void);

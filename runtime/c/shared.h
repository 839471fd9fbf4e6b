/* shared.h - what the host programs of CPUs and of OpenCL are both made of: dispatch.c,
 * questions.c, and isa.c where an OpenCL program has steps of the CPU.
 *
 * Either host has its own `em_description` and `em_variant`. The shared files read of them what
 * both have: name, dispatch, pad_ok, inputs, outputs, input_count, output_count, variants and
 * variant_count; of a variant tokens and arena_bytes.
 */
#ifndef EDGEMOE_SHARED_H
#define EDGEMOE_SHARED_H

enum { EM_DISPATCH_STATIC = 0, EM_DISPATCH_PAD = 1, EM_DISPATCH_SPLIT = 2 };

/* ---- questions.c: errors, and what the model expects and gives ---- */

em_status em_fail(em_status status, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
void em_clear_error(void);

/* ---- dispatch.c: tokens to variants ---- */

size_t em_dtype_bytes(int32_t dtype); /* 0 for a dtype that does not exist */
/* The variant for the next chunk of `remaining` tokens; *take of them go into it. */
em_status em_choose(int64_t tokens, int64_t remaining, int32_t *variant, int64_t *take);
/* Checks the inputs; *tokens is the extent of the token axis, -1 where there is none. */
em_status em_check_inputs(const em_tensor *inputs, int32_t count, int64_t *tokens);
em_status em_check_outputs(const em_tensor *inputs, const em_tensor *outputs, int32_t count,
                           int64_t tokens);
void em_expect(const em_tensor_info *info, int64_t tokens, em_tensor *tensor);
em_status em_check_tokens(int64_t tokens); /* can em_choose cover them all? */

/* ---- isa.c ---- */

/* NULL when this CPU runs `isa`, else the name of a feature that it lacks. */
const char *em_isa_lacks(const char *isa);

#endif

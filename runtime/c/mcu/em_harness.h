/* em_harness.h - what the parts of the emulator's program know of each other. */
#ifndef EM_HARNESS_H
#define EM_HARNESS_H

#include <stdint.h>

/* A piece of memory that comes from, or goes to, the other side. */
typedef struct {
    void *data;
    uint32_t nbytes;
} em_region;

/* The model: generated. */
extern const em_region em_inputs[];
extern const uint32_t em_input_count;
extern const em_region em_outputs[];
extern const uint32_t em_output_count;
extern const uint32_t em_step_count;
void em_model_reset(void);
void em_model_run(void);

/* The profiler: called behind every step of the model. */
void em_step_done(int32_t step);

/* The core: start_*.c. */
intptr_t em_semihost(intptr_t operation, const void *argument);
void em_ticks_start(void);
uint32_t em_ticks(void);              /* of em_ticks_mask, counting up */
extern const uint32_t em_ticks_mask;
void em_busy(uint32_t turns);         /* takes 2 instructions per turn */

int main(void);
void em_exit(int32_t status);

#endif

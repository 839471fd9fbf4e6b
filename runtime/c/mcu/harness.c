/* harness.c - runs a model for somebody on the other side of two files, by semihosting.
 *
 * Read from "in": a command, then what it needs; written to "out": its results.
 *   0             stop
 *   1 inputs      one step               -> outputs
 *   2 inputs      reset, then one step   -> outputs
 *   3 n inputs    n times reset and step -> ticks per step, and what a tick is
 */
#include "em_harness.h"

#include <stddef.h>

enum { OPEN = 0x01, WRITE = 0x05, READ = 0x06, EXIT = 0x18, EXIT_EXTENDED = 0x20 };
enum { MODE_READ = 1, MODE_WRITE = 5, MOST_STEPS = 1024, BUSY_TURNS = 500000, HOOKS = 1000 };

static intptr_t from_host;
static intptr_t to_host;

static uint64_t spent[MOST_STEPS];
static uint32_t calls[MOST_STEPS];
static uint32_t last_tick;

void em_exit(int32_t status)
{
    const uintptr_t block[2] = {0x20026u, (uintptr_t)status};
    (void)em_semihost(EXIT_EXTENDED, block);
    (void)em_semihost(EXIT, (const void *)(uintptr_t)0x20026u);
    for (;;) {
    }
}

static intptr_t open_file(const char *name, uintptr_t mode, uintptr_t length)
{
    const uintptr_t block[3] = {(uintptr_t)name, mode, length};
    const intptr_t handle = em_semihost(OPEN, block);
    if (handle < 0) {
        em_exit(2);
    }
    return handle;
}

static void read_all(void *to, uint32_t nbytes)
{
    uint8_t *place = to;
    while (nbytes > 0u) {
        const uintptr_t block[3] = {(uintptr_t)from_host, (uintptr_t)place, nbytes};
        const uint32_t left = (uint32_t)em_semihost(READ, block);
        if (left >= nbytes) {
            em_exit(3);
        }
        place += nbytes - left;
        nbytes = left;
    }
}

static void write_all(const void *from, uint32_t nbytes)
{
    const uint8_t *place = from;
    while (nbytes > 0u) {
        const uintptr_t block[3] = {(uintptr_t)to_host, (uintptr_t)place, nbytes};
        const uint32_t left = (uint32_t)em_semihost(WRITE, block);
        if (left >= nbytes) {
            em_exit(4);
        }
        place += nbytes - left;
        nbytes = left;
    }
}

static void read_inputs(void)
{
    for (uint32_t i = 0; i < em_input_count; ++i) {
        read_all(em_inputs[i].data, em_inputs[i].nbytes);
    }
}

void em_step_done(int32_t step)
{
    const uint32_t now = em_ticks();
    if (step >= 0 && step < MOST_STEPS) {
        spent[step] += (now - last_tick) & em_ticks_mask;
        ++calls[step];
    }
    last_tick = em_ticks();
}

/* Ticks of BUSY_TURNS turns of two instructions, then of HOOKS empty steps, then per step. */
static void profile(uint32_t runs)
{
    const uint32_t count = em_step_count < (uint32_t)MOST_STEPS ? em_step_count : MOST_STEPS;
    uint64_t head[4];
    uint32_t begin;
    em_ticks_start();
    begin = em_ticks();
    em_busy(BUSY_TURNS);
    head[0] = (em_ticks() - begin) & em_ticks_mask;
    head[1] = 2u * (uint64_t)BUSY_TURNS;
    for (uint32_t i = 0; i < MOST_STEPS; ++i) {
        spent[i] = 0;
        calls[i] = 0;
    }
    last_tick = em_ticks();
    for (uint32_t i = 0; i < HOOKS; ++i) {
        em_step_done(0);
    }
    head[2] = spent[0];
    head[3] = HOOKS;
    spent[0] = 0;
    calls[0] = 0;
    for (uint32_t i = 0; i < runs; ++i) {
        em_model_reset();
        last_tick = em_ticks();
        em_model_run();
    }
    write_all(head, sizeof head);
    write_all(spent, count * (uint32_t)sizeof spent[0]);
    write_all(calls, count * (uint32_t)sizeof calls[0]);
}

int main(void)
{
    from_host = open_file("in", MODE_READ, 2);
    to_host = open_file("out", MODE_WRITE, 3);
    for (;;) {
        uint32_t command;
        read_all(&command, sizeof command);
        if (command == 0u) {
            return 0;
        }
        if (command == 3u) {
            uint32_t runs;
            read_all(&runs, sizeof runs);
            read_inputs();
            profile(runs);
            continue;
        }
        read_inputs();
        if (command == 2u) {
            em_model_reset();
        }
        em_model_run();
        for (uint32_t i = 0; i < em_output_count; ++i) {
            write_all(em_outputs[i].data, em_outputs[i].nbytes);
        }
    }
}

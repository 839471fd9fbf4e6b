/* start_cortex_m.c - vectors, start-up, semihosting and the timer of a Cortex-M. */
#include "em_harness.h"

extern uint32_t em_data_load[], em_data_start[], em_data_end[], em_bss_start[], em_bss_end[];
extern uint32_t em_stack_top[];

void em_reset(void);
void em_start(void);
void em_fault(void);

__attribute__((section(".vectors"), used)) void *const em_vectors[16] = {
    em_stack_top, (void *)em_reset, (void *)em_fault, (void *)em_fault, (void *)em_fault,
    (void *)em_fault, (void *)em_fault, (void *)em_fault, 0, 0, 0, (void *)em_fault,
    (void *)em_fault, 0, (void *)em_fault, (void *)em_fault,
};

const uint32_t em_ticks_mask = 0xFFFFFFu;

intptr_t em_semihost(intptr_t operation, const void *argument)
{
    register intptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* The coprocessors of the FPU and of MVE are switched on before any C runs. */
__attribute__((naked)) void em_reset(void)
{
    __asm__ volatile(
        "ldr r0, =0xE000ED88\n ldr r1, [r0]\n orr r1, r1, #0xF00000\n str r1, [r0]\n"
        "dsb\n isb\n b em_start\n");
}

__attribute__((used)) void em_start(void)
{
    const uint32_t *from = em_data_load;
    for (uint32_t *to = em_data_start; to < em_data_end; ++to) {
        *to = *from++;
    }
    for (uint32_t *to = em_bss_start; to < em_bss_end; ++to) {
        *to = 0;
    }
    em_exit(main());
}

void em_fault(void)
{
    em_exit(100);
}

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)

void em_ticks_start(void)
{
    SYST_RVR = 0xFFFFFFu;
    SYST_CVR = 0;
    SYST_CSR = 5u;
}

uint32_t em_ticks(void)
{
    return 0xFFFFFFu - SYST_CVR;
}

__attribute__((noinline)) void em_busy(uint32_t turns)
{
    __asm__ volatile("1: subs %0, %0, #1\n bne 1b" : "+l"(turns) : : "cc");
}

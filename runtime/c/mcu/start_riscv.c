/* start_riscv.c - start-up, semihosting and the instruction counter of a 32-bit RISC-V. */
#include "em_harness.h"

extern uint32_t em_data_load[], em_data_start[], em_data_end[], em_bss_start[], em_bss_end[];

void em_reset(void);
void em_start(void);
void em_fault(void);

const uint32_t em_ticks_mask = 0xFFFFFFFFu;

/* The instructions around `ebreak` mark it as a call of the host; none of them is compressed. */
__attribute__((noinline)) intptr_t em_semihost(intptr_t operation, const void *argument)
{
    register intptr_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(
        ".option push\n .option norvc\n .balign 16\n"
        "slli x0, x0, 0x1f\n ebreak\n srai x0, x0, 7\n .option pop"
        : "+r"(a0) : "r"(a1) : "memory");
    return a0;
}

__attribute__((naked, section(".vectors"), used)) void em_reset(void)
{
    __asm__ volatile(
        ".option push\n .option arch, +zicsr\n"
        "la sp, em_stack_top\n la tp, em_thread_start\n la t0, em_fault\n csrw mtvec, t0\n"
        "tail em_start\n .option pop\n");
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

__attribute__((aligned(4), used)) void em_fault(void)
{
    em_exit(100);
}

void em_ticks_start(void)
{
    __asm__ volatile(".option push\n .option arch, +zicsr\n csrw mcountinhibit, zero\n .option pop");
}

uint32_t em_ticks(void)
{
    uint32_t count;
    __asm__ volatile(".option push\n .option arch, +zicsr\n csrr %0, minstret\n .option pop"
                     : "=r"(count));
    return count;
}

__attribute__((noinline)) void em_busy(uint32_t turns)
{
    __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(turns));
}

1 row, 256 MACs:

    movslq %r10d, %r10
    prefetcht0 (%rcx,%r10,4)
    prefetcht0 64(%rcx,%r10,4)
    vpxor -224(%rdx), %ymm8, %ymm9
    vpbroadcastd -4(%r8,%rsi,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm9, %ymm3
    vpxor -192(%rdx), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm6
    vpxor -160(%rdx), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm7
    vpxor -128(%rdx), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm0
    leal (%r12,%r10), %r9d
    movslq %r9d, %r9
    prefetcht0 (%rcx,%r9,4)
    vpxor -96(%rdx), %ymm8, %ymm9
    vpbroadcastd (%r8,%rsi,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm9, %ymm2
    vpxor -64(%rdx), %ymm8, %ymm9
    prefetcht0 64(%rcx,%r9,4)
    {vex} vpdpbusd %ymm10, %ymm9, %ymm5
    vpxor -32(%rdx), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm4
    vpxor (%rdx), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm1
    incq %rsi
    addl %ebx, %r10d
    addq $256, %rdx
    cmpq %rsi, %r13
    jne .LBB0_6

1 row, 256 MACs:

    movslq %r10d, %r10
    movslq %r9d, %r9
    vpxor (%rcx,%r9,4), %ymm8, %ymm9
    vpbroadcastd -4(%r8,%r11,4), %ymm10
    {vex} vpdpbusd %ymm10, %ymm9, %ymm3
    vpxor 32(%rcx,%r9,4), %ymm8, %ymm9
    prefetcht0 (%rcx,%r10,4)
    {vex} vpdpbusd %ymm10, %ymm9, %ymm6
    vpxor 64(%rcx,%r9,4), %ymm8, %ymm9
    prefetcht0 64(%rcx,%r10,4)
    {vex} vpdpbusd %ymm10, %ymm9, %ymm7
    vpxor 96(%rcx,%r9,4), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm0
    leal 32(%r9), %edi
    movslq %edx, %rdx
    prefetcht0 (%rcx,%rdx,4)
    prefetcht0 64(%rcx,%rdx,4)
    movslq %edi, %rdi
    vpxor (%rcx,%rdi,4), %ymm8, %ymm9
    vpbroadcastd (%r8,%r11,4), %ymm10
    {vex} vpdpbusd %ymm10, %ymm9, %ymm3
    vpxor 32(%rcx,%rdi,4), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm6
    vpxor 64(%rcx,%rdi,4), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm7
    vpxor 96(%rcx,%rdi,4), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm0
    addq $2, %r11
    addl %esi, %edx
    addl $64, %r9d
    addl %esi, %r10d
    cmpq %r11, %rbp
    jne .LBB0_11

6 rows, 384 MACs:

    movslq %r11d, %r11
    prefetcht0 (%rcx,%r11,4)
    prefetcht0 64(%rcx,%r11,4)
    vpbroadcastd .LCPI0_1(%rip), %ymm7
    vpxor -32(%r15), %ymm7, %ymm2
    vpbroadcastd (%r14,%r12), %ymm6
    {vex} vpdpbusd %ymm6, %ymm2, %ymm0
    vpxor (%r15), %ymm7, %ymm7
    {vex} vpdpbusd %ymm6, %ymm7, %ymm5
    vpbroadcastd (%r13,%r12), %ymm6
    {vex} vpdpbusd %ymm6, %ymm2, %ymm4
    {vex} vpdpbusd %ymm6, %ymm7, %ymm8
    vpbroadcastd (%rax,%r12), %ymm6
    {vex} vpdpbusd %ymm6, %ymm2, %ymm3
    {vex} vpdpbusd %ymm6, %ymm7, %ymm9
    vpbroadcastd (%r8,%r12), %ymm6
    {vex} vpdpbusd %ymm6, %ymm2, %ymm15
    {vex} vpdpbusd %ymm6, %ymm7, %ymm10
    vpbroadcastd (%r9,%r12), %ymm6
    {vex} vpdpbusd %ymm6, %ymm2, %ymm14
    {vex} vpdpbusd %ymm6, %ymm7, %ymm11
    vpbroadcastd (%rbx,%r12), %ymm6
    {vex} vpdpbusd %ymm6, %ymm2, %ymm13
    {vex} vpdpbusd %ymm6, %ymm7, %ymm12
    addq $4, %r12
    subq $-128, %r15
    addl %edx, %r11d
    cmpq %r12, %r10
    jne .LBB0_5

6 rows, 384 MACs:

    vpbroadcastd (%rsi,%r14), %ymm2
    vpxor -32(%rbx), %ymm14, %ymm6
    vpxor (%rbx), %ymm14, %ymm7
    {vex} vpdpbusd %ymm2, %ymm6, %ymm5
    {vex} vpdpbusd %ymm2, %ymm7, %ymm1
    vpbroadcastd (%r8,%r14), %ymm2
    {vex} vpdpbusd %ymm2, %ymm6, %ymm0
    {vex} vpdpbusd %ymm2, %ymm7, %ymm11
    vpbroadcastd (%r9,%r14), %ymm2
    {vex} vpdpbusd %ymm2, %ymm6, %ymm4
    {vex} vpdpbusd %ymm2, %ymm7, %ymm10
    vpbroadcastd (%r10,%r14), %ymm2
    {vex} vpdpbusd %ymm2, %ymm6, %ymm3
    {vex} vpdpbusd %ymm2, %ymm7, %ymm9
    vpbroadcastd (%r11,%r14), %ymm2
    {vex} vpdpbusd %ymm2, %ymm6, %ymm13
    {vex} vpdpbusd %ymm2, %ymm7, %ymm8
    vpbroadcastd (%rdi,%r14), %ymm2
    {vex} vpdpbusd %ymm2, %ymm6, %ymm12
    {vex} vpdpbusd %ymm2, %ymm7, %ymm15
    addq $4, %r14
    subq $-128, %rbx
    cmpq %r14, %rax
    jne .LBB0_9


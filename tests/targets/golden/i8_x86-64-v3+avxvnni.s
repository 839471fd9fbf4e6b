1 row, 256 MACs:

    vpbroadcastd -4(%r12), %ymm9
    vpxor -224(%r13,%r9,8), %ymm8, %ymm10
    vpxor -192(%r13,%r9,8), %ymm8, %ymm11
    {vex} vpdpbusd %ymm9, %ymm10, %ymm3
    {vex} vpdpbusd %ymm9, %ymm11, %ymm6
    vpxor -160(%r13,%r9,8), %ymm8, %ymm10
    prefetcht0 -192(%r8,%r9,8)
    {vex} vpdpbusd %ymm9, %ymm10, %ymm7
    vpxor -128(%r13,%r9,8), %ymm8, %ymm10
    prefetcht0 -128(%r8,%r9,8)
    {vex} vpdpbusd %ymm9, %ymm10, %ymm0
    vpxor -96(%r13,%r9,8), %ymm8, %ymm9
    vpbroadcastd (%r12), %ymm10
    {vex} vpdpbusd %ymm10, %ymm9, %ymm2
    vpxor -64(%r13,%r9,8), %ymm8, %ymm9
    prefetcht0 -64(%r8,%r9,8)
    {vex} vpdpbusd %ymm10, %ymm9, %ymm5
    vpxor -32(%r13,%r9,8), %ymm8, %ymm9
    prefetcht0 (%r8,%r9,8)
    {vex} vpdpbusd %ymm10, %ymm9, %ymm4
    vpxor (%r13,%r9,8), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm1
    addq $32, %r9
    addq $8, %r12
    cmpq %r9, %r15
    jne .LBB0_3

1 row, 256 MACs:

    prefetcht0 -192(%r9,%r12)
    prefetcht0 -128(%r9,%r12)
    movslq %ebp, %rbp
    vpxor (%r9,%rbx,4), %ymm8, %ymm9
    vpbroadcastd (%rdi,%rbp,4), %ymm10
    {vex} vpdpbusd %ymm10, %ymm9, %ymm3
    vpxor 32(%r9,%rbx,4), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm6
    vpxor 64(%r9,%rbx,4), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm7
    vpxor 96(%r9,%rbx,4), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm0
    prefetcht0 -64(%r9,%r12)
    leal 1(%rbp), %esi
    movslq %esi, %rsi
    vpxor 128(%r9,%rbx,4), %ymm8, %ymm9
    vpbroadcastd (%rdi,%rsi,4), %ymm10
    {vex} vpdpbusd %ymm10, %ymm9, %ymm3
    vpxor 160(%r9,%rbx,4), %ymm8, %ymm9
    prefetcht0 (%r9,%r12)
    {vex} vpdpbusd %ymm10, %ymm9, %ymm6
    vpxor 192(%r9,%rbx,4), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm7
    vpxor 224(%r9,%rbx,4), %ymm8, %ymm9
    {vex} vpdpbusd %ymm10, %ymm9, %ymm0
    addq $-2, %r15
    addl $2, %ebp
    addq $256, %r9
    cmpq %r15, %r13
    jne .LBB0_8

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
    vpbroadcastd (%rdx,%r12), %ymm6
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
    addl %eax, %r11d
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
    cmpq %r14, %rdx
    jne .LBB0_9


1 row, 256 MACs:

    movslq %esi, %rsi
    prefetcht0 (%rcx,%rsi,4)
    prefetcht0 64(%rcx,%rsi,4)
    vpxor -224(%r10), %ymm4, %ymm5
    vpbroadcastd -4(%r8,%rdx,4), %ymm6
    {vex} vpdpbusd %ymm6, %ymm5, %ymm1
    vpxor -192(%r10), %ymm4, %ymm5
    {vex} vpdpbusd %ymm6, %ymm5, %ymm3
    vpxor -160(%r10), %ymm4, %ymm5
    {vex} vpdpbusd %ymm6, %ymm5, %ymm2
    vpxor -128(%r10), %ymm4, %ymm5
    {vex} vpdpbusd %ymm6, %ymm5, %ymm0
    leal (%rax,%rsi), %edi
    movslq %edi, %rdi
    prefetcht0 (%rcx,%rdi,4)
    vpxor -96(%r10), %ymm4, %ymm5
    vpbroadcastd (%r8,%rdx,4), %ymm6
    {vex} vpdpbusd %ymm6, %ymm5, %ymm1
    vpxor -64(%r10), %ymm4, %ymm5
    prefetcht0 64(%rcx,%rdi,4)
    {vex} vpdpbusd %ymm6, %ymm5, %ymm3
    vpxor -32(%r10), %ymm4, %ymm5
    {vex} vpdpbusd %ymm6, %ymm5, %ymm2
    vpxor (%r10), %ymm4, %ymm5
    {vex} vpdpbusd %ymm6, %ymm5, %ymm0
    addq $2, %rdx
    addq $256, %r10
    addl %ebx, %esi
    cmpq %rdx, %rbp
    jne .LBB0_8

6 rows, 384 MACs:

    movslq %r11d, %r11
    prefetcht0 (%rcx,%r11,4)
    prefetcht0 64(%rcx,%r11,4)
    vpbroadcastd .LCPI0_1(%rip), %ymm5
    vpxor -32(%rsi), %ymm5, %ymm6
    vpbroadcastd (%rbx,%r12), %ymm15
    {vex} vpdpbusd %ymm15, %ymm6, %ymm3
    vpxor (%rsi), %ymm5, %ymm5
    {vex} vpdpbusd %ymm15, %ymm5, %ymm4
    vpbroadcastd (%r8,%r12), %ymm15
    {vex} vpdpbusd %ymm15, %ymm6, %ymm2
    {vex} vpdpbusd %ymm15, %ymm5, %ymm1
    vpbroadcastd (%r14,%r12), %ymm15
    {vex} vpdpbusd %ymm15, %ymm6, %ymm8
    {vex} vpdpbusd %ymm15, %ymm5, %ymm7
    vpbroadcastd (%r15,%r12), %ymm15
    {vex} vpdpbusd %ymm15, %ymm6, %ymm10
    {vex} vpdpbusd %ymm15, %ymm5, %ymm9
    vpbroadcastd (%r10,%r12), %ymm15
    {vex} vpdpbusd %ymm15, %ymm6, %ymm14
    {vex} vpdpbusd %ymm15, %ymm5, %ymm12
    vpbroadcastd (%r13,%r12), %ymm15
    {vex} vpdpbusd %ymm15, %ymm6, %ymm13
    {vex} vpdpbusd %ymm15, %ymm5, %ymm11
    addq $4, %r12
    subq $-128, %rsi
    addl %eax, %r11d
    cmpq %r12, %rdx
    jne .LBB0_5

6 rows, 384 MACs:

    vpbroadcastd (%rdx,%r14), %ymm10
    vpxor -32(%rbx), %ymm9, %ymm12
    vpxor (%rbx), %ymm9, %ymm14
    {vex} vpdpbusd %ymm10, %ymm12, %ymm0
    {vex} vpdpbusd %ymm10, %ymm14, %ymm8
    vpbroadcastd (%rsi,%r14), %ymm10
    {vex} vpdpbusd %ymm10, %ymm12, %ymm7
    {vex} vpdpbusd %ymm10, %ymm14, %ymm6
    vpbroadcastd (%r8,%r14), %ymm10
    {vex} vpdpbusd %ymm10, %ymm12, %ymm5
    {vex} vpdpbusd %ymm10, %ymm14, %ymm4
    vpbroadcastd (%r9,%r14), %ymm10
    {vex} vpdpbusd %ymm10, %ymm12, %ymm3
    {vex} vpdpbusd %ymm10, %ymm14, %ymm2
    vpbroadcastd (%r10,%r14), %ymm10
    {vex} vpdpbusd %ymm10, %ymm12, %ymm1
    {vex} vpdpbusd %ymm10, %ymm14, %ymm15
    vpbroadcastd (%rdi,%r14), %ymm10
    {vex} vpdpbusd %ymm10, %ymm12, %ymm13
    {vex} vpdpbusd %ymm10, %ymm14, %ymm11
    addq $4, %r14
    subq $-128, %rbx
    cmpq %r14, %rax
    jne .LBB0_8


1 row, 512 MACs:

    prefetcht0 -448(%r8,%r9)
    prefetcht0 -384(%r8,%r9)
    vpbroadcastd -12(%r12), %zmm9
    vpxorq -448(%r13,%r9), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm4
    vpxorq -384(%r13,%r9), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm0
    prefetcht0 -320(%r8,%r9)
    vpbroadcastd -8(%r12), %zmm9
    prefetcht0 -256(%r8,%r9)
    vpxorq -320(%r13,%r9), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm6
    vpxorq -256(%r13,%r9), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm3
    prefetcht0 -192(%r8,%r9)
    vpbroadcastd -4(%r12), %zmm9
    vpxorq -192(%r13,%r9), %zmm8, %zmm10
    prefetcht0 -128(%r8,%r9)
    vpdpbusd %zmm9, %zmm10, %zmm7
    vpxorq -128(%r13,%r9), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm2
    prefetcht0 -64(%r8,%r9)
    prefetcht0 (%r8,%r9)
    vpbroadcastd (%r12), %zmm9
    vpxorq -64(%r13,%r9), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm5
    vpxorq (%r13,%r9), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm1
    addq $512, %r9
    addq $16, %r12
    cmpq %r9, %r15
    jne .LBB0_3

1 row, 256 MACs:

    prefetcht0 -192(%r12,%r13)
    prefetcht0 -128(%r12,%r13)
    leal (%r11,%r8), %ebp
    movslq %ebp, %rbp
    vpbroadcastd (%rdi,%rbp,4), %zmm9
    vpxorq -192(%r12,%rbx,4), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm4
    vpxorq -128(%r12,%rbx,4), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm0
    prefetcht0 -64(%r12,%r13)
    prefetcht0 (%r12,%r13)
    leal 1(%r11,%r8), %ebp
    movslq %ebp, %rbp
    vpbroadcastd (%rdi,%rbp,4), %zmm9
    vpxorq -64(%r12,%rbx,4), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm4
    vpxorq (%r12,%rbx,4), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm0
    addq $2, %r8
    addq $256, %r12
    cmpq %r8, %r15
    jne .LBB0_8

12 rows, 1536 MACs:

    movslq %r10d, %r10
    prefetcht0 (%r9,%r10,4)
    prefetcht0 64(%r9,%r10,4)
    movq 208(%rsp), %r13
    vpbroadcastd (%r13,%rcx), %zmm25
    vpxorq -64(%rax), %zmm24, %zmm26
    vpdpbusd %zmm25, %zmm26, %zmm13
    vpxorq (%rax), %zmm24, %zmm27
    vpdpbusd %zmm25, %zmm27, %zmm23
    movq 48(%rsp), %r13
    vpbroadcastd (%r13,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm10
    vpdpbusd %zmm25, %zmm27, %zmm22
    movq 40(%rsp), %r13
    vpbroadcastd (%r13,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm9
    vpdpbusd %zmm25, %zmm27, %zmm21
    movq 32(%rsp), %r13
    vpbroadcastd (%r13,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm8
    vpdpbusd %zmm25, %zmm27, %zmm20
    vpbroadcastd (%rsi,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm7
    vpdpbusd %zmm25, %zmm27, %zmm19
    vpbroadcastd (%r14,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm6
    vpdpbusd %zmm25, %zmm27, %zmm18
    vpbroadcastd (%r15,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm17
    vpdpbusd %zmm25, %zmm27, %zmm5
    vpbroadcastd (%rbp,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm16
    vpdpbusd %zmm25, %zmm27, %zmm4
    vpbroadcastd (%rdx,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm15
    vpdpbusd %zmm25, %zmm27, %zmm3
    vpbroadcastd (%rbx,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm14
    vpdpbusd %zmm25, %zmm27, %zmm2
    vpbroadcastd (%r8,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm12
    vpdpbusd %zmm25, %zmm27, %zmm1
    vpbroadcastd (%rdi,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm11
    vpdpbusd %zmm25, %zmm27, %zmm0
    addq $4, %rcx
    subq $-128, %rax
    addl %r11d, %r10d
    cmpq %rcx, %r12
    jne .LBB0_6


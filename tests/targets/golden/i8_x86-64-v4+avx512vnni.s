1 row, 512 MACs:

    movslq %r10d, %r10
    vpbroadcastd -12(%rsi), %zmm9
    prefetcht0 (%rcx,%r10,4)
    vpxorq -448(%r9,%rdi), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm4
    vpxorq -384(%r9,%rdi), %zmm8, %zmm10
    prefetcht0 64(%rcx,%r10,4)
    vpdpbusd %zmm9, %zmm10, %zmm0
    leal (%r12,%r10), %r15d
    movslq %r15d, %r15
    vpbroadcastd -8(%rsi), %zmm9
    prefetcht0 (%rcx,%r15,4)
    vpxorq -320(%r9,%rdi), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm6
    vpxorq -256(%r9,%rdi), %zmm8, %zmm10
    prefetcht0 64(%rcx,%r15,4)
    vpdpbusd %zmm9, %zmm10, %zmm3
    leal (%rdx,%r10), %r15d
    movslq %r15d, %r15
    vpbroadcastd -4(%rsi), %zmm9
    prefetcht0 (%rcx,%r15,4)
    vpxorq -192(%r9,%rdi), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm7
    vpxorq -128(%r9,%rdi), %zmm8, %zmm10
    prefetcht0 64(%rcx,%r15,4)
    vpdpbusd %zmm9, %zmm10, %zmm2
    leal (%r8,%r10), %r15d
    movslq %r15d, %r15
    vpbroadcastd (%rsi), %zmm9
    prefetcht0 (%rcx,%r15,4)
    vpxorq -64(%r9,%rdi), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm5
    vpxorq (%r9,%rdi), %zmm8, %zmm10
    prefetcht0 64(%rcx,%r15,4)
    vpdpbusd %zmm9, %zmm10, %zmm1
    addq $512, %rdi
    addl %ebx, %r10d
    addq $16, %rsi
    cmpq %rdi, %r13
    jne .LBB0_6

1 row, 256 MACs:

    movslq %r11d, %r11
    prefetcht0 (%rcx,%r11,4)
    prefetcht0 64(%rcx,%r11,4)
    movslq %r13d, %r13
    vpbroadcastd -4(%r8,%rdx,4), %zmm9
    vpxorq (%rcx,%r13,4), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm4
    vpxorq 64(%rcx,%r13,4), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm0
    leal 32(%r13), %ebp
    movslq %r9d, %r9
    prefetcht0 (%rcx,%r9,4)
    prefetcht0 64(%rcx,%r9,4)
    vpbroadcastd (%r8,%rdx,4), %zmm9
    movslq %ebp, %r15
    vpxorq (%rcx,%r15,4), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm4
    vpxorq 64(%rcx,%r15,4), %zmm8, %zmm10
    vpdpbusd %zmm9, %zmm10, %zmm0
    addq $2, %rdx
    addl %r10d, %r9d
    addl $64, %r13d
    addl %r10d, %r11d
    cmpq %rdx, %rdi
    jne .LBB0_12

12 rows, 1536 MACs:

    movslq %r10d, %r10
    prefetcht0 (%r9,%r10,4)
    prefetcht0 64(%r9,%r10,4)
    movq 8(%rsp), %r12
    vpbroadcastd (%r12,%rcx), %zmm25
    vpxorq -64(%r8), %zmm24, %zmm26
    vpdpbusd %zmm25, %zmm26, %zmm13
    vpxorq (%r8), %zmm24, %zmm27
    vpdpbusd %zmm25, %zmm27, %zmm23
    movq 40(%rsp), %r12
    vpbroadcastd (%r12,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm10
    vpdpbusd %zmm25, %zmm27, %zmm22
    movq 32(%rsp), %r12
    vpbroadcastd (%r12,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm9
    vpdpbusd %zmm25, %zmm27, %zmm21
    vpbroadcastd (%r13,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm8
    vpdpbusd %zmm25, %zmm27, %zmm20
    vpbroadcastd (%rbx,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm7
    vpdpbusd %zmm25, %zmm27, %zmm19
    vpbroadcastd (%rax,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm6
    vpdpbusd %zmm25, %zmm27, %zmm18
    vpbroadcastd (%rdx,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm17
    vpdpbusd %zmm25, %zmm27, %zmm5
    vpbroadcastd (%r14,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm16
    vpdpbusd %zmm25, %zmm27, %zmm4
    vpbroadcastd (%r15,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm15
    vpdpbusd %zmm25, %zmm27, %zmm3
    vpbroadcastd (%rbp,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm14
    vpdpbusd %zmm25, %zmm27, %zmm2
    vpbroadcastd (%rsi,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm12
    vpdpbusd %zmm25, %zmm27, %zmm1
    vpbroadcastd (%rdi,%rcx), %zmm25
    vpdpbusd %zmm25, %zmm26, %zmm11
    vpdpbusd %zmm25, %zmm27, %zmm0
    addq $4, %rcx
    subq $-128, %r8
    addl 208(%rsp), %r10d
    cmpq %rcx, %r11
    jne .LBB0_6


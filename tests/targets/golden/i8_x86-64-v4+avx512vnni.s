1 row, 256 MACs:

    movslq %esi, %rsi
    vpbroadcastd -4(%r8,%r12,4), %zmm3
    prefetcht0 (%rcx,%rsi,4)
    vpxorq -192(%r10), %zmm2, %zmm4
    vpdpbusd %zmm3, %zmm4, %zmm0
    vpxorq -128(%r10), %zmm2, %zmm4
    prefetcht0 64(%rcx,%rsi,4)
    vpdpbusd %zmm3, %zmm4, %zmm1
    leal (%rax,%rsi), %edi
    movslq %edi, %rdi
    vpbroadcastd (%r8,%r12,4), %zmm3
    prefetcht0 (%rcx,%rdi,4)
    vpxorq -64(%r10), %zmm2, %zmm4
    vpdpbusd %zmm3, %zmm4, %zmm0
    vpxorq (%r10), %zmm2, %zmm4
    prefetcht0 64(%rcx,%rdi,4)
    vpdpbusd %zmm3, %zmm4, %zmm1
    addq $2, %r12
    addq $256, %r10
    addl %edx, %esi
    cmpq %r12, %rbp
    jne .LBB0_8

12 rows, 1536 MACs:

    movslq %r11d, %r11
    prefetcht0 (%rcx,%r11,4)
    prefetcht0 64(%rcx,%r11,4)
    movq 16(%rsp), %r8
    vpbroadcastd (%r8,%r12), %zmm22
    vpxorq -64(%r15), %zmm20, %zmm26
    vpdpbusd %zmm22, %zmm26, %zmm25
    vpxorq (%r15), %zmm20, %zmm27
    vpdpbusd %zmm22, %zmm27, %zmm24
    movq 152(%rsp), %r8
    vpbroadcastd (%r8,%r12), %zmm22
    vpdpbusd %zmm22, %zmm26, %zmm23
    vpdpbusd %zmm22, %zmm27, %zmm21
    movq 8(%rsp), %r8
    vpbroadcastd (%r8,%r12), %zmm22
    vpdpbusd %zmm22, %zmm26, %zmm19
    vpdpbusd %zmm22, %zmm27, %zmm18
    vpbroadcastd (%rbx,%r12), %zmm22
    vpdpbusd %zmm22, %zmm26, %zmm17
    vpdpbusd %zmm22, %zmm27, %zmm16
    vpbroadcastd (%rax,%r12), %zmm22
    vpdpbusd %zmm22, %zmm26, %zmm15
    vpdpbusd %zmm22, %zmm27, %zmm14
    vpbroadcastd (%rbp,%r12), %zmm22
    vpdpbusd %zmm22, %zmm26, %zmm13
    vpdpbusd %zmm22, %zmm27, %zmm12
    vpbroadcastd (%r14,%r12), %zmm22
    vpdpbusd %zmm22, %zmm26, %zmm11
    vpdpbusd %zmm22, %zmm27, %zmm10
    vpbroadcastd (%r10,%r12), %zmm22
    vpdpbusd %zmm22, %zmm26, %zmm9
    vpdpbusd %zmm22, %zmm27, %zmm8
    vpbroadcastd (%rdx,%r12), %zmm22
    vpdpbusd %zmm22, %zmm26, %zmm7
    vpdpbusd %zmm22, %zmm27, %zmm6
    vpbroadcastd (%rsi,%r12), %zmm22
    vpdpbusd %zmm22, %zmm26, %zmm5
    vpdpbusd %zmm22, %zmm27, %zmm4
    vpbroadcastd (%r9,%r12), %zmm22
    vpdpbusd %zmm22, %zmm26, %zmm3
    vpdpbusd %zmm22, %zmm27, %zmm2
    vpbroadcastd (%rdi,%r12), %zmm22
    vpdpbusd %zmm22, %zmm26, %zmm1
    vpdpbusd %zmm22, %zmm27, %zmm0
    addq $4, %r12
    subq $-128, %r15
    addl 160(%rsp), %r11d
    cmpq %r12, %r13
    jne .LBB0_6


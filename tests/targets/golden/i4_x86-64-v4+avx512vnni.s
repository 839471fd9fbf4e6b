1 row, 1056 MACs:

    cmpl $13, 8(%rsp)
    movl %r8d, %ebp
    cmovgel %r11d, %ebp
    movq %rsi, %rdx
    movq 24(%rsp), %rsi
    movl (%rsi,%r9,4), %esi
    shll $3, %esi
    negl %esi
    vpbroadcastd %esi, %zmm5
    movq %rdx, %rsi
    addl %r10d, %ebp
    movslq %ebp, %rbp
    movslq %r12d, %r12
    prefetcht0 (%rcx,%rbp,4)
    vmovdqu64 -512(%r13,%r8,4), %zmm6
    vmovdqu64 -448(%r13,%r8,4), %zmm7
    vpbroadcastd (%rdi,%r12,4), %zmm8
    prefetcht0 64(%rcx,%rbp,4)
    prefetcht0 (%rbx,%rbp,4)
    prefetcht0 64(%rbx,%rbp,4)
    prefetcht0 (%r14,%rbp,4)
    prefetcht0 64(%r14,%rbp,4)
    prefetcht0 (%rax,%rbp,4)
    prefetcht0 64(%rax,%rbp,4)
    vpandq %zmm1, %zmm6, %zmm9
    vmovdqa64 %zmm5, %zmm10
    vpdpbusd %zmm8, %zmm9, %zmm10
    vpandq %zmm1, %zmm7, %zmm9
    vpbroadcastd 4(%rdi,%r12,4), %zmm11
    vpdpbusd %zmm8, %zmm9, %zmm5
    vpandq %zmm3, %zmm6, %zmm6
    vpxor %xmm8, %xmm8, %xmm8
    vpdpbusd %zmm11, %zmm6, %zmm8
    vpandq %zmm3, %zmm7, %zmm6
    vpxor %xmm7, %xmm7, %xmm7
    vmovdqu64 -384(%r13,%r8,4), %zmm9
    vmovdqu64 -320(%r13,%r8,4), %zmm12
    vpbroadcastd 8(%rdi,%r12,4), %zmm13
    vpdpbusd %zmm11, %zmm6, %zmm7
    vpandq %zmm1, %zmm9, %zmm6
    vpxor %xmm11, %xmm11, %xmm11
    vpdpbusd %zmm13, %zmm6, %zmm11
    vpandq %zmm1, %zmm12, %zmm6
    vpxor %xmm14, %xmm14, %xmm14
    vpdpbusd %zmm13, %zmm6, %zmm14
    vpbroadcastd 12(%rdi,%r12,4), %zmm6
    vpandq %zmm3, %zmm9, %zmm9
    vpxor %xmm13, %xmm13, %xmm13
    vpdpbusd %zmm6, %zmm9, %zmm13
    vpandq %zmm3, %zmm12, %zmm9
    vpxor %xmm12, %xmm12, %xmm12
    vmovdqu64 -256(%r13,%r8,4), %zmm15
    vmovdqu64 -192(%r13,%r8,4), %zmm16
    vpdpbusd %zmm6, %zmm9, %zmm12
    vpbroadcastd 16(%rdi,%r12,4), %zmm6
    vpandq %zmm1, %zmm15, %zmm9
    vpdpbusd %zmm6, %zmm9, %zmm10
    vpandq %zmm1, %zmm16, %zmm9
    vpdpbusd %zmm6, %zmm9, %zmm5
    vpbroadcastd 20(%rdi,%r12,4), %zmm6
    vpandq %zmm3, %zmm15, %zmm9
    vpdpbusd %zmm6, %zmm9, %zmm8
    vpandq %zmm3, %zmm16, %zmm9
    vpbroadcastd 24(%rdi,%r12,4), %zmm15
    vmovdqu64 -128(%r13,%r8,4), %zmm16
    vmovdqu64 -64(%r13,%r8,4), %zmm17
    vpdpbusd %zmm6, %zmm9, %zmm7
    vmovdqu64 (%r13,%r8,4), %zmm6
    vpandq %zmm1, %zmm16, %zmm9
    vpdpbusd %zmm15, %zmm9, %zmm11
    vpaddd %zmm11, %zmm10, %zmm9
    vpandq %zmm1, %zmm17, %zmm10
    vpdpbusd %zmm15, %zmm10, %zmm14
    vpaddd %zmm14, %zmm5, %zmm5
    vpbroadcastd 28(%rdi,%r12,4), %zmm10
    vpandq %zmm3, %zmm16, %zmm11
    vpdpbusd %zmm10, %zmm11, %zmm13
    vpaddd %zmm13, %zmm8, %zmm8
    vpandq %zmm3, %zmm17, %zmm11
    vpdpbusd %zmm10, %zmm11, %zmm12
    vpaddd %zmm7, %zmm12, %zmm7
    vpslld $16, %zmm6, %zmm10
    vpandq %zmm4, %zmm6, %zmm6
    vbroadcastss (%rdx,%r9,4), %zmm11
    vpsrad $4, %zmm8, %zmm8
    vpaddd %zmm8, %zmm9, %zmm8
    vcvtdq2ps %zmm8, %zmm8
    vmulps %zmm10, %zmm11, %zmm9
    vfmadd231ps %zmm9, %zmm8, %zmm0
    vpsrad $4, %zmm7, %zmm7
    vpaddd %zmm7, %zmm5, %zmm5
    vcvtdq2ps %zmm5, %zmm5
    vmulps %zmm6, %zmm11, %zmm6
    vfmadd231ps %zmm6, %zmm5, %zmm2
    addq $144, %r8
    incq %r9
    addl 12(%rsp), %r11d
    addl $8, %r12d
    cmpq %r8, %r15
    jne .LBB0_6

12 rows, 3072 MACs:

    prefetcht0 -64(%r11)
    prefetcht0 (%r11)
    vmovdqu64 -64(%rsi), %zmm17
    vmovdqu64 (%rsi), %zmm18
    movq 24(%rsp), %r9
    vpbroadcastd -4(%r9,%rax), %zmm19
    vpandq %zmm24, %zmm17, %zmm20
    vpdpbusd %zmm19, %zmm20, %zmm16
    vpandq %zmm24, %zmm18, %zmm21
    vpdpbusd %zmm19, %zmm21, %zmm10
    movq 16(%rsp), %rdx
    vpbroadcastd -4(%rdx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm15
    vpdpbusd %zmm19, %zmm21, %zmm9
    movq 8(%rsp), %rcx
    vpbroadcastd -4(%rcx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm14
    vpdpbusd %zmm19, %zmm21, %zmm7
    vpbroadcastd -4(%r10,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm13
    vpdpbusd %zmm19, %zmm21, %zmm6
    vpbroadcastd -4(%rdi,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm12
    vpdpbusd %zmm19, %zmm21, %zmm4
    vpbroadcastd -4(%rbp,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm11
    vpdpbusd %zmm19, %zmm21, %zmm2
    vpbroadcastd -4(%r8,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm0
    vpdpbusd %zmm19, %zmm21, %zmm8
    vpbroadcastd -4(%r13,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm25
    vpdpbusd %zmm19, %zmm21, %zmm5
    vpbroadcastd -4(%r12,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm30
    vpdpbusd %zmm19, %zmm21, %zmm3
    vpbroadcastd -4(%r15,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm28
    vpdpbusd %zmm19, %zmm21, %zmm1
    vpbroadcastd -4(%r14,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm31
    vpdpbusd %zmm19, %zmm21, %zmm27
    vpbroadcastd -4(%rbx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm29
    vpdpbusd %zmm19, %zmm21, %zmm26
    vpsrld $4, %zmm17, %zmm17
    vpsrld $4, %zmm18, %zmm18
    vpbroadcastd (%r9,%rax), %zmm19
    vpandq %zmm24, %zmm17, %zmm17
    vpdpbusd %zmm19, %zmm17, %zmm16
    vpandq %zmm24, %zmm18, %zmm18
    vpdpbusd %zmm19, %zmm18, %zmm10
    vpbroadcastd (%rdx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm15
    vpdpbusd %zmm19, %zmm18, %zmm9
    vpbroadcastd (%rcx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm14
    vpdpbusd %zmm19, %zmm18, %zmm7
    vpbroadcastd (%r10,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm13
    vpdpbusd %zmm19, %zmm18, %zmm6
    vpbroadcastd (%rdi,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm12
    vpdpbusd %zmm19, %zmm18, %zmm4
    vpbroadcastd (%rbp,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm11
    vpdpbusd %zmm19, %zmm18, %zmm2
    vpbroadcastd (%r8,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm0
    vpdpbusd %zmm19, %zmm18, %zmm8
    vpbroadcastd (%r13,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm25
    vpdpbusd %zmm19, %zmm18, %zmm5
    vpbroadcastd (%r12,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm30
    vpdpbusd %zmm19, %zmm18, %zmm3
    vpbroadcastd (%r15,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm28
    vpdpbusd %zmm19, %zmm18, %zmm1
    vpbroadcastd (%r14,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm31
    vpdpbusd %zmm19, %zmm18, %zmm27
    vpbroadcastd (%rbx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm29
    vpdpbusd %zmm19, %zmm18, %zmm26
    addq $8, %rax
    subq $-128, %rsi
    addq 32(%rsp), %r11
    cmpq $32, %rax
    jne .LBB0_7


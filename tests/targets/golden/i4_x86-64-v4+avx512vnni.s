1 row, 1056 MACs:

    cmpl $13, %edx
    movl %r8d, %ebp
    cmovgel %r11d, %ebp
    addl %r10d, %ebp
    movslq %ebp, %rbp
    prefetcht0 (%rcx,%rbp,4)
    prefetcht0 64(%rcx,%rbp,4)
    prefetcht0 (%rbx,%rbp,4)
    prefetcht0 64(%rbx,%rbp,4)
    prefetcht0 (%r14,%rbp,4)
    prefetcht0 64(%r14,%rbp,4)
    prefetcht0 (%rax,%rbp,4)
    prefetcht0 64(%rax,%rbp,4)
    movl (%rsi,%r9,4), %ebp
    shll $3, %ebp
    vpbroadcastd %ebp, %zmm4
    vmovdqu64 -512(%r13,%r8,4), %zmm5
    vmovdqu64 -448(%r13,%r8,4), %zmm6
    movslq %r12d, %r12
    vpbroadcastd (%rdi,%r12,4), %zmm7
    vpandq %zmm2, %zmm5, %zmm8
    vpxor %xmm9, %xmm9, %xmm9
    vpdpbusd %zmm7, %zmm8, %zmm9
    vpandq %zmm2, %zmm6, %zmm8
    vpxor %xmm10, %xmm10, %xmm10
    vpdpbusd %zmm7, %zmm8, %zmm10
    vpbroadcastd 4(%rdi,%r12,4), %zmm7
    vpsrld $4, %zmm5, %zmm5
    vpsrld $4, %zmm6, %zmm6
    vpandq %zmm2, %zmm5, %zmm5
    vpandq %zmm2, %zmm6, %zmm6
    vmovdqu64 -384(%r13,%r8,4), %zmm8
    vpdpbusd %zmm7, %zmm5, %zmm9
    vpdpbusd %zmm7, %zmm6, %zmm10
    vmovdqu64 -320(%r13,%r8,4), %zmm5
    vpbroadcastd 8(%rdi,%r12,4), %zmm6
    vpandq %zmm2, %zmm8, %zmm7
    vpdpbusd %zmm6, %zmm7, %zmm9
    vpandq %zmm2, %zmm5, %zmm7
    vpdpbusd %zmm6, %zmm7, %zmm10
    vpbroadcastd 12(%rdi,%r12,4), %zmm6
    vpsrld $4, %zmm8, %zmm7
    vpsrld $4, %zmm5, %zmm5
    vpandq %zmm2, %zmm7, %zmm7
    vpandq %zmm2, %zmm5, %zmm5
    vmovdqu64 -256(%r13,%r8,4), %zmm8
    vpdpbusd %zmm6, %zmm7, %zmm9
    vpdpbusd %zmm6, %zmm5, %zmm10
    vmovdqu64 -192(%r13,%r8,4), %zmm5
    vpbroadcastd 16(%rdi,%r12,4), %zmm6
    vpandq %zmm2, %zmm8, %zmm7
    vpdpbusd %zmm6, %zmm7, %zmm9
    vpandq %zmm2, %zmm5, %zmm7
    vpdpbusd %zmm6, %zmm7, %zmm10
    vpbroadcastd 20(%rdi,%r12,4), %zmm6
    vpsrld $4, %zmm8, %zmm7
    vpsrld $4, %zmm5, %zmm5
    vpbroadcastd 24(%rdi,%r12,4), %zmm8
    vmovdqu64 -128(%r13,%r8,4), %zmm11
    vpandq %zmm2, %zmm7, %zmm7
    vpandq %zmm2, %zmm5, %zmm5
    vmovdqu64 -64(%r13,%r8,4), %zmm12
    vmovdqu64 (%r13,%r8,4), %zmm13
    vpdpbusd %zmm6, %zmm7, %zmm9
    vpdpbusd %zmm6, %zmm5, %zmm10
    vpandq %zmm2, %zmm11, %zmm5
    vpdpbusd %zmm8, %zmm5, %zmm9
    vpandq %zmm2, %zmm12, %zmm5
    vpsrld $4, %zmm11, %zmm6
    vpdpbusd %zmm8, %zmm5, %zmm10
    vpsrld $4, %zmm12, %zmm5
    vpbroadcastd 28(%rdi,%r12,4), %zmm7
    vpandq %zmm2, %zmm6, %zmm6
    vpandq %zmm2, %zmm5, %zmm5
    vpdpbusd %zmm7, %zmm6, %zmm9
    vpdpbusd %zmm7, %zmm5, %zmm10
    vpslld $16, %zmm13, %zmm5
    vpandq %zmm3, %zmm13, %zmm6
    movq 24(%rsp), %rbp
    vbroadcastss (%rbp,%r9,4), %zmm7
    vpsubd %zmm4, %zmm9, %zmm8
    vcvtdq2ps %zmm8, %zmm8
    vmulps %zmm5, %zmm7, %zmm5
    vpsubd %zmm4, %zmm10, %zmm4
    vcvtdq2ps %zmm4, %zmm4
    vmulps %zmm6, %zmm7, %zmm6
    vfmadd231ps %zmm5, %zmm8, %zmm0
    vfmadd231ps %zmm6, %zmm4, %zmm1
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
    movq 48(%rsp), %r12
    vpbroadcastd -4(%r12,%rax), %zmm19
    vpandq %zmm24, %zmm17, %zmm20
    vpdpbusd %zmm19, %zmm20, %zmm16
    vpandq %zmm24, %zmm18, %zmm21
    vpdpbusd %zmm19, %zmm21, %zmm15
    movq 40(%rsp), %rdx
    vpbroadcastd -4(%rdx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm14
    vpdpbusd %zmm19, %zmm21, %zmm13
    vpbroadcastd -4(%rcx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm12
    vpdpbusd %zmm19, %zmm21, %zmm11
    vpbroadcastd -4(%r10,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm10
    vpdpbusd %zmm19, %zmm21, %zmm9
    vpbroadcastd -4(%rdi,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm8
    vpdpbusd %zmm19, %zmm21, %zmm7
    vpbroadcastd -4(%rbp,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm6
    vpdpbusd %zmm19, %zmm21, %zmm5
    vpbroadcastd -4(%r8,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm4
    vpdpbusd %zmm19, %zmm21, %zmm3
    vpbroadcastd -4(%r13,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm2
    vpdpbusd %zmm19, %zmm21, %zmm1
    movq 32(%rsp), %r9
    vpbroadcastd -4(%r9,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm0
    vpdpbusd %zmm19, %zmm21, %zmm25
    movq 16(%rsp), %r15
    vpbroadcastd -4(%r15,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm31
    vpdpbusd %zmm19, %zmm21, %zmm30
    movq 8(%rsp), %r14
    vpbroadcastd -4(%r14,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm29
    vpdpbusd %zmm19, %zmm21, %zmm28
    movq 24(%rsp), %rbx
    vpbroadcastd -4(%rbx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm27
    vpdpbusd %zmm19, %zmm21, %zmm26
    vpsrld $4, %zmm17, %zmm17
    vpsrld $4, %zmm18, %zmm18
    vpbroadcastd (%r12,%rax), %zmm19
    vpandq %zmm24, %zmm17, %zmm17
    vpdpbusd %zmm19, %zmm17, %zmm16
    vpandq %zmm24, %zmm18, %zmm18
    vpdpbusd %zmm19, %zmm18, %zmm15
    vpbroadcastd (%rdx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm14
    vpdpbusd %zmm19, %zmm18, %zmm13
    vpbroadcastd (%rcx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm12
    vpdpbusd %zmm19, %zmm18, %zmm11
    vpbroadcastd (%r10,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm10
    vpdpbusd %zmm19, %zmm18, %zmm9
    vpbroadcastd (%rdi,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm8
    vpdpbusd %zmm19, %zmm18, %zmm7
    vpbroadcastd (%rbp,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm6
    vpdpbusd %zmm19, %zmm18, %zmm5
    vpbroadcastd (%r8,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm4
    vpdpbusd %zmm19, %zmm18, %zmm3
    vpbroadcastd (%r13,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm2
    vpdpbusd %zmm19, %zmm18, %zmm1
    vpbroadcastd (%r9,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm0
    vpdpbusd %zmm19, %zmm18, %zmm25
    vpbroadcastd (%r15,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm31
    vpdpbusd %zmm19, %zmm18, %zmm30
    vpbroadcastd (%r14,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm29
    vpdpbusd %zmm19, %zmm18, %zmm28
    vpbroadcastd (%rbx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm27
    vpdpbusd %zmm19, %zmm18, %zmm26
    addq $8, %rax
    subq $-128, %rsi
    addq 56(%rsp), %r11
    cmpq $32, %rax
    jne .LBB0_7


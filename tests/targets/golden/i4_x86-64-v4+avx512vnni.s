1 row, 1056 MACs:

    movl (%rdx,%rbx), %ebp
    shll $3, %ebp
    negl %ebp
    vpbroadcastd %ebp, %zmm5
    movslq %r9d, %r9
    prefetcht0 -448(%rcx,%r10)
    prefetcht0 -384(%rcx,%r10)
    vmovdqu64 -448(%rcx,%rax,4), %zmm6
    vmovdqu64 -384(%rcx,%rax,4), %zmm7
    vpbroadcastd (%rdi,%r9,4), %zmm8
    vpandq %zmm1, %zmm6, %zmm9
    vmovdqa64 %zmm5, %zmm10
    vpdpbusd %zmm8, %zmm9, %zmm10
    vpandq %zmm1, %zmm7, %zmm9
    vpdpbusd %zmm8, %zmm9, %zmm5
    vpbroadcastd 4(%rdi,%r9,4), %zmm8
    vpandq %zmm3, %zmm6, %zmm6
    vpxor %xmm9, %xmm9, %xmm9
    vpdpbusd %zmm8, %zmm6, %zmm9
    vpandq %zmm3, %zmm7, %zmm6
    vpxor %xmm7, %xmm7, %xmm7
    vpdpbusd %zmm8, %zmm6, %zmm7
    prefetcht0 -320(%rcx,%r10)
    prefetcht0 -256(%rcx,%r10)
    vmovdqu64 -320(%rcx,%rax,4), %zmm6
    vmovdqu64 -256(%rcx,%rax,4), %zmm8
    vpbroadcastd 8(%rdi,%r9,4), %zmm11
    vpandq %zmm1, %zmm6, %zmm12
    vpxor %xmm13, %xmm13, %xmm13
    vpdpbusd %zmm11, %zmm12, %zmm13
    vpandq %zmm1, %zmm8, %zmm12
    vpxor %xmm14, %xmm14, %xmm14
    vpdpbusd %zmm11, %zmm12, %zmm14
    vpbroadcastd 12(%rdi,%r9,4), %zmm11
    vpandq %zmm3, %zmm6, %zmm6
    vpxor %xmm12, %xmm12, %xmm12
    vpdpbusd %zmm11, %zmm6, %zmm12
    vpandq %zmm3, %zmm8, %zmm6
    vpxor %xmm8, %xmm8, %xmm8
    vpdpbusd %zmm11, %zmm6, %zmm8
    prefetcht0 -192(%rcx,%r10)
    prefetcht0 -128(%rcx,%r10)
    vmovdqu64 -192(%rcx,%rax,4), %zmm6
    vmovdqu64 -128(%rcx,%rax,4), %zmm11
    vpbroadcastd 16(%rdi,%r9,4), %zmm15
    vpandq %zmm1, %zmm6, %zmm16
    vpdpbusd %zmm15, %zmm16, %zmm10
    vpandq %zmm1, %zmm11, %zmm16
    vpdpbusd %zmm15, %zmm16, %zmm5
    vpbroadcastd 20(%rdi,%r9,4), %zmm15
    vpandq %zmm3, %zmm6, %zmm6
    vpdpbusd %zmm15, %zmm6, %zmm9
    vpandq %zmm3, %zmm11, %zmm6
    vpdpbusd %zmm15, %zmm6, %zmm7
    prefetcht0 -64(%rcx,%r10)
    prefetcht0 (%rcx,%r10)
    vpbroadcastd 24(%rdi,%r9,4), %zmm6
    vmovdqu64 -64(%rcx,%rax,4), %zmm11
    vmovdqu64 (%rcx,%rax,4), %zmm15
    vmovdqu64 64(%rcx,%rax,4), %zmm16
    vpandq %zmm1, %zmm11, %zmm17
    vpdpbusd %zmm6, %zmm17, %zmm13
    vpaddd %zmm13, %zmm10, %zmm10
    vpandq %zmm1, %zmm15, %zmm13
    vpdpbusd %zmm6, %zmm13, %zmm14
    vpaddd %zmm14, %zmm5, %zmm5
    vpbroadcastd 28(%rdi,%r9,4), %zmm6
    vpandq %zmm3, %zmm11, %zmm11
    vpdpbusd %zmm6, %zmm11, %zmm12
    vpaddd %zmm12, %zmm9, %zmm9
    vpandq %zmm3, %zmm15, %zmm11
    vpdpbusd %zmm6, %zmm11, %zmm8
    vpaddd %zmm7, %zmm8, %zmm6
    vpslld $16, %zmm16, %zmm7
    vpandq %zmm4, %zmm16, %zmm8
    vbroadcastss (%rsi,%rbx), %zmm11
    vpsrad $4, %zmm9, %zmm9
    vpaddd %zmm9, %zmm10, %zmm9
    vcvtdq2ps %zmm9, %zmm9
    vmulps %zmm7, %zmm11, %zmm7
    vfmadd231ps %zmm7, %zmm9, %zmm0
    vpsrad $4, %zmm6, %zmm6
    vpaddd %zmm6, %zmm5, %zmm5
    vcvtdq2ps %zmm5, %zmm5
    vmulps %zmm8, %zmm11, %zmm6
    vfmadd231ps %zmm6, %zmm5, %zmm2
    addq $4, %rbx
    addl $8, %r9d
    addq $576, %rcx
    cmpq %rbx, %r11
    jne .LBB0_3

12 rows, 3072 MACs:

    movslq %esi, %rsi
    movq 72(%rsp), %rcx
    prefetcht0 (%rcx,%rsi,4)
    prefetcht0 64(%rcx,%rsi,4)
    vmovdqu64 -64(%r14), %zmm17
    vmovdqu64 (%r14), %zmm18
    movq 16(%rsp), %rcx
    vpbroadcastd -4(%rcx,%rax), %zmm19
    vpandq %zmm24, %zmm17, %zmm20
    vpdpbusd %zmm19, %zmm20, %zmm16
    vpandq %zmm24, %zmm18, %zmm21
    vpdpbusd %zmm19, %zmm21, %zmm10
    movq 48(%rsp), %rdx
    vpbroadcastd -4(%rdx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm15
    vpdpbusd %zmm19, %zmm21, %zmm9
    movq 24(%rsp), %r9
    vpbroadcastd -4(%r9,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm14
    vpdpbusd %zmm19, %zmm21, %zmm7
    movq 64(%rsp), %r15
    vpbroadcastd -4(%r15,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm13
    vpdpbusd %zmm19, %zmm21, %zmm6
    movq 40(%rsp), %rdi
    vpbroadcastd -4(%rdi,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm12
    vpdpbusd %zmm19, %zmm21, %zmm4
    movq 32(%rsp), %r11
    vpbroadcastd -4(%r11,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm11
    vpdpbusd %zmm19, %zmm21, %zmm2
    movq 56(%rsp), %r10
    vpbroadcastd -4(%r10,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm0
    vpdpbusd %zmm19, %zmm21, %zmm8
    vpbroadcastd -4(%rbx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm25
    vpdpbusd %zmm19, %zmm21, %zmm5
    vpbroadcastd -4(%r8,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm30
    vpdpbusd %zmm19, %zmm21, %zmm3
    vpbroadcastd -4(%rbp,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm28
    vpdpbusd %zmm19, %zmm21, %zmm1
    vpbroadcastd -4(%r13,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm31
    vpdpbusd %zmm19, %zmm21, %zmm27
    vpbroadcastd -4(%r12,%rax), %zmm19
    vpdpbusd %zmm19, %zmm20, %zmm29
    vpdpbusd %zmm19, %zmm21, %zmm26
    vpsrld $4, %zmm17, %zmm17
    vpsrld $4, %zmm18, %zmm18
    vpbroadcastd (%rcx,%rax), %zmm19
    vpandq %zmm24, %zmm17, %zmm17
    vpdpbusd %zmm19, %zmm17, %zmm16
    vpandq %zmm24, %zmm18, %zmm18
    vpdpbusd %zmm19, %zmm18, %zmm10
    vpbroadcastd (%rdx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm15
    vpdpbusd %zmm19, %zmm18, %zmm9
    vpbroadcastd (%r9,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm14
    vpdpbusd %zmm19, %zmm18, %zmm7
    vpbroadcastd (%r15,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm13
    vpdpbusd %zmm19, %zmm18, %zmm6
    vpbroadcastd (%rdi,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm12
    vpdpbusd %zmm19, %zmm18, %zmm4
    vpbroadcastd (%r11,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm11
    vpdpbusd %zmm19, %zmm18, %zmm2
    vpbroadcastd (%r10,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm0
    vpdpbusd %zmm19, %zmm18, %zmm8
    vpbroadcastd (%rbx,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm25
    vpdpbusd %zmm19, %zmm18, %zmm5
    vpbroadcastd (%r8,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm30
    vpdpbusd %zmm19, %zmm18, %zmm3
    vpbroadcastd (%rbp,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm28
    vpdpbusd %zmm19, %zmm18, %zmm1
    vpbroadcastd (%r13,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm31
    vpdpbusd %zmm19, %zmm18, %zmm27
    vpbroadcastd (%r12,%rax), %zmm19
    vpdpbusd %zmm19, %zmm17, %zmm29
    vpdpbusd %zmm19, %zmm18, %zmm26
    addq $8, %rax
    subq $-128, %r14
    addl 360(%rsp), %esi
    cmpq $32, %rax
    jne .LBB0_7


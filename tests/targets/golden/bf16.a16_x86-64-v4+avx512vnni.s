1 row, 128 MACs:

    prefetcht0 -64(%rsi,%r10,8)
    prefetcht0 -64(%r9,%r10,8)
    vbroadcastss -12(%rcx,%r10), %zmm3
    vbroadcastss -8(%rcx,%r10), %zmm4
    vmovdqu64 -64(%r8,%r10,8), %zmm5
    vpslld $16, %zmm5, %zmm6
    vpandq %zmm0, %zmm5, %zmm5
    vfmadd213ps %zmm1, %zmm3, %zmm6
    vfmadd231ps %zmm5, %zmm4, %zmm6
    vmovdqu64 -64(%rdi,%r10,8), %zmm1
    vpslld $16, %zmm1, %zmm5
    vpandq %zmm0, %zmm1, %zmm1
    vfmadd213ps %zmm2, %zmm3, %zmm5
    vfmadd231ps %zmm1, %zmm4, %zmm5
    prefetcht0 (%rsi,%r10,8)
    prefetcht0 (%r9,%r10,8)
    vbroadcastss -4(%rcx,%r10), %zmm3
    vbroadcastss (%rcx,%r10), %zmm4
    vmovdqu64 (%r8,%r10,8), %zmm2
    vpslld $16, %zmm2, %zmm1
    vpandq %zmm0, %zmm2, %zmm2
    vfmadd213ps %zmm6, %zmm3, %zmm1
    vfmadd231ps %zmm2, %zmm4, %zmm1
    vmovdqu64 (%rdi,%r10,8), %zmm6
    vpslld $16, %zmm6, %zmm2
    vpandq %zmm0, %zmm6, %zmm6
    vfmadd213ps %zmm5, %zmm3, %zmm2
    vfmadd231ps %zmm6, %zmm4, %zmm2
    addq $16, %r10
    cmpq %r10, %rax
    jne .LBB0_3

12 rows, 768 MACs:

    movq 16(%rsp), %rax
    prefetcht0 (%rsi,%rax)
    movq 56(%rsp), %rax
    vmovdqu64 (%rax,%rcx,8), %zmm25
    vpslld $16, %zmm25, %zmm28
    vpandq %zmm24, %zmm25, %zmm26
    movq 8(%rsp), %rax
    vmovdqu64 (%rax,%rcx,8), %zmm25
    vpslld $16, %zmm25, %zmm27
    vpandq %zmm24, %zmm25, %zmm25
    vbroadcastss -4(%rdi,%rcx), %zmm29
    vbroadcastss (%rdi,%rcx), %zmm30
    vfmadd231ps %zmm28, %zmm29, %zmm17
    vfmadd231ps %zmm26, %zmm30, %zmm17
    vfmadd231ps %zmm29, %zmm27, %zmm23
    vfmadd231ps %zmm30, %zmm25, %zmm23
    vbroadcastss -4(%r10,%rcx), %zmm29
    vbroadcastss (%r10,%rcx), %zmm30
    vfmadd231ps %zmm28, %zmm29, %zmm22
    vfmadd231ps %zmm26, %zmm30, %zmm22
    vfmadd231ps %zmm29, %zmm27, %zmm21
    vfmadd231ps %zmm30, %zmm25, %zmm21
    vbroadcastss -4(%r11,%rcx), %zmm29
    vbroadcastss (%r11,%rcx), %zmm30
    vfmadd231ps %zmm28, %zmm29, %zmm20
    vfmadd231ps %zmm26, %zmm30, %zmm20
    vfmadd231ps %zmm29, %zmm27, %zmm19
    vfmadd231ps %zmm30, %zmm25, %zmm19
    vbroadcastss -4(%rbp,%rcx), %zmm29
    vbroadcastss (%rbp,%rcx), %zmm30
    vfmadd231ps %zmm28, %zmm29, %zmm18
    vfmadd231ps %zmm26, %zmm30, %zmm18
    vfmadd231ps %zmm29, %zmm27, %zmm16
    vfmadd231ps %zmm30, %zmm25, %zmm16
    vbroadcastss -4(%r13,%rcx), %zmm29
    vbroadcastss (%r13,%rcx), %zmm30
    vfmadd231ps %zmm28, %zmm29, %zmm15
    vfmadd231ps %zmm26, %zmm30, %zmm15
    vfmadd231ps %zmm29, %zmm27, %zmm14
    vfmadd231ps %zmm30, %zmm25, %zmm14
    vbroadcastss -4(%r12,%rcx), %zmm29
    vbroadcastss (%r12,%rcx), %zmm30
    vfmadd231ps %zmm28, %zmm29, %zmm13
    vfmadd231ps %zmm26, %zmm30, %zmm13
    vfmadd231ps %zmm29, %zmm27, %zmm12
    vfmadd231ps %zmm30, %zmm25, %zmm12
    vbroadcastss -4(%r15,%rcx), %zmm29
    vbroadcastss (%r15,%rcx), %zmm30
    vfmadd231ps %zmm28, %zmm29, %zmm11
    vfmadd231ps %zmm26, %zmm30, %zmm11
    vfmadd231ps %zmm29, %zmm27, %zmm10
    vfmadd231ps %zmm30, %zmm25, %zmm10
    vbroadcastss -4(%r14,%rcx), %zmm29
    vbroadcastss (%r14,%rcx), %zmm30
    vfmadd231ps %zmm28, %zmm29, %zmm9
    vfmadd231ps %zmm26, %zmm30, %zmm9
    vfmadd231ps %zmm29, %zmm27, %zmm8
    vfmadd231ps %zmm30, %zmm25, %zmm8
    vbroadcastss -4(%rbx,%rcx), %zmm29
    vbroadcastss (%rbx,%rcx), %zmm30
    vfmadd231ps %zmm28, %zmm29, %zmm7
    vfmadd231ps %zmm26, %zmm30, %zmm7
    vfmadd231ps %zmm29, %zmm27, %zmm6
    vfmadd231ps %zmm30, %zmm25, %zmm6
    vbroadcastss -4(%r9,%rcx), %zmm29
    vbroadcastss (%r9,%rcx), %zmm30
    movq 64(%rsp), %rax
    prefetcht0 (%rsi,%rax)
    vfmadd231ps %zmm28, %zmm29, %zmm5
    vfmadd231ps %zmm26, %zmm30, %zmm5
    vfmadd231ps %zmm29, %zmm27, %zmm4
    vbroadcastss -4(%r8,%rcx), %zmm29
    vfmadd231ps %zmm30, %zmm25, %zmm4
    vbroadcastss (%r8,%rcx), %zmm30
    vfmadd231ps %zmm28, %zmm29, %zmm3
    vfmadd231ps %zmm26, %zmm30, %zmm3
    vfmadd231ps %zmm29, %zmm27, %zmm2
    vfmadd231ps %zmm30, %zmm25, %zmm2
    vbroadcastss -4(%rdx,%rcx), %zmm29
    vbroadcastss (%rdx,%rcx), %zmm30
    vfmadd231ps %zmm28, %zmm29, %zmm1
    vfmadd231ps %zmm26, %zmm30, %zmm1
    vfmadd231ps %zmm27, %zmm29, %zmm0
    vfmadd231ps %zmm25, %zmm30, %zmm0
    addq $8, %rcx
    addq 24(%rsp), %rsi
    cmpq %rcx, 32(%rsp)
    jne .LBB0_6


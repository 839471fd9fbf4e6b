1 row, 128 MACs:

    vmovups -192(%r8,%rdx), %zmm2
    vmovups -192(%rbp,%rdx), %zmm3
    prefetcht0 -192(%r13,%rdx)
    vbroadcastss -12(%r15,%rbx,4), %zmm4
    vfmadd213ps %zmm0, %zmm4, %zmm2
    vfmadd213ps %zmm1, %zmm4, %zmm3
    vmovups -128(%r8,%rdx), %zmm0
    vmovups -128(%rbp,%rdx), %zmm1
    prefetcht0 -192(%r12,%rdx)
    prefetcht0 -128(%r13,%rdx)
    prefetcht0 -128(%r12,%rdx)
    vbroadcastss -8(%r15,%rbx,4), %zmm4
    vfmadd213ps %zmm2, %zmm4, %zmm0
    vfmadd213ps %zmm3, %zmm4, %zmm1
    vmovups -64(%r8,%rdx), %zmm2
    vmovups -64(%rbp,%rdx), %zmm3
    prefetcht0 -64(%r13,%rdx)
    prefetcht0 -64(%r12,%rdx)
    vbroadcastss -4(%r15,%rbx,4), %zmm4
    vfmadd213ps %zmm0, %zmm4, %zmm2
    vmovups (%r8,%rdx), %zmm0
    vfmadd213ps %zmm1, %zmm4, %zmm3
    vmovups (%rbp,%rdx), %zmm1
    prefetcht0 (%r13,%rdx)
    vbroadcastss (%r15,%rbx,4), %zmm4
    prefetcht0 (%r12,%rdx)
    vfmadd213ps %zmm2, %zmm4, %zmm0
    vfmadd213ps %zmm3, %zmm4, %zmm1
    addq $4, %rbx
    addq $256, %rdx
    cmpq %rdx, %r14
    jne .LBB0_5

1 row, 32 MACs:

    vmovups (%r9,%rsi), %zmm2
    vmovups (%r8,%rsi), %zmm3
    prefetcht0 (%r10,%rsi)
    vbroadcastss (%rdi), %zmm4
    prefetcht0 (%rcx,%rsi)
    vfmadd231ps %zmm2, %zmm4, %zmm0
    vfmadd231ps %zmm3, %zmm4, %zmm1
    addq $4, %rdi
    addq $64, %rsi
    cmpq %rsi, %rax
    jne .LBB0_8

12 rows, 384 MACs:

    vmovups (%r8), %zmm24
    vmovups (%r9), %zmm25
    prefetcht0 (%rsi,%rcx)
    movq (%rsp), %r14
    vbroadcastss (%r14,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm17
    vfmadd231ps %zmm26, %zmm25, %zmm23
    movq 88(%rsp), %r14
    vbroadcastss (%r14,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm22
    vfmadd231ps %zmm26, %zmm25, %zmm21
    movq 80(%rsp), %r14
    vbroadcastss (%r14,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm20
    vfmadd231ps %zmm26, %zmm25, %zmm19
    movq 72(%rsp), %r14
    vbroadcastss (%r14,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm18
    vfmadd231ps %zmm26, %zmm25, %zmm16
    movq 64(%rsp), %r14
    vbroadcastss (%r14,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm15
    vfmadd231ps %zmm26, %zmm25, %zmm14
    movq 56(%rsp), %r14
    vbroadcastss (%r14,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm13
    vfmadd231ps %zmm26, %zmm25, %zmm12
    vbroadcastss (%r15,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm11
    vfmadd231ps %zmm26, %zmm25, %zmm10
    vbroadcastss (%r12,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm9
    vfmadd231ps %zmm26, %zmm25, %zmm8
    vbroadcastss (%r13,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm7
    vfmadd231ps %zmm26, %zmm25, %zmm6
    vbroadcastss (%rbp,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm5
    vfmadd231ps %zmm26, %zmm25, %zmm4
    vbroadcastss (%r11,%rbx), %zmm26
    prefetcht0 (%rsi,%rax)
    vfmadd231ps %zmm24, %zmm26, %zmm3
    vfmadd231ps %zmm26, %zmm25, %zmm2
    vbroadcastss (%rdi,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm1
    vfmadd231ps %zmm25, %zmm26, %zmm0
    addq $4, %rbx
    addq %r10, %rsi
    addq $64, %r9
    addq $64, %r8
    cmpq %rbx, %rdx
    jne .LBB0_6


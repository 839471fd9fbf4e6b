1 row, 128 MACs:

    vcvtph2ps -96(%r8,%rdx,8), %zmm2
    vcvtph2ps -96(%rbp,%rdx,8), %zmm3
    prefetcht0 -96(%r13,%rdx,8)
    vbroadcastss -12(%r15,%rdx), %zmm4
    vfmadd213ps %zmm0, %zmm4, %zmm2
    vfmadd213ps %zmm1, %zmm4, %zmm3
    vcvtph2ps -64(%r8,%rdx,8), %zmm0
    vcvtph2ps -64(%rbp,%rdx,8), %zmm1
    prefetcht0 -96(%r12,%rdx,8)
    prefetcht0 -64(%r13,%rdx,8)
    prefetcht0 -64(%r12,%rdx,8)
    vbroadcastss -8(%r15,%rdx), %zmm4
    vfmadd213ps %zmm2, %zmm4, %zmm0
    vfmadd213ps %zmm3, %zmm4, %zmm1
    vcvtph2ps -32(%r8,%rdx,8), %zmm2
    vcvtph2ps -32(%rbp,%rdx,8), %zmm3
    prefetcht0 -32(%r13,%rdx,8)
    prefetcht0 -32(%r12,%rdx,8)
    vbroadcastss -4(%r15,%rdx), %zmm4
    vfmadd213ps %zmm0, %zmm4, %zmm2
    vcvtph2ps (%r8,%rdx,8), %zmm0
    vfmadd213ps %zmm1, %zmm4, %zmm3
    vcvtph2ps (%rbp,%rdx,8), %zmm1
    prefetcht0 (%r13,%rdx,8)
    vbroadcastss (%r15,%rdx), %zmm4
    prefetcht0 (%r12,%rdx,8)
    vfmadd213ps %zmm2, %zmm4, %zmm0
    vfmadd213ps %zmm3, %zmm4, %zmm1
    addq $4, %rbx
    addq $16, %rdx
    cmpq %rdx, %r14
    jne .LBB0_5

1 row, 32 MACs:

    vcvtph2ps (%r9,%rsi,8), %zmm2
    vcvtph2ps (%r8,%rsi,8), %zmm3
    prefetcht0 (%r10,%rsi,8)
    prefetcht0 (%rcx,%rsi,8)
    vbroadcastss (%rdi,%rsi), %zmm4
    vfmadd231ps %zmm2, %zmm4, %zmm0
    vfmadd231ps %zmm3, %zmm4, %zmm1
    addq $4, %rsi
    cmpq %rsi, %rax
    jne .LBB0_8

12 rows, 384 MACs:

    vcvtph2ps (%r8,%rbx,8), %zmm24
    vcvtph2ps (%r9,%rbx,8), %zmm25
    prefetcht0 (%rsi,%rcx)
    movq (%rsp), %r14
    vbroadcastss (%r14,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm19
    vfmadd231ps %zmm26, %zmm25, %zmm23
    movq 88(%rsp), %r14
    vbroadcastss (%r14,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm22
    vfmadd231ps %zmm26, %zmm25, %zmm21
    movq 80(%rsp), %r14
    vbroadcastss (%r14,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm20
    vfmadd231ps %zmm26, %zmm25, %zmm18
    movq 72(%rsp), %r14
    vbroadcastss (%r14,%rbx), %zmm26
    vfmadd231ps %zmm24, %zmm26, %zmm17
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
    vfmadd231ps %zmm24, %zmm26, %zmm3
    vfmadd231ps %zmm26, %zmm25, %zmm2
    vbroadcastss (%rdi,%rbx), %zmm26
    prefetcht0 (%rsi,%rax)
    vfmadd231ps %zmm24, %zmm26, %zmm1
    vfmadd231ps %zmm25, %zmm26, %zmm0
    addq $4, %rbx
    addq %r10, %rsi
    cmpq %rbx, %rdx
    jne .LBB0_6


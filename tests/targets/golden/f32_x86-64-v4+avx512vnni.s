1 row, 128 MACs:

    vmovups -192(%rsi,%rcx,4), %zmm2
    vmovups -192(%rsi,%rbx,4), %zmm3
    prefetcht0 (%rsi,%r8,4)
    prefetcht0 (%rsi,%rax,4)
    vbroadcastss -12(%r12,%r9,4), %zmm4
    vfmadd213ps %zmm0, %zmm4, %zmm2
    vfmadd213ps %zmm1, %zmm4, %zmm3
    vmovups -128(%rsi,%rcx,4), %zmm0
    vmovups -128(%rsi,%rbx,4), %zmm1
    prefetcht0 (%rsi,%rdx,4)
    prefetcht0 (%rsi,%r11,4)
    vbroadcastss -8(%r12,%r9,4), %zmm4
    vfmadd213ps %zmm2, %zmm4, %zmm0
    vfmadd213ps %zmm3, %zmm4, %zmm1
    vmovups -64(%rsi,%rcx,4), %zmm2
    vmovups -64(%rsi,%rbx,4), %zmm3
    prefetcht0 (%rsi,%r14,4)
    prefetcht0 (%rsi,%rdi,4)
    vbroadcastss -4(%r12,%r9,4), %zmm4
    vfmadd213ps %zmm0, %zmm4, %zmm2
    vfmadd213ps %zmm1, %zmm4, %zmm3
    vmovups (%rsi,%rcx,4), %zmm0
    vmovups (%rsi,%rbx,4), %zmm1
    prefetcht0 (%rsi,%r13,4)
    prefetcht0 (%rsi,%rbp,4)
    vbroadcastss (%r12,%r9,4), %zmm4
    vfmadd213ps %zmm2, %zmm4, %zmm0
    vfmadd213ps %zmm3, %zmm4, %zmm1
    addq $4, %r9
    addq %r10, %rbp
    addq %r10, %r13
    addq $64, %rbx
    addq $64, %rcx
    addq %r10, %rdi
    addq %r10, %r14
    addq %r10, %r11
    addq %r10, %rdx
    addq %r10, %rax
    addq %r10, %r8
    cmpq %r9, %r15
    jne .LBB0_8

1 row, 32 MACs:

    vmovups (%rsi,%r9,4), %zmm2
    vmovups (%rsi,%rdx,4), %zmm3
    prefetcht0 (%rsi,%rax,4)
    prefetcht0 (%rsi,%r10,4)
    vbroadcastss (%rdi,%rcx,4), %zmm4
    vfmadd231ps %zmm2, %zmm4, %zmm0
    vfmadd231ps %zmm3, %zmm4, %zmm1
    incq %rcx
    addq %rbx, %r10
    addq %rbx, %rax
    addq $16, %rdx
    addq $16, %r9
    cmpq %rcx, %r11
    jne .LBB0_11

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


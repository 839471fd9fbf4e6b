1 row, 256 MACs:

    prefetcht0 (%rsi,%r8,4)
    prefetcht0 (%rsi,%rax,4)
    vbroadcastss -12(%rbp,%r9,4), %zmm2
    vdpbf16ps -192(%rsi,%r13,4), %zmm2, %zmm0
    vdpbf16ps -192(%rsi,%r12,4), %zmm2, %zmm1
    prefetcht0 (%rsi,%rdx,4)
    prefetcht0 (%rsi,%r11,4)
    vbroadcastss -8(%rbp,%r9,4), %zmm2
    vdpbf16ps -128(%rsi,%r13,4), %zmm2, %zmm0
    vdpbf16ps -128(%rsi,%r12,4), %zmm2, %zmm1
    prefetcht0 (%rsi,%rcx,4)
    prefetcht0 (%rsi,%rdi,4)
    vbroadcastss -4(%rbp,%r9,4), %zmm2
    vdpbf16ps -64(%rsi,%r13,4), %zmm2, %zmm0
    vdpbf16ps -64(%rsi,%r12,4), %zmm2, %zmm1
    prefetcht0 (%rsi,%r10,4)
    prefetcht0 (%rsi,%rbx,4)
    vbroadcastss (%rbp,%r9,4), %zmm2
    vdpbf16ps (%rsi,%r13,4), %zmm2, %zmm0
    vdpbf16ps (%rsi,%r12,4), %zmm2, %zmm1
    addq $4, %r9
    addq $64, %r12
    addq $64, %r13
    addq %r14, %rbx
    addq %r14, %r10
    addq %r14, %rdi
    addq %r14, %rcx
    addq %r14, %r11
    addq %r14, %rdx
    addq %r14, %rax
    addq %r14, %r8
    cmpq %r9, %r15
    jne .LBB0_8

1 row, 64 MACs:

    prefetcht0 (%rsi,%r9,4)
    prefetcht0 (%rsi,%r11,4)
    vbroadcastss (%rdi,%rcx,4), %zmm2
    vdpbf16ps (%rsi,%rax,4), %zmm2, %zmm0
    vdpbf16ps (%rsi,%r10,4), %zmm2, %zmm1
    incq %rcx
    addq $16, %r10
    addq $16, %rax
    addq %r8, %r11
    addq %r8, %r9
    cmpq %rcx, %rdx
    jne .LBB0_11

12 rows, 768 MACs:

    prefetcht0 (%rsi,%rdx)
    vmovups (%r8), %zmm24
    vmovups (%r9), %zmm25
    movq 24(%rsp), %r15
    vbroadcastss (%r15,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm17
    vdpbf16ps %zmm25, %zmm26, %zmm23
    movq 16(%rsp), %r15
    vbroadcastss (%r15,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm22
    vdpbf16ps %zmm25, %zmm26, %zmm21
    movq 8(%rsp), %r15
    vbroadcastss (%r15,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm20
    vdpbf16ps %zmm25, %zmm26, %zmm19
    movq 88(%rsp), %r15
    vbroadcastss (%r15,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm18
    vdpbf16ps %zmm25, %zmm26, %zmm16
    movq 80(%rsp), %r15
    vbroadcastss (%r15,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm15
    vdpbf16ps %zmm25, %zmm26, %zmm14
    movq 72(%rsp), %r15
    vbroadcastss (%r15,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm13
    vdpbf16ps %zmm25, %zmm26, %zmm12
    vbroadcastss (%r12,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm11
    vdpbf16ps %zmm25, %zmm26, %zmm10
    vbroadcastss (%r13,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm9
    vdpbf16ps %zmm25, %zmm26, %zmm8
    vbroadcastss (%rbp,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm7
    vdpbf16ps %zmm25, %zmm26, %zmm6
    vbroadcastss (%r11,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm5
    vdpbf16ps %zmm25, %zmm26, %zmm4
    vbroadcastss (%r10,%rbx), %zmm26
    prefetcht0 (%rsi,%rcx)
    vdpbf16ps %zmm24, %zmm26, %zmm3
    vdpbf16ps %zmm25, %zmm26, %zmm2
    vbroadcastss (%rdi,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm1
    vdpbf16ps %zmm25, %zmm26, %zmm0
    addq $4, %rbx
    addq $64, %r9
    addq $64, %r8
    addq %rax, %rsi
    cmpq %rbx, %r14
    jne .LBB0_6


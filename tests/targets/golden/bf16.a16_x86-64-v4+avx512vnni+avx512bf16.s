1 row, 256 MACs:

    prefetcht0 -192(%rbp,%r13)
    vbroadcastss -12(%r15,%r11,4), %zmm2
    vdpbf16ps (%rbp,%r9,4), %zmm2, %zmm0
    prefetcht0 -192(%rbp,%r12)
    vdpbf16ps (%rbp,%r10,4), %zmm2, %zmm1
    prefetcht0 -128(%rbp,%r13)
    vbroadcastss -8(%r15,%r11,4), %zmm2
    prefetcht0 -128(%rbp,%r12)
    vdpbf16ps 64(%rbp,%r9,4), %zmm2, %zmm0
    vdpbf16ps 64(%rbp,%r10,4), %zmm2, %zmm1
    prefetcht0 -64(%rbp,%r13)
    vbroadcastss -4(%r15,%r11,4), %zmm2
    vdpbf16ps 128(%rbp,%r9,4), %zmm2, %zmm0
    vdpbf16ps 128(%rbp,%r10,4), %zmm2, %zmm1
    prefetcht0 -64(%rbp,%r12)
    prefetcht0 (%rbp,%r13)
    vbroadcastss (%r15,%r11,4), %zmm2
    vdpbf16ps 192(%rbp,%r9,4), %zmm2, %zmm0
    prefetcht0 (%rbp,%r12)
    vdpbf16ps 192(%rbp,%r10,4), %zmm2, %zmm1
    addq $4, %r11
    addq $256, %rbp
    cmpq %r11, %r14
    jne .LBB0_5

1 row, 64 MACs:

    prefetcht0 (%rax,%rsi)
    vbroadcastss (%rdi), %zmm2
    vdpbf16ps (%r9,%rsi), %zmm2, %zmm0
    prefetcht0 (%r8,%rsi)
    vdpbf16ps (%rcx,%rsi), %zmm2, %zmm1
    addq $4, %rdi
    addq $64, %rsi
    cmpq $128, %rsi
    jne .LBB0_8

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
    movq (%rsp), %r15
    vbroadcastss (%r15,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm20
    vdpbf16ps %zmm25, %zmm26, %zmm19
    movq 8(%rsp), %r15
    vbroadcastss (%r15,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm18
    vdpbf16ps %zmm25, %zmm26, %zmm16
    movq 88(%rsp), %r15
    vbroadcastss (%r15,%rbx), %zmm26
    vdpbf16ps %zmm24, %zmm26, %zmm15
    vdpbf16ps %zmm25, %zmm26, %zmm14
    movq 80(%rsp), %r15
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


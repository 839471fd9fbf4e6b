1 row, 64 MACs:

    prefetcht0 (%rcx,%r10,8)
    prefetcht0 (%rsi,%r10,8)
    vbroadcastss -4(%rdi,%r10), %ymm9
    vbroadcastss (%rdi,%r10), %ymm10
    vmovdqu -32(%r9,%r10,8), %ymm3
    vmovdqu (%r9,%r10,8), %ymm5
    vpslld $16, %ymm3, %ymm1
    vpblendw $170, %ymm3, %ymm0, %ymm3
    vfmadd213ps %ymm8, %ymm9, %ymm1
    vfmadd231ps %ymm3, %ymm10, %ymm1
    vpslld $16, %ymm5, %ymm3
    vpblendw $170, %ymm5, %ymm0, %ymm5
    vfmadd213ps %ymm7, %ymm9, %ymm3
    vfmadd231ps %ymm5, %ymm10, %ymm3
    vmovdqu -32(%r8,%r10,8), %ymm6
    vmovdqu (%r8,%r10,8), %ymm7
    vpslld $16, %ymm6, %ymm5
    vpblendw $170, %ymm6, %ymm0, %ymm6
    vfmadd213ps %ymm4, %ymm9, %ymm5
    vfmadd231ps %ymm6, %ymm10, %ymm5
    vpslld $16, %ymm7, %ymm6
    vpblendw $170, %ymm7, %ymm0, %ymm4
    vfmadd213ps %ymm2, %ymm9, %ymm6
    vfmadd231ps %ymm4, %ymm10, %ymm6
    addq $8, %r10
    vmovaps %ymm1, %ymm8
    vmovaps %ymm3, %ymm7
    vmovaps %ymm5, %ymm4
    vmovaps %ymm6, %ymm2
    cmpq %r10, %rax
    jne .LBB0_3

5 rows, 160 MACs:

    vmovdqu -32(%rdx,%r15,8), %ymm12
    vmovdqu (%rdx,%r15,8), %ymm13
    vpslld $16, %ymm12, %ymm15
    vpslld $16, %ymm13, %ymm14
    vbroadcastss -4(%r13,%r15), %ymm11
    vfmadd231ps %ymm15, %ymm11, %ymm10
    vfmadd231ps %ymm11, %ymm14, %ymm9
    vbroadcastss -4(%r12,%r15), %ymm11
    vfmadd231ps %ymm15, %ymm11, %ymm8
    vfmadd231ps %ymm11, %ymm14, %ymm7
    vbroadcastss -4(%r9,%r15), %ymm11
    vfmadd231ps %ymm15, %ymm11, %ymm6
    vfmadd231ps %ymm11, %ymm14, %ymm5
    vbroadcastss -4(%r8,%r15), %ymm11
    vfmadd231ps %ymm15, %ymm11, %ymm4
    vfmadd231ps %ymm11, %ymm14, %ymm3
    vbroadcastss -4(%rcx,%r15), %ymm11
    vfmadd231ps %ymm15, %ymm11, %ymm2
    vfmadd231ps %ymm14, %ymm11, %ymm1
    vpxor %xmm14, %xmm14, %xmm14
    vpblendw $170, %ymm12, %ymm14, %ymm11
    vpblendw $170, %ymm13, %ymm14, %ymm12
    vbroadcastss (%r13,%r15), %ymm13
    vfmadd231ps %ymm11, %ymm13, %ymm10
    vfmadd231ps %ymm13, %ymm12, %ymm9
    vbroadcastss (%r12,%r15), %ymm13
    vfmadd231ps %ymm11, %ymm13, %ymm8
    vfmadd231ps %ymm13, %ymm12, %ymm7
    vbroadcastss (%r9,%r15), %ymm13
    vfmadd231ps %ymm11, %ymm13, %ymm6
    vfmadd231ps %ymm13, %ymm12, %ymm5
    vbroadcastss (%r8,%r15), %ymm13
    vfmadd231ps %ymm11, %ymm13, %ymm4
    vfmadd231ps %ymm13, %ymm12, %ymm3
    vbroadcastss (%rcx,%r15), %ymm13
    vfmadd231ps %ymm11, %ymm13, %ymm2
    vfmadd231ps %ymm12, %ymm13, %ymm1
    prefetcht0 (%r14)
    addq $8, %r15
    addq %rbp, %r14
    cmpq %r15, %r11
    jne .LBB0_5

5 rows, 160 MACs:

    vmovdqu -32(%rdi,%rbx,8), %ymm11
    vmovdqu (%rdi,%rbx,8), %ymm12
    vpslld $16, %ymm11, %ymm14
    vpslld $16, %ymm12, %ymm13
    vbroadcastss -4(%rcx,%rbx), %ymm15
    vfmadd231ps %ymm14, %ymm15, %ymm0
    vfmadd231ps %ymm15, %ymm13, %ymm9
    vbroadcastss -4(%r11,%rbx), %ymm15
    vfmadd231ps %ymm14, %ymm15, %ymm8
    vfmadd231ps %ymm15, %ymm13, %ymm7
    vbroadcastss -4(%r9,%rbx), %ymm15
    vfmadd231ps %ymm14, %ymm15, %ymm6
    vfmadd231ps %ymm15, %ymm13, %ymm5
    vbroadcastss -4(%r8,%rbx), %ymm15
    vfmadd231ps %ymm14, %ymm15, %ymm4
    vfmadd231ps %ymm15, %ymm13, %ymm3
    vbroadcastss -4(%rdx,%rbx), %ymm15
    vfmadd231ps %ymm14, %ymm15, %ymm2
    vfmadd231ps %ymm13, %ymm15, %ymm1
    vpblendw $170, %ymm11, %ymm10, %ymm11
    vpblendw $170, %ymm12, %ymm10, %ymm12
    vbroadcastss (%rcx,%rbx), %ymm13
    vfmadd231ps %ymm11, %ymm13, %ymm0
    vfmadd231ps %ymm13, %ymm12, %ymm9
    vbroadcastss (%r11,%rbx), %ymm13
    vfmadd231ps %ymm11, %ymm13, %ymm8
    vfmadd231ps %ymm13, %ymm12, %ymm7
    vbroadcastss (%r9,%rbx), %ymm13
    vfmadd231ps %ymm11, %ymm13, %ymm6
    vfmadd231ps %ymm13, %ymm12, %ymm5
    vbroadcastss (%r8,%rbx), %ymm13
    vfmadd231ps %ymm11, %ymm13, %ymm4
    vfmadd231ps %ymm13, %ymm12, %ymm3
    vbroadcastss (%rdx,%rbx), %ymm13
    vfmadd231ps %ymm11, %ymm13, %ymm2
    vfmadd231ps %ymm12, %ymm13, %ymm1
    movslq %r10d, %r10
    prefetcht0 (%rsi,%r10,4)
    addq $8, %rbx
    addl %eax, %r10d
    cmpq %rbx, %r14
    jne .LBB0_8


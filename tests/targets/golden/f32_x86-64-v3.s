1 row, 64 MACs:

    vmovups -96(%rsi,%rdi,4), %ymm4
    vmovups -64(%rsi,%rdi,4), %ymm5
    vmovups -96(%rsi,%r8,4), %ymm6
    vmovups -64(%rsi,%r8,4), %ymm7
    prefetcht0 (%rsi,%r10,4)
    prefetcht0 (%rsi,%rcx,4)
    vbroadcastss -4(%r12,%rbx,4), %ymm8
    vfmadd213ps %ymm0, %ymm8, %ymm4
    vfmadd213ps %ymm1, %ymm8, %ymm5
    vfmadd213ps %ymm2, %ymm8, %ymm6
    vfmadd213ps %ymm3, %ymm8, %ymm7
    vmovups -32(%rsi,%rdi,4), %ymm0
    vmovups (%rsi,%rdi,4), %ymm1
    vmovups -32(%rsi,%r8,4), %ymm2
    vmovups (%rsi,%r8,4), %ymm3
    prefetcht0 (%rsi,%r11,4)
    prefetcht0 (%rsi,%r13,4)
    vbroadcastss (%r12,%rbx,4), %ymm8
    vfmadd213ps %ymm4, %ymm8, %ymm0
    vfmadd213ps %ymm5, %ymm8, %ymm1
    vfmadd213ps %ymm6, %ymm8, %ymm2
    vfmadd213ps %ymm7, %ymm8, %ymm3
    addq $2, %rbx
    addq %rbp, %r13
    addq %rbp, %r11
    addq $32, %r8
    addq $32, %rdi
    addq %rbp, %rcx
    addq %rbp, %r10
    cmpq %rbx, %r15
    jne .LBB0_8

6 rows, 96 MACs:

    vmovups -32(%rcx), %ymm13
    vmovups (%rcx), %ymm14
    prefetcht0 (%r10)
    vbroadcastss (%rdx,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm7
    vfmadd231ps %ymm15, %ymm14, %ymm12
    vbroadcastss (%r8,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm11
    vfmadd231ps %ymm15, %ymm14, %ymm10
    vbroadcastss (%r9,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm9
    vfmadd231ps %ymm15, %ymm14, %ymm8
    vbroadcastss (%rbx,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm6
    vfmadd231ps %ymm15, %ymm14, %ymm5
    vbroadcastss (%r15,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm4
    vfmadd231ps %ymm15, %ymm14, %ymm3
    vbroadcastss (%r12,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm2
    vfmadd231ps %ymm14, %ymm15, %ymm1
    addq $4, %rax
    addq %r13, %r10
    addq $64, %rcx
    cmpq %rax, %rbp
    jne .LBB0_5

6 rows, 96 MACs:

    movslq %r14d, %r14
    vmovups (%rsi,%r14,4), %ymm12
    vmovups 32(%rsi,%r14,4), %ymm13
    movslq %r11d, %r11
    prefetcht0 (%rsi,%r11,4)
    vbroadcastss (%rdx,%r10), %ymm14
    vfmadd231ps %ymm12, %ymm14, %ymm6
    vfmadd231ps %ymm14, %ymm13, %ymm11
    vbroadcastss (%r8,%r10), %ymm14
    vfmadd231ps %ymm12, %ymm14, %ymm10
    vfmadd231ps %ymm14, %ymm13, %ymm9
    vbroadcastss (%r9,%r10), %ymm14
    vfmadd231ps %ymm12, %ymm14, %ymm8
    vfmadd231ps %ymm14, %ymm13, %ymm7
    vbroadcastss (%rbx,%r10), %ymm14
    vfmadd231ps %ymm12, %ymm14, %ymm5
    vfmadd231ps %ymm14, %ymm13, %ymm4
    vbroadcastss (%r15,%r10), %ymm14
    vfmadd231ps %ymm12, %ymm14, %ymm3
    vfmadd231ps %ymm14, %ymm13, %ymm2
    vbroadcastss (%rdi,%r10), %ymm14
    vfmadd231ps %ymm12, %ymm14, %ymm1
    vfmadd231ps %ymm13, %ymm14, %ymm0
    addq $4, %r10
    addl %ecx, %r11d
    addl $16, %r14d
    cmpq %r10, %r12
    jne .LBB0_8


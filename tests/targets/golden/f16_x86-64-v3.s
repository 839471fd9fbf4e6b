1 row, 64 MACs:

    vcvtph2ps -48(%rsi,%r9), %ymm4
    vcvtph2ps -32(%rsi,%r9), %ymm5
    vcvtph2ps -48(%rsi,%rcx), %ymm6
    vcvtph2ps -32(%rsi,%rcx), %ymm7
    prefetcht0 (%rsi,%r8)
    vbroadcastss -4(%r12,%rbx,4), %ymm8
    vfmadd213ps %ymm0, %ymm8, %ymm4
    vfmadd213ps %ymm1, %ymm8, %ymm5
    vfmadd213ps %ymm2, %ymm8, %ymm6
    vfmadd213ps %ymm3, %ymm8, %ymm7
    vcvtph2ps -16(%rsi,%r9), %ymm0
    vcvtph2ps (%rsi,%r9), %ymm1
    vcvtph2ps -16(%rsi,%rcx), %ymm2
    vcvtph2ps (%rsi,%rcx), %ymm3
    prefetcht0 (%rsi,%r13)
    prefetcht0 (%rsi,%rdi)
    prefetcht0 (%rsi,%rbp)
    vbroadcastss (%r12,%rbx,4), %ymm8
    vfmadd213ps %ymm4, %ymm8, %ymm0
    vfmadd213ps %ymm5, %ymm8, %ymm1
    vfmadd213ps %ymm6, %ymm8, %ymm2
    vfmadd213ps %ymm7, %ymm8, %ymm3
    addq $2, %rbx
    addq %r11, %rbp
    addq %r11, %rdi
    addq $64, %rcx
    addq $64, %r9
    addq %r11, %r13
    addq %r11, %r8
    cmpq %rbx, %r15
    jne .LBB0_8

6 rows, 96 MACs:

    vcvtph2ps -16(%rcx,%rax,8), %ymm13
    vcvtph2ps (%rcx,%rax,8), %ymm14
    prefetcht0 (%r10)
    vbroadcastss (%rdx,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm8
    vfmadd231ps %ymm15, %ymm14, %ymm12
    vbroadcastss (%r8,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm11
    vfmadd231ps %ymm15, %ymm14, %ymm10
    vbroadcastss (%r9,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm9
    vfmadd231ps %ymm15, %ymm14, %ymm7
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
    cmpq %rax, %rbp
    jne .LBB0_5

6 rows, 96 MACs:

    movslq %r14d, %r14
    vcvtph2ps (%rsi,%r14,2), %ymm12
    vcvtph2ps 16(%rsi,%r14,2), %ymm13
    movslq %r11d, %r11
    prefetcht0 (%rsi,%r11,2)
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


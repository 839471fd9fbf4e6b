1 row, 64 MACs:

    vcvtph2ps -48(%rax,%rdx,8), %ymm4
    vcvtph2ps -32(%rax,%rdx,8), %ymm5
    vcvtph2ps -48(%rbp,%rdx,8), %ymm6
    vcvtph2ps -32(%rbp,%rdx,8), %ymm7
    prefetcht0 -32(%r13,%rdx,8)
    prefetcht0 -32(%r12,%rdx,8)
    vbroadcastss -4(%r15,%rdx), %ymm8
    vfmadd213ps %ymm0, %ymm8, %ymm4
    vfmadd213ps %ymm1, %ymm8, %ymm5
    vfmadd213ps %ymm2, %ymm8, %ymm6
    vfmadd213ps %ymm3, %ymm8, %ymm7
    vcvtph2ps -16(%rax,%rdx,8), %ymm0
    vcvtph2ps (%rax,%rdx,8), %ymm1
    vcvtph2ps -16(%rbp,%rdx,8), %ymm2
    vcvtph2ps (%rbp,%rdx,8), %ymm3
    prefetcht0 (%r13,%rdx,8)
    prefetcht0 (%r12,%rdx,8)
    vbroadcastss (%r15,%rdx), %ymm8
    vfmadd213ps %ymm4, %ymm8, %ymm0
    vfmadd213ps %ymm5, %ymm8, %ymm1
    vfmadd213ps %ymm6, %ymm8, %ymm2
    vfmadd213ps %ymm7, %ymm8, %ymm3
    addq $2, %rcx
    addq $8, %rdx
    cmpq %rcx, %r14
    jne .LBB0_5

6 rows, 96 MACs:

    vcvtph2ps -16(%rcx,%rax,8), %ymm13
    vcvtph2ps (%rcx,%rax,8), %ymm14
    prefetcht0 (%r11)
    vbroadcastss (%rdx,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm8
    vfmadd231ps %ymm15, %ymm14, %ymm12
    vbroadcastss (%r8,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm11
    vfmadd231ps %ymm15, %ymm14, %ymm10
    vbroadcastss (%r9,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm9
    vfmadd231ps %ymm15, %ymm14, %ymm7
    vbroadcastss (%r14,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm6
    vfmadd231ps %ymm15, %ymm14, %ymm5
    vbroadcastss (%r15,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm4
    vfmadd231ps %ymm15, %ymm14, %ymm3
    vbroadcastss (%r12,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm2
    vfmadd231ps %ymm14, %ymm15, %ymm1
    addq $4, %rax
    addq %r13, %r11
    cmpq %rax, %rbp
    jne .LBB0_5

6 rows, 96 MACs:

    movslq %ebx, %rbx
    vcvtph2ps (%rsi,%rbx,2), %ymm12
    vcvtph2ps 16(%rsi,%rbx,2), %ymm13
    movslq %r10d, %r10
    prefetcht0 (%rsi,%r10,2)
    vbroadcastss (%rdx,%r11), %ymm14
    vfmadd231ps %ymm12, %ymm14, %ymm6
    vfmadd231ps %ymm14, %ymm13, %ymm11
    vbroadcastss (%r8,%r11), %ymm14
    vfmadd231ps %ymm12, %ymm14, %ymm10
    vfmadd231ps %ymm14, %ymm13, %ymm9
    vbroadcastss (%r9,%r11), %ymm14
    vfmadd231ps %ymm12, %ymm14, %ymm8
    vfmadd231ps %ymm14, %ymm13, %ymm7
    vbroadcastss (%r14,%r11), %ymm14
    vfmadd231ps %ymm12, %ymm14, %ymm5
    vfmadd231ps %ymm14, %ymm13, %ymm4
    vbroadcastss (%r15,%r11), %ymm14
    vfmadd231ps %ymm12, %ymm14, %ymm3
    vfmadd231ps %ymm14, %ymm13, %ymm2
    vbroadcastss (%rdi,%r11), %ymm14
    vfmadd231ps %ymm12, %ymm14, %ymm1
    vfmadd231ps %ymm13, %ymm14, %ymm0
    addq $4, %r11
    addl %ecx, %r10d
    addl $16, %ebx
    cmpq %r11, %r12
    jne .LBB0_8


1 row, 64 MACs:

    vmovups (%rbp,%r10,4), %ymm4
    vmovups 32(%rbp,%r10,4), %ymm5
    vmovups (%rbp,%r9,4), %ymm6
    vmovups 32(%rbp,%r9,4), %ymm7
    prefetcht0 -64(%rbp,%r13)
    prefetcht0 -64(%rbp,%r12)
    vbroadcastss -4(%r15,%r11,4), %ymm8
    vfmadd213ps %ymm0, %ymm8, %ymm4
    vfmadd213ps %ymm1, %ymm8, %ymm5
    vfmadd213ps %ymm2, %ymm8, %ymm6
    vfmadd213ps %ymm3, %ymm8, %ymm7
    vmovups 64(%rbp,%r10,4), %ymm0
    vmovups 96(%rbp,%r10,4), %ymm1
    vmovups 64(%rbp,%r9,4), %ymm2
    vmovups 96(%rbp,%r9,4), %ymm3
    prefetcht0 (%rbp,%r13)
    prefetcht0 (%rbp,%r12)
    vbroadcastss (%r15,%r11,4), %ymm8
    vfmadd213ps %ymm4, %ymm8, %ymm0
    vfmadd213ps %ymm5, %ymm8, %ymm1
    vfmadd213ps %ymm6, %ymm8, %ymm2
    vfmadd213ps %ymm7, %ymm8, %ymm3
    addq $2, %r11
    subq $-128, %rbp
    cmpq %r11, %r14
    jne .LBB0_5

6 rows, 96 MACs:

    vmovups -32(%rcx), %ymm13
    vmovups (%rcx), %ymm14
    prefetcht0 (%r11)
    vbroadcastss (%rdx,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm7
    vfmadd231ps %ymm15, %ymm14, %ymm12
    vbroadcastss (%r8,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm11
    vfmadd231ps %ymm15, %ymm14, %ymm10
    vbroadcastss (%r9,%rax), %ymm15
    vfmadd231ps %ymm13, %ymm15, %ymm9
    vfmadd231ps %ymm15, %ymm14, %ymm8
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
    addq $64, %rcx
    cmpq %rax, %rbp
    jne .LBB0_5

6 rows, 96 MACs:

    movslq %ebx, %rbx
    vmovups (%rsi,%rbx,4), %ymm12
    vmovups 32(%rsi,%rbx,4), %ymm13
    movslq %r10d, %r10
    prefetcht0 (%rsi,%r10,4)
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


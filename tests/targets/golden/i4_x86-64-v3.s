1 row, 1056 MACs:

    movl (%rdx,%rbx), %ebp
    movslq %r9d, %r9
    vmovdqu -448(%rcx,%rax,4), %ymm7
    vmovdqu -416(%rcx,%rax,4), %ymm8
    vmovdqu -384(%rcx,%rax,4), %ymm9
    vmovdqu -352(%rcx,%rax,4), %ymm10
    vpbroadcastd (%rdi,%r9,4), %ymm11
    vpand %ymm5, %ymm7, %ymm12
    vpmaddubsw %ymm11, %ymm12, %ymm12
    vpand %ymm5, %ymm8, %ymm13
    vpmaddubsw %ymm11, %ymm13, %ymm13
    vpand %ymm5, %ymm9, %ymm14
    vpmaddubsw %ymm11, %ymm14, %ymm14
    vpand %ymm5, %ymm10, %ymm15
    vpmaddubsw %ymm11, %ymm15, %ymm11
    vpsrld $4, %ymm7, %ymm7
    vpsrld $4, %ymm8, %ymm8
    vpsrld $4, %ymm9, %ymm9
    vpsrld $4, %ymm10, %ymm10
    vpbroadcastd 4(%rdi,%r9,4), %ymm15
    vpand %ymm5, %ymm7, %ymm7
    vpmaddubsw %ymm15, %ymm7, %ymm7
    vpaddw %ymm7, %ymm12, %ymm7
    vpand %ymm5, %ymm8, %ymm8
    vpmaddubsw %ymm15, %ymm8, %ymm8
    vpaddw %ymm13, %ymm8, %ymm8
    vpand %ymm5, %ymm9, %ymm9
    vpmaddubsw %ymm15, %ymm9, %ymm9
    vpaddw %ymm14, %ymm9, %ymm9
    vpand %ymm5, %ymm10, %ymm10
    vpmaddubsw %ymm15, %ymm10, %ymm10
    vpaddw %ymm11, %ymm10, %ymm10
    vmovdqu -320(%rcx,%rax,4), %ymm11
    vmovdqu -288(%rcx,%rax,4), %ymm12
    vmovdqu -256(%rcx,%rax,4), %ymm13
    vmovdqu -224(%rcx,%rax,4), %ymm14
    vpbroadcastd 8(%rdi,%r9,4), %ymm15
    vpand %ymm5, %ymm11, %ymm2
    vpmaddubsw %ymm15, %ymm2, %ymm2
    vpaddw %ymm7, %ymm2, %ymm2
    vpand %ymm5, %ymm12, %ymm7
    vpmaddubsw %ymm15, %ymm7, %ymm7
    vpaddw %ymm7, %ymm8, %ymm7
    vpand %ymm5, %ymm13, %ymm8
    vpmaddubsw %ymm15, %ymm8, %ymm8
    vpaddw %ymm9, %ymm8, %ymm8
    vpand %ymm5, %ymm14, %ymm9
    vpmaddubsw %ymm15, %ymm9, %ymm9
    vpaddw %ymm10, %ymm9, %ymm9
    vpsrld $4, %ymm11, %ymm10
    vpsrld $4, %ymm12, %ymm11
    vpsrld $4, %ymm13, %ymm12
    vpsrld $4, %ymm14, %ymm13
    vpbroadcastd 12(%rdi,%r9,4), %ymm14
    vpand %ymm5, %ymm10, %ymm10
    vpmaddubsw %ymm14, %ymm10, %ymm10
    vpaddw %ymm2, %ymm10, %ymm2
    vpand %ymm5, %ymm11, %ymm10
    vpmaddubsw %ymm14, %ymm10, %ymm10
    vpaddw %ymm7, %ymm10, %ymm7
    vpand %ymm5, %ymm12, %ymm10
    vpmaddubsw %ymm14, %ymm10, %ymm10
    vpaddw %ymm8, %ymm10, %ymm8
    vpand %ymm5, %ymm13, %ymm10
    vpmaddubsw %ymm14, %ymm10, %ymm10
    vpaddw %ymm9, %ymm10, %ymm9
    vmovdqu -192(%rcx,%rax,4), %ymm10
    vmovdqu -160(%rcx,%rax,4), %ymm11
    vmovdqu -128(%rcx,%rax,4), %ymm12
    vmovdqu -96(%rcx,%rax,4), %ymm13
    vpbroadcastd 16(%rdi,%r9,4), %ymm14
    vpand %ymm5, %ymm10, %ymm15
    vpmaddubsw %ymm14, %ymm15, %ymm15
    vpaddw %ymm2, %ymm15, %ymm2
    vpand %ymm5, %ymm11, %ymm15
    vpmaddubsw %ymm14, %ymm15, %ymm15
    vpaddw %ymm7, %ymm15, %ymm7
    vpand %ymm5, %ymm12, %ymm15
    vpmaddubsw %ymm14, %ymm15, %ymm15
    vpaddw %ymm8, %ymm15, %ymm8
    vpand %ymm5, %ymm13, %ymm15
    vpmaddubsw %ymm14, %ymm15, %ymm14
    vpaddw %ymm9, %ymm14, %ymm14
    vpsrld $4, %ymm10, %ymm9
    vpsrld $4, %ymm11, %ymm10
    vpsrld $4, %ymm12, %ymm11
    vpsrld $4, %ymm13, %ymm12
    vpbroadcastd 20(%rdi,%r9,4), %ymm13
    vpand %ymm5, %ymm9, %ymm9
    vpmaddubsw %ymm13, %ymm9, %ymm9
    vpaddw %ymm2, %ymm9, %ymm2
    vpand %ymm5, %ymm10, %ymm9
    vpmaddubsw %ymm13, %ymm9, %ymm9
    vpaddw %ymm7, %ymm9, %ymm10
    vpand %ymm5, %ymm11, %ymm7
    vpmaddubsw %ymm13, %ymm7, %ymm7
    vpaddw %ymm7, %ymm8, %ymm9
    vpand %ymm5, %ymm12, %ymm7
    vpmaddubsw %ymm13, %ymm7, %ymm7
    vpaddw %ymm7, %ymm14, %ymm7
    vmovdqu -64(%rcx,%rax,4), %ymm11
    vmovdqu -32(%rcx,%rax,4), %ymm12
    vpbroadcastd 24(%rdi,%r9,4), %ymm8
    vpand %ymm5, %ymm11, %ymm13
    vpmaddubsw %ymm8, %ymm13, %ymm13
    vpaddw %ymm2, %ymm13, %ymm2
    vpand %ymm5, %ymm12, %ymm13
    vpmaddubsw %ymm8, %ymm13, %ymm13
    vpaddw %ymm10, %ymm13, %ymm13
    vpsrld $4, %ymm11, %ymm11
    vpsrld $4, %ymm12, %ymm12
    vpbroadcastd 28(%rdi,%r9,4), %ymm10
    vpand %ymm5, %ymm11, %ymm11
    vpmaddubsw %ymm10, %ymm11, %ymm11
    vpaddw %ymm2, %ymm11, %ymm2
    vpand %ymm5, %ymm12, %ymm11
    vpmaddubsw %ymm10, %ymm11, %ymm11
    vpaddw %ymm13, %ymm11, %ymm14
    shll $3, %ebp
    vmovd %ebp, %xmm11
    vpbroadcastd %xmm11, %ymm11
    vmovdqu 64(%rcx,%rax,4), %ymm15
    vpslld $16, %ymm15, %ymm13
    vbroadcastss (%rsi,%rbx), %ymm12
    vpmaddwd %ymm6, %ymm2, %ymm2
    vpsubd %ymm11, %ymm2, %ymm2
    vcvtdq2ps %ymm2, %ymm2
    vmulps %ymm13, %ymm12, %ymm13
    vfmadd231ps %ymm13, %ymm2, %ymm4
    vmovdqu 96(%rcx,%rax,4), %ymm13
    vpslld $16, %ymm13, %ymm2
    vpmaddwd %ymm6, %ymm14, %ymm14
    vpsubd %ymm11, %ymm14, %ymm14
    vcvtdq2ps %ymm14, %ymm14
    vmulps %ymm2, %ymm12, %ymm2
    vfmadd231ps %ymm2, %ymm14, %ymm3
    vmovdqu (%rcx,%rax,4), %ymm2
    vpand %ymm5, %ymm2, %ymm14
    vpmaddubsw %ymm8, %ymm14, %ymm14
    vpaddw %ymm9, %ymm14, %ymm9
    vpsrld $4, %ymm2, %ymm2
    vpand %ymm5, %ymm2, %ymm2
    vpmaddubsw %ymm10, %ymm2, %ymm2
    vpaddw %ymm2, %ymm9, %ymm2
    vpxor %xmm14, %xmm14, %xmm14
    vpblendw $170, %ymm15, %ymm14, %ymm9
    vpmaddwd %ymm6, %ymm2, %ymm2
    vpsubd %ymm11, %ymm2, %ymm2
    vcvtdq2ps %ymm2, %ymm2
    vmulps %ymm9, %ymm12, %ymm9
    vfmadd231ps %ymm9, %ymm2, %ymm1
    vmovdqu 32(%rcx,%rax,4), %ymm2
    vpand %ymm5, %ymm2, %ymm9
    vpmaddubsw %ymm8, %ymm9, %ymm8
    vpaddw %ymm7, %ymm8, %ymm7
    vpsrld $4, %ymm2, %ymm2
    vpand %ymm5, %ymm2, %ymm2
    vpmaddubsw %ymm10, %ymm2, %ymm2
    vpaddw %ymm7, %ymm2, %ymm2
    vpmaddwd %ymm6, %ymm2, %ymm2
    vpsubd %ymm11, %ymm2, %ymm2
    vpblendw $170, %ymm13, %ymm14, %ymm7
    vmulps %ymm7, %ymm12, %ymm7
    vcvtdq2ps %ymm2, %ymm2
    vfmadd231ps %ymm7, %ymm2, %ymm0
    prefetcht0 -448(%rcx,%r10)
    prefetcht0 -384(%rcx,%r10)
    prefetcht0 -320(%rcx,%r10)
    prefetcht0 -256(%rcx,%r10)
    prefetcht0 -192(%rcx,%r10)
    prefetcht0 -128(%rcx,%r10)
    prefetcht0 -64(%rcx,%r10)
    prefetcht0 (%rcx,%r10)
    addq $4, %rbx
    addl $8, %r9d
    addq $576, %rcx
    cmpq %rbx, %r11
    jne .LBB0_3

5 rows, 640 MACs:

    vmovdqu -32(%r13), %ymm8
    vmovdqu (%r13), %ymm9
    vpbroadcastd -4(%rbp,%r12), %ymm11
    vpand .LCPI0_0(%rip), %ymm8, %ymm7
    vpmaddubsw %ymm11, %ymm7, %ymm10
    vpaddw %ymm6, %ymm10, %ymm6
    vpand .LCPI0_0(%rip), %ymm9, %ymm10
    vpmaddubsw %ymm11, %ymm10, %ymm11
    vpaddw %ymm5, %ymm11, %ymm5
    vpbroadcastd -4(%r10,%r12), %ymm11
    vpmaddubsw %ymm11, %ymm7, %ymm0
    vpaddw %ymm4, %ymm0, %ymm4
    vpmaddubsw %ymm11, %ymm10, %ymm0
    vpaddw %ymm3, %ymm0, %ymm3
    vpbroadcastd -4(%rdx,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm11
    vpaddw %ymm2, %ymm11, %ymm2
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm1, %ymm0, %ymm1
    vpbroadcastd -4(%r8,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm11
    vpaddw %ymm15, %ymm11, %ymm15
    vpbroadcastd .LCPI0_2(%rip), %ymm11
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm0, %ymm14, %ymm14
    vpbroadcastd -4(%rbx,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm7
    vpaddw %ymm7, %ymm13, %ymm7
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm0, %ymm12, %ymm12
    vpsrld $4, %ymm8, %ymm0
    vpsrld $4, %ymm9, %ymm9
    vpbroadcastd (%rbp,%r12), %ymm10
    vpand %ymm0, %ymm11, %ymm8
    vpmaddubsw %ymm10, %ymm8, %ymm0
    vpaddw %ymm6, %ymm0, %ymm6
    vpand %ymm11, %ymm9, %ymm9
    vpmaddubsw %ymm10, %ymm9, %ymm0
    vpaddw %ymm5, %ymm0, %ymm5
    vpbroadcastd (%r10,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm10
    vpaddw %ymm4, %ymm10, %ymm4
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm3, %ymm0, %ymm3
    vpbroadcastd (%rdx,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm10
    vpaddw %ymm2, %ymm10, %ymm2
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm1, %ymm0, %ymm1
    vpbroadcastd (%r8,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm10
    vpaddw %ymm15, %ymm10, %ymm15
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm0, %ymm14, %ymm14
    vpbroadcastd (%rbx,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm8
    vpaddw %ymm7, %ymm8, %ymm13
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm0, %ymm12, %ymm12
    movslq %r9d, %r9
    prefetcht0 (%rcx,%r9,4)
    prefetcht0 64(%rcx,%r9,4)
    addq $8, %r12
    subq $-128, %r13
    addl %eax, %r9d
    cmpq $32, %r12
    jne .LBB0_6

5 rows, 640 MACs:

    vmovdqu -32(%rsi), %ymm8
    vmovdqu (%rsi), %ymm9
    vpbroadcastd -4(%r13,%rax), %ymm0
    vpand %ymm11, %ymm8, %ymm7
    vpmaddubsw %ymm0, %ymm7, %ymm10
    vpaddw %ymm6, %ymm10, %ymm6
    vpand %ymm11, %ymm9, %ymm10
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm5, %ymm0, %ymm5
    vpbroadcastd -4(%rbx,%rax), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm11
    vpaddw %ymm4, %ymm11, %ymm4
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm3, %ymm0, %ymm3
    vpbroadcastd -4(%r10,%rax), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm11
    vpaddw %ymm2, %ymm11, %ymm2
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm0, %ymm12, %ymm12
    vpbroadcastd -4(%r8,%rax), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm11
    vpaddw %ymm15, %ymm11, %ymm15
    vpbroadcastd .LCPI0_2(%rip), %ymm11
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm1, %ymm0, %ymm1
    vpbroadcastd -4(%rdi,%rax), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm7
    vpaddw %ymm7, %ymm14, %ymm7
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm0, %ymm13, %ymm13
    vpsrld $4, %ymm8, %ymm0
    vpsrld $4, %ymm9, %ymm9
    vpbroadcastd (%r13,%rax), %ymm10
    vpand %ymm0, %ymm11, %ymm8
    vpmaddubsw %ymm10, %ymm8, %ymm0
    vpaddw %ymm6, %ymm0, %ymm6
    vpand %ymm11, %ymm9, %ymm9
    vpmaddubsw %ymm10, %ymm9, %ymm0
    vpaddw %ymm5, %ymm0, %ymm5
    vpbroadcastd (%rbx,%rax), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm10
    vpaddw %ymm4, %ymm10, %ymm4
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm3, %ymm0, %ymm3
    vpbroadcastd (%r10,%rax), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm10
    vpaddw %ymm2, %ymm10, %ymm2
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm0, %ymm12, %ymm12
    vpbroadcastd (%r8,%rax), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm10
    vpaddw %ymm15, %ymm10, %ymm15
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm1, %ymm0, %ymm1
    vpbroadcastd (%rdi,%rax), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm8
    vpaddw %ymm7, %ymm8, %ymm14
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm0, %ymm13, %ymm13
    addq $8, %rax
    subq $-128, %rsi
    cmpq $32, %rax
    jne .LBB0_10


1 row, 1056 MACs:

    vmovups %ymm13, 32(%rsp)
    cmpl $6, %r10d
    movl %r8d, %ebp
    cmovgel %r11d, %ebp
    movq 24(%rsp), %rsi
    movl (%rsi,%r9,4), %esi
    movslq %r12d, %r12
    vmovdqu -544(%r13,%r8,4), %ymm1
    vmovdqu -512(%r13,%r8,4), %ymm7
    vmovdqu -480(%r13,%r8,4), %ymm8
    vmovdqu -448(%r13,%r8,4), %ymm9
    vpbroadcastd (%rdi,%r12,4), %ymm10
    vpand %ymm5, %ymm1, %ymm11
    vpmaddubsw %ymm10, %ymm11, %ymm11
    vpand %ymm5, %ymm7, %ymm12
    vpmaddubsw %ymm10, %ymm12, %ymm12
    vpand %ymm5, %ymm8, %ymm13
    vpmaddubsw %ymm10, %ymm13, %ymm13
    vpand %ymm5, %ymm9, %ymm14
    vpmaddubsw %ymm10, %ymm14, %ymm10
    vpsrld $4, %ymm1, %ymm1
    vpsrld $4, %ymm7, %ymm7
    vpsrld $4, %ymm8, %ymm8
    vpsrld $4, %ymm9, %ymm9
    vpbroadcastd 4(%rdi,%r12,4), %ymm14
    vpand %ymm5, %ymm1, %ymm1
    vpmaddubsw %ymm14, %ymm1, %ymm1
    vpaddw %ymm1, %ymm11, %ymm1
    vpand %ymm5, %ymm7, %ymm7
    vpmaddubsw %ymm14, %ymm7, %ymm7
    vpaddw %ymm7, %ymm12, %ymm7
    vpand %ymm5, %ymm8, %ymm8
    vpmaddubsw %ymm14, %ymm8, %ymm8
    vpaddw %ymm13, %ymm8, %ymm8
    vpand %ymm5, %ymm9, %ymm9
    vpmaddubsw %ymm14, %ymm9, %ymm9
    vpaddw %ymm10, %ymm9, %ymm9
    vmovdqu -416(%r13,%r8,4), %ymm10
    vmovdqu -384(%r13,%r8,4), %ymm11
    vmovdqu -352(%r13,%r8,4), %ymm12
    vmovdqu -320(%r13,%r8,4), %ymm13
    vpbroadcastd 8(%rdi,%r12,4), %ymm14
    vpand %ymm5, %ymm10, %ymm15
    vpmaddubsw %ymm14, %ymm15, %ymm15
    vpaddw %ymm1, %ymm15, %ymm1
    vpand %ymm5, %ymm11, %ymm15
    vpmaddubsw %ymm14, %ymm15, %ymm15
    vpaddw %ymm7, %ymm15, %ymm7
    vpand %ymm5, %ymm12, %ymm15
    vpmaddubsw %ymm14, %ymm15, %ymm15
    vpaddw %ymm8, %ymm15, %ymm8
    vpand %ymm5, %ymm13, %ymm15
    vpmaddubsw %ymm14, %ymm15, %ymm14
    vpaddw %ymm9, %ymm14, %ymm9
    vpsrld $4, %ymm10, %ymm10
    vpsrld $4, %ymm11, %ymm11
    vpsrld $4, %ymm12, %ymm12
    vpsrld $4, %ymm13, %ymm13
    vpbroadcastd 12(%rdi,%r12,4), %ymm14
    vpand %ymm5, %ymm10, %ymm10
    vpmaddubsw %ymm14, %ymm10, %ymm10
    vpaddw %ymm1, %ymm10, %ymm1
    vpand %ymm5, %ymm11, %ymm10
    vpmaddubsw %ymm14, %ymm10, %ymm10
    vpaddw %ymm7, %ymm10, %ymm15
    vpand %ymm5, %ymm12, %ymm7
    vpmaddubsw %ymm14, %ymm7, %ymm7
    vpaddw %ymm7, %ymm8, %ymm6
    vpand %ymm5, %ymm13, %ymm7
    vpmaddubsw %ymm14, %ymm7, %ymm7
    vpaddw %ymm7, %ymm9, %ymm7
    vmovdqu -288(%r13,%r8,4), %ymm9
    vmovdqu -256(%r13,%r8,4), %ymm10
    vmovdqu -224(%r13,%r8,4), %ymm11
    vmovdqu -192(%r13,%r8,4), %ymm12
    vpbroadcastd 16(%rdi,%r12,4), %ymm0
    vpand %ymm5, %ymm9, %ymm8
    vpmaddubsw %ymm0, %ymm8, %ymm8
    vpaddw %ymm1, %ymm8, %ymm8
    vpand %ymm5, %ymm10, %ymm1
    vpmaddubsw %ymm0, %ymm1, %ymm1
    vpaddw %ymm1, %ymm15, %ymm13
    vpand %ymm5, %ymm11, %ymm1
    vpmaddubsw %ymm0, %ymm1, %ymm1
    vpaddw %ymm6, %ymm1, %ymm14
    vpand %ymm5, %ymm12, %ymm1
    vpmaddubsw %ymm0, %ymm1, %ymm15
    shll $3, %esi
    vmovd %esi, %xmm1
    vpaddw %ymm7, %ymm15, %ymm0
    vpsrld $4, %ymm9, %ymm6
    vpsrld $4, %ymm10, %ymm7
    vpsrld $4, %ymm11, %ymm9
    vpsrld $4, %ymm12, %ymm11
    vpbroadcastd 20(%rdi,%r12,4), %ymm12
    vpand %ymm5, %ymm6, %ymm6
    vpmaddubsw %ymm12, %ymm6, %ymm6
    vpaddw %ymm6, %ymm8, %ymm6
    vpand %ymm5, %ymm7, %ymm7
    vpmaddubsw %ymm12, %ymm7, %ymm7
    vpaddw %ymm7, %ymm13, %ymm13
    vpand %ymm5, %ymm9, %ymm7
    vpmaddubsw %ymm12, %ymm7, %ymm7
    vpaddw %ymm7, %ymm14, %ymm10
    vpand %ymm5, %ymm11, %ymm7
    vpmaddubsw %ymm12, %ymm7, %ymm7
    vpaddw %ymm0, %ymm7, %ymm7
    vmovdqu -160(%r13,%r8,4), %ymm0
    vmovdqu -128(%r13,%r8,4), %ymm9
    vpbroadcastd 24(%rdi,%r12,4), %ymm8
    vpand %ymm5, %ymm0, %ymm11
    vpmaddubsw %ymm8, %ymm11, %ymm11
    vpaddw %ymm6, %ymm11, %ymm6
    vpand %ymm5, %ymm9, %ymm11
    vpmaddubsw %ymm8, %ymm11, %ymm11
    vpaddw %ymm13, %ymm11, %ymm11
    vpsrld $4, %ymm0, %ymm0
    vpsrld $4, %ymm9, %ymm12
    vpbroadcastd 28(%rdi,%r12,4), %ymm9
    vpand %ymm5, %ymm0, %ymm0
    vpmaddubsw %ymm9, %ymm0, %ymm0
    vpaddw %ymm6, %ymm0, %ymm0
    vpand %ymm5, %ymm12, %ymm6
    vpmaddubsw %ymm9, %ymm6, %ymm6
    vpaddw %ymm6, %ymm11, %ymm6
    vpbroadcastd %xmm1, %ymm11
    vmovdqu -32(%r13,%r8,4), %ymm13
    vpslld $16, %ymm13, %ymm12
    vbroadcastss (%r15,%r9,4), %ymm1
    vpbroadcastd .LCPI0_3(%rip), %ymm14
    vpmaddwd %ymm0, %ymm14, %ymm0
    vpsubd %ymm11, %ymm0, %ymm0
    vcvtdq2ps %ymm0, %ymm0
    vmulps %ymm1, %ymm12, %ymm12
    vfmadd231ps %ymm12, %ymm0, %ymm4
    vmovdqu (%r13,%r8,4), %ymm12
    vpslld $16, %ymm12, %ymm0
    vpmaddwd %ymm6, %ymm14, %ymm6
    vpsubd %ymm11, %ymm6, %ymm6
    vcvtdq2ps %ymm6, %ymm6
    vmulps %ymm0, %ymm1, %ymm0
    vfmadd231ps %ymm0, %ymm6, %ymm3
    vmovdqu -96(%r13,%r8,4), %ymm0
    vpand %ymm5, %ymm0, %ymm6
    vpmaddubsw %ymm8, %ymm6, %ymm6
    vpaddw %ymm6, %ymm10, %ymm6
    vpsrld $4, %ymm0, %ymm0
    vpand %ymm5, %ymm0, %ymm0
    vpmaddubsw %ymm9, %ymm0, %ymm0
    vpaddw %ymm6, %ymm0, %ymm0
    vpxor %xmm10, %xmm10, %xmm10
    vpblendw $170, %ymm13, %ymm10, %ymm6
    vmovups 32(%rsp), %ymm13
    vpmaddwd %ymm0, %ymm14, %ymm0
    vpsubd %ymm11, %ymm0, %ymm0
    vcvtdq2ps %ymm0, %ymm0
    vmulps %ymm6, %ymm1, %ymm6
    vfmadd231ps %ymm6, %ymm0, %ymm13
    vmovdqu -64(%r13,%r8,4), %ymm0
    vpand %ymm5, %ymm0, %ymm6
    vpmaddubsw %ymm8, %ymm6, %ymm6
    vpaddw %ymm7, %ymm6, %ymm6
    vpsrld $4, %ymm0, %ymm0
    vpand %ymm5, %ymm0, %ymm0
    vpmaddubsw %ymm9, %ymm0, %ymm0
    vpaddw %ymm6, %ymm0, %ymm0
    vpmaddwd %ymm0, %ymm14, %ymm0
    vpsubd %ymm11, %ymm0, %ymm0
    vpblendw $170, %ymm12, %ymm10, %ymm6
    vmulps %ymm6, %ymm1, %ymm1
    vcvtdq2ps %ymm0, %ymm0
    vfmadd231ps %ymm1, %ymm0, %ymm2
    addl %edx, %ebp
    movslq %ebp, %rsi
    prefetcht0 (%rcx,%rsi,4)
    prefetcht0 64(%rcx,%rsi,4)
    prefetcht0 (%rbx,%rsi,4)
    prefetcht0 64(%rbx,%rsi,4)
    prefetcht0 (%r14,%rsi,4)
    prefetcht0 64(%r14,%rsi,4)
    prefetcht0 (%rax,%rsi,4)
    prefetcht0 64(%rax,%rsi,4)
    addq $144, %r8
    incq %r9
    addl 4(%rsp), %r11d
    addl $8, %r12d
    cmpq %r8, 16(%rsp)
    jne .LBB0_6

5 rows, 640 MACs:

    vmovdqu -32(%r14), %ymm8
    vmovdqu (%r14), %ymm9
    vpbroadcastd -4(%rdi,%r12), %ymm11
    vpand .LCPI0_0(%rip), %ymm8, %ymm7
    vpmaddubsw %ymm11, %ymm7, %ymm10
    vpaddw %ymm6, %ymm10, %ymm6
    vpand .LCPI0_0(%rip), %ymm9, %ymm10
    vpmaddubsw %ymm11, %ymm10, %ymm11
    vpaddw %ymm5, %ymm11, %ymm5
    vpbroadcastd -4(%rbp,%r12), %ymm11
    vpmaddubsw %ymm11, %ymm7, %ymm0
    vpaddw %ymm4, %ymm0, %ymm4
    vpmaddubsw %ymm11, %ymm10, %ymm0
    vpaddw %ymm3, %ymm0, %ymm3
    vpbroadcastd -4(%r10,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm11
    vpaddw %ymm2, %ymm11, %ymm2
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm1, %ymm0, %ymm1
    vpbroadcastd -4(%rdx,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm11
    vpaddw %ymm15, %ymm11, %ymm15
    vpbroadcastd .LCPI0_2(%rip), %ymm11
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm0, %ymm14, %ymm14
    vpbroadcastd -4(%r8,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm7
    vpaddw %ymm7, %ymm13, %ymm7
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm0, %ymm12, %ymm12
    vpsrld $4, %ymm8, %ymm0
    vpsrld $4, %ymm9, %ymm9
    vpbroadcastd (%rdi,%r12), %ymm10
    vpand %ymm0, %ymm11, %ymm8
    vpmaddubsw %ymm10, %ymm8, %ymm0
    vpaddw %ymm6, %ymm0, %ymm6
    vpand %ymm11, %ymm9, %ymm9
    vpmaddubsw %ymm10, %ymm9, %ymm0
    vpaddw %ymm5, %ymm0, %ymm5
    vpbroadcastd (%rbp,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm10
    vpaddw %ymm4, %ymm10, %ymm4
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm3, %ymm0, %ymm3
    vpbroadcastd (%r10,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm10
    vpaddw %ymm2, %ymm10, %ymm2
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm1, %ymm0, %ymm1
    vpbroadcastd (%rdx,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm10
    vpaddw %ymm15, %ymm10, %ymm15
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm0, %ymm14, %ymm14
    vpbroadcastd (%r8,%r12), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm8
    vpaddw %ymm7, %ymm8, %ymm13
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm0, %ymm12, %ymm12
    prefetcht0 -64(%rcx)
    prefetcht0 (%rcx)
    addq $8, %r12
    subq $-128, %r14
    addq %rax, %rcx
    cmpq $32, %r12
    jne .LBB0_6

5 rows, 640 MACs:

    vmovdqu -32(%r11), %ymm8
    vmovdqu (%r11), %ymm9
    vpbroadcastd -4(%rbp,%rsi), %ymm0
    vpand %ymm11, %ymm8, %ymm7
    vpmaddubsw %ymm0, %ymm7, %ymm10
    vpaddw %ymm6, %ymm10, %ymm6
    vpand %ymm11, %ymm9, %ymm10
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm5, %ymm0, %ymm5
    vpbroadcastd -4(%r14,%rsi), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm11
    vpaddw %ymm4, %ymm11, %ymm4
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm3, %ymm0, %ymm3
    vpbroadcastd -4(%r10,%rsi), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm11
    vpaddw %ymm2, %ymm11, %ymm2
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm0, %ymm12, %ymm12
    vpbroadcastd -4(%r8,%rsi), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm11
    vpaddw %ymm1, %ymm11, %ymm1
    vpbroadcastd .LCPI0_2(%rip), %ymm11
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm0, %ymm15, %ymm15
    vpbroadcastd -4(%rdi,%rsi), %ymm0
    vpmaddubsw %ymm0, %ymm7, %ymm7
    vpaddw %ymm7, %ymm14, %ymm7
    vpmaddubsw %ymm0, %ymm10, %ymm0
    vpaddw %ymm0, %ymm13, %ymm13
    vpsrld $4, %ymm8, %ymm0
    vpsrld $4, %ymm9, %ymm9
    vpbroadcastd (%rbp,%rsi), %ymm10
    vpand %ymm0, %ymm11, %ymm8
    vpmaddubsw %ymm10, %ymm8, %ymm0
    vpaddw %ymm6, %ymm0, %ymm6
    vpand %ymm11, %ymm9, %ymm9
    vpmaddubsw %ymm10, %ymm9, %ymm0
    vpaddw %ymm5, %ymm0, %ymm5
    vpbroadcastd (%r14,%rsi), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm10
    vpaddw %ymm4, %ymm10, %ymm4
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm3, %ymm0, %ymm3
    vpbroadcastd (%r10,%rsi), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm10
    vpaddw %ymm2, %ymm10, %ymm2
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm0, %ymm12, %ymm12
    vpbroadcastd (%r8,%rsi), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm10
    vpaddw %ymm1, %ymm10, %ymm1
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm0, %ymm15, %ymm15
    vpbroadcastd (%rdi,%rsi), %ymm0
    vpmaddubsw %ymm0, %ymm8, %ymm8
    vpaddw %ymm7, %ymm8, %ymm14
    vpmaddubsw %ymm0, %ymm9, %ymm0
    vpaddw %ymm0, %ymm13, %ymm13
    addq $8, %rsi
    subq $-128, %r11
    cmpq $32, %rsi
    jne .LBB0_10


1 row, 1056 MACs:

    cmpl $7, %edx
    movl %r8d, %ebp
    cmovgel %r11d, %ebp
    addl %r15d, %ebp
    movslq %ebp, %rbp
    prefetcht0 (%rcx,%rbp,4)
    prefetcht0 64(%rcx,%rbp,4)
    prefetcht0 (%rbx,%rbp,4)
    prefetcht0 64(%rbx,%rbp,4)
    prefetcht0 (%r14,%rbp,4)
    prefetcht0 64(%r14,%rbp,4)
    prefetcht0 (%rax,%rbp,4)
    prefetcht0 64(%rax,%rbp,4)
    movl (%rsi,%r9,4), %ebp
    shll $3, %ebp
    vmovd %ebp, %xmm0
    vmovdqa %xmm0, 32(%rsp)
    movslq %r12d, %r12
    vmovdqu -544(%r13,%r8,4), %ymm11
    vmovdqu -512(%r13,%r8,4), %ymm12
    vmovdqu -480(%r13,%r8,4), %ymm13
    vmovdqu -448(%r13,%r8,4), %ymm14
    vpbroadcastd (%rdi,%r12,4), %ymm15
    vpand %ymm5, %ymm11, %ymm6
    vpxor %xmm10, %xmm10, %xmm10
    vpand %ymm5, %ymm12, %ymm2
    {vex} vpdpbusd %ymm15, %ymm6, %ymm10
    vpxor %xmm9, %xmm9, %xmm9
    vpand %ymm5, %ymm13, %ymm0
    vpxor %xmm8, %xmm8, %xmm8
    {vex} vpdpbusd %ymm15, %ymm2, %ymm9
    vpand %ymm5, %ymm14, %ymm2
    vpxor %xmm6, %xmm6, %xmm6
    vpsrld $4, %ymm11, %ymm11
    {vex} vpdpbusd %ymm15, %ymm0, %ymm8
    vpsrld $4, %ymm12, %ymm0
    vpsrld $4, %ymm13, %ymm12
    vpsrld $4, %ymm14, %ymm13
    {vex} vpdpbusd %ymm15, %ymm2, %ymm6
    vpbroadcastd 4(%rdi,%r12,4), %ymm2
    vpand %ymm5, %ymm11, %ymm11
    vpand %ymm5, %ymm0, %ymm0
    {vex} vpdpbusd %ymm2, %ymm11, %ymm10
    {vex} vpdpbusd %ymm2, %ymm0, %ymm9
    vpand %ymm5, %ymm12, %ymm0
    vpand %ymm5, %ymm13, %ymm11
    {vex} vpdpbusd %ymm2, %ymm0, %ymm8
    vmovdqu -416(%r13,%r8,4), %ymm0
    vmovdqu -384(%r13,%r8,4), %ymm12
    vmovdqu -352(%r13,%r8,4), %ymm13
    {vex} vpdpbusd %ymm2, %ymm11, %ymm6
    vmovdqu -320(%r13,%r8,4), %ymm2
    vpbroadcastd 8(%rdi,%r12,4), %ymm11
    vpand %ymm5, %ymm0, %ymm14
    {vex} vpdpbusd %ymm11, %ymm14, %ymm10
    vpand %ymm5, %ymm12, %ymm14
    {vex} vpdpbusd %ymm11, %ymm14, %ymm9
    vpand %ymm5, %ymm13, %ymm14
    {vex} vpdpbusd %ymm11, %ymm14, %ymm8
    vpand %ymm5, %ymm2, %ymm14
    vpsrld $4, %ymm0, %ymm0
    vpsrld $4, %ymm12, %ymm12
    {vex} vpdpbusd %ymm11, %ymm14, %ymm6
    vpsrld $4, %ymm13, %ymm11
    vpsrld $4, %ymm2, %ymm2
    vpbroadcastd 12(%rdi,%r12,4), %ymm13
    vpand %ymm5, %ymm0, %ymm0
    {vex} vpdpbusd %ymm13, %ymm0, %ymm10
    vpand %ymm5, %ymm12, %ymm0
    vpand %ymm5, %ymm11, %ymm11
    {vex} vpdpbusd %ymm13, %ymm0, %ymm9
    vpand %ymm5, %ymm2, %ymm0
    vmovdqu -288(%r13,%r8,4), %ymm2
    vmovdqu -256(%r13,%r8,4), %ymm12
    {vex} vpdpbusd %ymm13, %ymm11, %ymm8
    vmovdqu -224(%r13,%r8,4), %ymm11
    vmovdqu -192(%r13,%r8,4), %ymm14
    vpbroadcastd 16(%rdi,%r12,4), %ymm15
    {vex} vpdpbusd %ymm13, %ymm0, %ymm6
    vpand %ymm5, %ymm2, %ymm0
    {vex} vpdpbusd %ymm15, %ymm0, %ymm10
    vpand %ymm5, %ymm12, %ymm0
    {vex} vpdpbusd %ymm15, %ymm0, %ymm9
    vpand %ymm5, %ymm11, %ymm0
    vpand %ymm5, %ymm14, %ymm13
    vpsrld $4, %ymm2, %ymm2
    {vex} vpdpbusd %ymm15, %ymm0, %ymm8
    vpsrld $4, %ymm12, %ymm0
    vpsrld $4, %ymm11, %ymm11
    vpsrld $4, %ymm14, %ymm12
    {vex} vpdpbusd %ymm15, %ymm13, %ymm6
    vpbroadcastd 20(%rdi,%r12,4), %ymm13
    vpand %ymm5, %ymm2, %ymm2
    vpand %ymm5, %ymm0, %ymm0
    {vex} vpdpbusd %ymm13, %ymm2, %ymm10
    {vex} vpdpbusd %ymm13, %ymm0, %ymm9
    vpand %ymm5, %ymm11, %ymm0
    vpand %ymm5, %ymm12, %ymm2
    {vex} vpdpbusd %ymm13, %ymm0, %ymm8
    vmovdqu -160(%r13,%r8,4), %ymm0
    vmovdqu -128(%r13,%r8,4), %ymm11
    vmovdqu -96(%r13,%r8,4), %ymm12
    {vex} vpdpbusd %ymm13, %ymm2, %ymm6
    vmovdqu -64(%r13,%r8,4), %ymm2
    vpbroadcastd 24(%rdi,%r12,4), %ymm13
    vpand %ymm5, %ymm0, %ymm14
    {vex} vpdpbusd %ymm13, %ymm14, %ymm10
    vpand %ymm5, %ymm11, %ymm14
    {vex} vpdpbusd %ymm13, %ymm14, %ymm9
    vpand %ymm5, %ymm12, %ymm14
    {vex} vpdpbusd %ymm13, %ymm14, %ymm8
    vpand %ymm5, %ymm2, %ymm14
    vpsrld $4, %ymm0, %ymm0
    vpsrld $4, %ymm11, %ymm11
    {vex} vpdpbusd %ymm13, %ymm14, %ymm6
    vpsrld $4, %ymm12, %ymm12
    vpsrld $4, %ymm2, %ymm2
    vpbroadcastd 28(%rdi,%r12,4), %ymm13
    vpand %ymm5, %ymm0, %ymm0
    {vex} vpdpbusd %ymm13, %ymm0, %ymm10
    vpand %ymm5, %ymm11, %ymm0
    vpand %ymm5, %ymm12, %ymm11
    {vex} vpdpbusd %ymm13, %ymm0, %ymm9
    vpand %ymm5, %ymm2, %ymm0
    vmovdqu -32(%r13,%r8,4), %ymm2
    vpslld $16, %ymm2, %ymm12
    {vex} vpdpbusd %ymm13, %ymm11, %ymm8
    vmovdqu (%r13,%r8,4), %ymm11
    vpslld $16, %ymm11, %ymm14
    vpxor %xmm15, %xmm15, %xmm15
    vpblendw $170, %ymm2, %ymm15, %ymm2
    {vex} vpdpbusd %ymm13, %ymm0, %ymm6
    vpblendw $170, %ymm11, %ymm15, %ymm0
    vbroadcastss (%r10,%r9,4), %ymm11
    vpbroadcastd 32(%rsp), %ymm13
    vpsubd %ymm13, %ymm10, %ymm10
    vcvtdq2ps %ymm10, %ymm10
    vmulps %ymm12, %ymm11, %ymm12
    vpsubd %ymm13, %ymm9, %ymm9
    vfmadd231ps %ymm12, %ymm10, %ymm4
    vcvtdq2ps %ymm9, %ymm9
    vmulps %ymm14, %ymm11, %ymm10
    vpsubd %ymm13, %ymm8, %ymm8
    vfmadd231ps %ymm10, %ymm9, %ymm3
    vcvtdq2ps %ymm8, %ymm8
    vmulps %ymm2, %ymm11, %ymm2
    vpsubd %ymm13, %ymm6, %ymm6
    vfmadd231ps %ymm2, %ymm8, %ymm1
    vcvtdq2ps %ymm6, %ymm2
    vmulps %ymm0, %ymm11, %ymm0
    vfmadd231ps %ymm0, %ymm2, %ymm7
    addq $144, %r8
    incq %r9
    addl 12(%rsp), %r11d
    addl $8, %r12d
    cmpq %r8, 24(%rsp)
    jne .LBB0_6

6 rows, 3168 MACs:

    vmovups %ymm13, 944(%rsp)
    vmovups %ymm11, 656(%rsp)
    vmovdqu %ymm8, 688(%rsp)
    vmovdqu %ymm7, 720(%rsp)
    vmovdqu %ymm6, 752(%rsp)
    vmovdqu %ymm5, 512(%rsp)
    vmovups %ymm3, 576(%rsp)
    vmovups %ymm0, 192(%rsp)
    vmovdqu -544(%r14,%rbp,4), %ymm11
    vmovdqu -512(%r14,%rbp,4), %ymm10
    vpbroadcastd -28(%rdi,%r9,8), %ymm0
    vpbroadcastd .LCPI0_1(%rip), %ymm1
    vpand %ymm1, %ymm11, %ymm14
    vpxor %xmm9, %xmm9, %xmm9
    vpand %ymm1, %ymm10, %ymm12
    {vex} vpdpbusd %ymm0, %ymm14, %ymm9
    vpxor %xmm8, %xmm8, %xmm8
    vpbroadcastd -28(%r12,%r9,8), %ymm1
    vpxor %xmm7, %xmm7, %xmm7
    {vex} vpdpbusd %ymm0, %ymm12, %ymm8
    {vex} vpdpbusd %ymm1, %ymm14, %ymm7
    vpxor %xmm6, %xmm6, %xmm6
    vpbroadcastd -28(%r11,%r9,8), %ymm0
    {vex} vpdpbusd %ymm1, %ymm12, %ymm6
    vpxor %xmm5, %xmm5, %xmm5
    {vex} vpdpbusd %ymm0, %ymm14, %ymm5
    vpxor %xmm1, %xmm1, %xmm1
    {vex} vpdpbusd %ymm0, %ymm12, %ymm1
    vmovdqa %ymm1, %ymm4
    vpbroadcastd -28(%rdx,%r9,8), %ymm0
    vpxor %xmm2, %xmm2, %xmm2
    vpxor %xmm1, %xmm1, %xmm1
    {vex} vpdpbusd %ymm0, %ymm14, %ymm2
    vmovdqa %ymm2, %ymm3
    {vex} vpdpbusd %ymm0, %ymm12, %ymm1
    vmovdqa %ymm1, %ymm2
    vpbroadcastd -28(%r15,%r9,8), %ymm15
    vpxor %xmm0, %xmm0, %xmm0
    {vex} vpdpbusd %ymm15, %ymm14, %ymm0
    vmovdqa %ymm0, %ymm1
    vpxor %xmm0, %xmm0, %xmm0
    {vex} vpdpbusd %ymm15, %ymm12, %ymm0
    vpbroadcastd -28(%rsi,%r9,8), %ymm13
    vpxor %xmm15, %xmm15, %xmm15
    {vex} vpdpbusd %ymm13, %ymm14, %ymm15
    vmovdqu %ymm15, 16(%rsp)
    vpxor %xmm14, %xmm14, %xmm14
    vpsrld $4, %ymm11, %ymm11
    {vex} vpdpbusd %ymm13, %ymm12, %ymm14
    vpsrld $4, %ymm10, %ymm10
    vpbroadcastd -24(%rdi,%r9,8), %ymm12
    vpbroadcastd .LCPI0_1(%rip), %ymm13
    vpand %ymm13, %ymm11, %ymm11
    {vex} vpdpbusd %ymm12, %ymm11, %ymm9
    vpand %ymm13, %ymm10, %ymm10
    {vex} vpdpbusd %ymm12, %ymm10, %ymm8
    vpbroadcastd -24(%r12,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm11, %ymm7
    {vex} vpdpbusd %ymm12, %ymm10, %ymm6
    vpbroadcastd -24(%r11,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm11, %ymm5
    {vex} vpdpbusd %ymm12, %ymm10, %ymm4
    vpbroadcastd -24(%rdx,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm11, %ymm3
    vpbroadcastd -24(%r15,%r9,8), %ymm13
    {vex} vpdpbusd %ymm12, %ymm10, %ymm2
    vmovdqa %ymm2, %ymm15
    {vex} vpdpbusd %ymm13, %ymm11, %ymm1
    {vex} vpdpbusd %ymm13, %ymm10, %ymm0
    vmovdqu %ymm0, 80(%rsp)
    vpbroadcastd -24(%rsi,%r9,8), %ymm12
    vmovdqu 16(%rsp), %ymm2
    {vex} vpdpbusd %ymm12, %ymm11, %ymm2
    {vex} vpdpbusd %ymm12, %ymm10, %ymm14
    vmovdqu %ymm14, 544(%rsp)
    vmovdqu -416(%r14,%rbp,4), %ymm11
    vmovdqu -384(%r14,%rbp,4), %ymm10
    vpbroadcastd -20(%rdi,%r9,8), %ymm12
    vpbroadcastd .LCPI0_1(%rip), %ymm0
    vpand %ymm0, %ymm11, %ymm13
    {vex} vpdpbusd %ymm12, %ymm13, %ymm9
    vpand %ymm0, %ymm10, %ymm0
    {vex} vpdpbusd %ymm12, %ymm0, %ymm8
    vpbroadcastd -20(%r12,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm7
    {vex} vpdpbusd %ymm12, %ymm0, %ymm6
    vpbroadcastd -20(%r11,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm5
    {vex} vpdpbusd %ymm12, %ymm0, %ymm4
    vpbroadcastd -20(%rdx,%r9,8), %ymm12
    vmovdqa %ymm3, %ymm14
    {vex} vpdpbusd %ymm12, %ymm13, %ymm14
    {vex} vpdpbusd %ymm12, %ymm0, %ymm15
    vpbroadcastd -20(%r15,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm1
    vmovdqa %ymm1, %ymm3
    vmovdqu 80(%rsp), %ymm1
    {vex} vpdpbusd %ymm12, %ymm0, %ymm1
    vpbroadcastd -20(%rsi,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm2
    vmovdqa %ymm2, %ymm13
    vpsrld $4, %ymm11, %ymm11
    vmovdqu 544(%rsp), %ymm2
    {vex} vpdpbusd %ymm12, %ymm0, %ymm2
    vpsrld $4, %ymm10, %ymm0
    vpbroadcastd -16(%rdi,%r9,8), %ymm10
    vpbroadcastd .LCPI0_1(%rip), %ymm12
    vpand %ymm12, %ymm11, %ymm11
    {vex} vpdpbusd %ymm10, %ymm11, %ymm9
    vpand %ymm0, %ymm12, %ymm0
    {vex} vpdpbusd %ymm10, %ymm0, %ymm8
    vpbroadcastd -16(%r12,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm11, %ymm7
    {vex} vpdpbusd %ymm10, %ymm0, %ymm6
    vpbroadcastd -16(%r11,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm11, %ymm5
    {vex} vpdpbusd %ymm10, %ymm0, %ymm4
    vmovdqu %ymm4, 384(%rsp)
    vpbroadcastd -16(%rdx,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm11, %ymm14
    vpbroadcastd -16(%r15,%r9,8), %ymm12
    {vex} vpdpbusd %ymm10, %ymm0, %ymm15
    {vex} vpdpbusd %ymm12, %ymm11, %ymm3
    {vex} vpdpbusd %ymm12, %ymm0, %ymm1
    vmovdqa %ymm1, %ymm4
    vpbroadcastd -16(%rsi,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm11, %ymm13
    vmovdqu %ymm13, 16(%rsp)
    {vex} vpdpbusd %ymm10, %ymm0, %ymm2
    vmovdqa %ymm2, %ymm10
    vmovdqu -288(%r14,%rbp,4), %ymm11
    vmovdqu -256(%r14,%rbp,4), %ymm2
    vpbroadcastd -12(%rdi,%r9,8), %ymm0
    vpbroadcastd .LCPI0_1(%rip), %ymm1
    vpand %ymm1, %ymm11, %ymm12
    {vex} vpdpbusd %ymm0, %ymm12, %ymm9
    vmovdqu %ymm9, 48(%rsp)
    vpand %ymm1, %ymm2, %ymm13
    vmovdqa %ymm2, %ymm9
    {vex} vpdpbusd %ymm0, %ymm13, %ymm8
    vpbroadcastd -12(%r12,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm7
    {vex} vpdpbusd %ymm0, %ymm13, %ymm6
    vpbroadcastd -12(%r11,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm5
    vmovdqu 384(%rsp), %ymm1
    {vex} vpdpbusd %ymm0, %ymm13, %ymm1
    vpbroadcastd -12(%rdx,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm14
    {vex} vpdpbusd %ymm0, %ymm13, %ymm15
    vpbroadcastd -12(%r15,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm3
    {vex} vpdpbusd %ymm0, %ymm13, %ymm4
    vmovdqu %ymm4, 80(%rsp)
    vpbroadcastd -12(%rsi,%r9,8), %ymm0
    vmovdqu 16(%rsp), %ymm2
    {vex} vpdpbusd %ymm0, %ymm12, %ymm2
    vpsrld $4, %ymm11, %ymm11
    {vex} vpdpbusd %ymm0, %ymm13, %ymm10
    vmovdqa %ymm10, %ymm4
    vpsrld $4, %ymm9, %ymm0
    vpbroadcastd -8(%rdi,%r9,8), %ymm10
    vpbroadcastd .LCPI0_1(%rip), %ymm13
    vpand %ymm13, %ymm11, %ymm11
    vmovdqu 48(%rsp), %ymm9
    {vex} vpdpbusd %ymm10, %ymm11, %ymm9
    vpand %ymm0, %ymm13, %ymm0
    {vex} vpdpbusd %ymm10, %ymm0, %ymm8
    vpbroadcastd -8(%r12,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm11, %ymm7
    {vex} vpdpbusd %ymm10, %ymm0, %ymm6
    vpbroadcastd -8(%r11,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm11, %ymm5
    {vex} vpdpbusd %ymm10, %ymm0, %ymm1
    vmovdqu %ymm1, 384(%rsp)
    vpbroadcastd -8(%rdx,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm11, %ymm14
    vpbroadcastd -8(%r15,%r9,8), %ymm12
    {vex} vpdpbusd %ymm10, %ymm0, %ymm15
    {vex} vpdpbusd %ymm12, %ymm11, %ymm3
    vmovdqu %ymm3, 48(%rsp)
    vmovdqu 80(%rsp), %ymm1
    {vex} vpdpbusd %ymm12, %ymm0, %ymm1
    vpbroadcastd -8(%rsi,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm11, %ymm2
    vmovdqu %ymm2, 16(%rsp)
    {vex} vpdpbusd %ymm10, %ymm0, %ymm4
    vmovdqu %ymm4, 544(%rsp)
    vpbroadcastd -4(%rdi,%r9,8), %ymm0
    vmovdqu -160(%r14,%rbp,4), %ymm11
    vmovdqu -128(%r14,%rbp,4), %ymm10
    vpand %ymm13, %ymm11, %ymm12
    {vex} vpdpbusd %ymm0, %ymm12, %ymm9
    vpand %ymm13, %ymm10, %ymm13
    {vex} vpdpbusd %ymm0, %ymm13, %ymm8
    vpbroadcastd -4(%r12,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm7
    {vex} vpdpbusd %ymm0, %ymm13, %ymm6
    vpbroadcastd -4(%r11,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm5
    vmovdqu 384(%rsp), %ymm4
    {vex} vpdpbusd %ymm0, %ymm13, %ymm4
    vpbroadcastd -4(%rdx,%r9,8), %ymm0
    vmovdqa %ymm14, %ymm2
    {vex} vpdpbusd %ymm0, %ymm12, %ymm2
    vmovdqa %ymm15, %ymm3
    {vex} vpdpbusd %ymm0, %ymm13, %ymm3
    vpbroadcastd -4(%r15,%r9,8), %ymm0
    vmovdqu 48(%rsp), %ymm14
    {vex} vpdpbusd %ymm0, %ymm12, %ymm14
    vmovdqu %ymm14, 48(%rsp)
    {vex} vpdpbusd %ymm0, %ymm13, %ymm1
    vpbroadcastd -4(%rsi,%r9,8), %ymm0
    vmovdqu 16(%rsp), %ymm15
    {vex} vpdpbusd %ymm0, %ymm12, %ymm15
    cmpl $7, %r8d
    movl %ebp, %ebx
    vmovdqu 544(%rsp), %ymm14
    {vex} vpdpbusd %ymm0, %ymm13, %ymm14
    vmovdqu -32(%r14,%rbp,4), %ymm12
    vpsrld $4, %ymm11, %ymm0
    vpbroadcastd (%rdi,%r9,8), %ymm13
    vpsrld $4, %ymm10, %ymm10
    vpbroadcastd .LCPI0_1(%rip), %ymm11
    vpand %ymm0, %ymm11, %ymm0
    {vex} vpdpbusd %ymm13, %ymm0, %ymm9
    vpand %ymm11, %ymm10, %ymm11
    {vex} vpdpbusd %ymm13, %ymm11, %ymm8
    vpbroadcastd (%r12,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm0, %ymm7
    {vex} vpdpbusd %ymm10, %ymm11, %ymm6
    vpbroadcastd (%r11,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm0, %ymm5
    {vex} vpdpbusd %ymm10, %ymm11, %ymm4
    vpbroadcastd (%rdx,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm0, %ymm2
    {vex} vpdpbusd %ymm10, %ymm11, %ymm3
    vmovdqu %ymm3, 16(%rsp)
    vpbroadcastd (%r15,%r9,8), %ymm10
    cmovgel %r10d, %ebx
    vmovdqu 48(%rsp), %ymm3
    {vex} vpdpbusd %ymm10, %ymm0, %ymm3
    vmovdqu %ymm3, 48(%rsp)
    {vex} vpdpbusd %ymm10, %ymm11, %ymm1
    vmovdqu %ymm1, 80(%rsp)
    vpbroadcastd (%rsi,%r9,8), %ymm13
    {vex} vpdpbusd %ymm13, %ymm0, %ymm15
    vpslld $16, %ymm12, %ymm10
    movq 624(%rsp), %rax
    vbroadcastss (%rax,%r9), %ymm0
    movl %r13d, %eax
    movq 632(%rsp), %r13
    movl (%r13,%r9), %r13d
    {vex} vpdpbusd %ymm13, %ymm11, %ymm14
    shll $3, %r13d
    vmovd %r13d, %xmm11
    vpbroadcastd %xmm11, %ymm11
    vpsubd %ymm11, %ymm9, %ymm9
    vcvtdq2ps %ymm9, %ymm9
    vmulps %ymm0, %ymm10, %ymm12
    vmovups 480(%rsp), %ymm13
    vfmadd231ps %ymm12, %ymm9, %ymm13
    vmovups %ymm13, 480(%rsp)
    vmovups 944(%rsp), %ymm13
    vmovdqu (%r14,%rbp,4), %ymm9
    vpslld $16, %ymm9, %ymm9
    vpsubd %ymm11, %ymm8, %ymm8
    vmulps %ymm0, %ymm9, %ymm0
    vcvtdq2ps %ymm8, %ymm8
    movq 640(%rsp), %r13
    vbroadcastss (%r13,%r9), %ymm11
    movq 648(%rsp), %r13
    movl (%r13,%r9), %r13d
    shll $3, %r13d
    vmovups 352(%rsp), %ymm12
    vfmadd231ps %ymm0, %ymm8, %ymm12
    vmovups %ymm12, 352(%rsp)
    vmovd %r13d, %xmm0
    vpbroadcastd %xmm0, %ymm0
    vpsubd %ymm0, %ymm7, %ymm7
    vcvtdq2ps %ymm7, %ymm7
    vmulps %ymm10, %ymm11, %ymm8
    vmovups 416(%rsp), %ymm12
    vfmadd231ps %ymm8, %ymm7, %ymm12
    vmovups %ymm12, 416(%rsp)
    vmovups 688(%rsp), %ymm8
    vpsubd %ymm0, %ymm6, %ymm0
    vcvtdq2ps %ymm0, %ymm0
    vmulps %ymm9, %ymm11, %ymm6
    vmovups 656(%rsp), %ymm11
    movq 120(%rsp), %r13
    vbroadcastss (%r13,%r9), %ymm7
    movq 128(%rsp), %r13
    movl (%r13,%r9), %r13d
    vmovups 448(%rsp), %ymm12
    vfmadd231ps %ymm6, %ymm0, %ymm12
    vmovups %ymm12, 448(%rsp)
    shll $3, %r13d
    vmovd %r13d, %xmm0
    vpbroadcastd %xmm0, %ymm0
    vpsubd %ymm0, %ymm5, %ymm5
    vcvtdq2ps %ymm5, %ymm5
    vmulps %ymm7, %ymm10, %ymm6
    vfmadd231ps %ymm6, %ymm5, %ymm13
    vmovups 752(%rsp), %ymm6
    vpsubd %ymm0, %ymm4, %ymm0
    vcvtdq2ps %ymm0, %ymm0
    vmulps %ymm7, %ymm9, %ymm4
    vmovups 720(%rsp), %ymm7
    movq 136(%rsp), %r13
    vbroadcastss (%r13,%r9), %ymm5
    vfmadd231ps %ymm4, %ymm0, %ymm11
    movq 144(%rsp), %r13
    movl (%r13,%r9), %r13d
    shll $3, %r13d
    vmovd %r13d, %xmm0
    vpbroadcastd %xmm0, %ymm0
    vpsubd %ymm0, %ymm2, %ymm3
    vcvtdq2ps %ymm3, %ymm3
    vmulps %ymm5, %ymm10, %ymm4
    vfmadd231ps %ymm4, %ymm3, %ymm8
    vmovdqu 16(%rsp), %ymm1
    vpsubd %ymm0, %ymm1, %ymm0
    vcvtdq2ps %ymm0, %ymm0
    vmulps %ymm5, %ymm9, %ymm2
    vmovups 512(%rsp), %ymm5
    vfmadd231ps %ymm2, %ymm0, %ymm7
    movq 152(%rsp), %r13
    vbroadcastss (%r13,%r9), %ymm0
    movq 160(%rsp), %r13
    movl (%r13,%r9), %r13d
    shll $3, %r13d
    vmovd %r13d, %xmm2
    vpbroadcastd %xmm2, %ymm2
    vmovdqu 48(%rsp), %ymm1
    vpsubd %ymm2, %ymm1, %ymm1
    vmulps %ymm0, %ymm10, %ymm3
    vcvtdq2ps %ymm1, %ymm1
    vfmadd231ps %ymm3, %ymm1, %ymm6
    vmovdqu 80(%rsp), %ymm1
    vpsubd %ymm2, %ymm1, %ymm1
    vmulps %ymm0, %ymm9, %ymm0
    vcvtdq2ps %ymm1, %ymm1
    vfmadd231ps %ymm0, %ymm1, %ymm5
    movq 176(%rsp), %r13
    movl (%r13,%r9), %r13d
    shll $3, %r13d
    vmovd %r13d, %xmm0
    movl %eax, %r13d
    movq 168(%rsp), %rax
    vbroadcastss (%rax,%r9), %ymm1
    vpbroadcastd %xmm0, %ymm0
    vpsubd %ymm0, %ymm15, %ymm2
    vcvtdq2ps %ymm2, %ymm2
    vmulps %ymm1, %ymm10, %ymm3
    vmovups 576(%rsp), %ymm4
    vfmadd231ps %ymm3, %ymm2, %ymm4
    vmovups %ymm4, 576(%rsp)
    vmovups 576(%rsp), %ymm3
    vmulps %ymm1, %ymm9, %ymm1
    vpsubd %ymm0, %ymm14, %ymm0
    vcvtdq2ps %ymm0, %ymm0
    vmovups 192(%rsp), %ymm2
    vfmadd231ps %ymm1, %ymm0, %ymm2
    vmovups %ymm2, 192(%rsp)
    vmovups 192(%rsp), %ymm0
    addl %r13d, %ebx
    movslq %ebx, %rbx
    prefetcht0 (%rcx,%rbx,4)
    prefetcht0 64(%rcx,%rbx,4)
    movq 848(%rsp), %rax
    prefetcht0 (%rax,%rbx,4)
    prefetcht0 64(%rax,%rbx,4)
    movq 816(%rsp), %rax
    prefetcht0 (%rax,%rbx,4)
    prefetcht0 64(%rax,%rbx,4)
    movq 784(%rsp), %rax
    prefetcht0 (%rax,%rbx,4)
    prefetcht0 64(%rax,%rbx,4)
    addq $4, %r9
    addl 912(%rsp), %r10d
    addq $144, %rbp
    cmpq %r9, 880(%rsp)
    jne .LBB0_5

6 rows, 3168 MACs:

    vmovups %ymm13, 784(%rsp)
    vmovups %ymm11, 816(%rsp)
    vmovups %ymm10, 848(%rsp)
    vmovdqu %ymm7, 880(%rsp)
    vmovdqu %ymm6, 912(%rsp)
    vmovdqu %ymm5, 944(%rsp)
    vmovups %ymm3, 544(%rsp)
    vmovups %ymm0, 576(%rsp)
    movslq %r9d, %r9
    vpbroadcastd -28(%r8,%r10,8), %ymm0
    vmovdqu 64(%rcx,%r9,4), %ymm10
    vmovdqu 96(%rcx,%r9,4), %ymm9
    vxorps %xmm2, %xmm2, %xmm2
    vpbroadcastd .LCPI0_1(%rip), %ymm15
    vpand %ymm15, %ymm10, %ymm11
    {vex} vpdpbusd %ymm0, %ymm11, %ymm2
    vmovdqa %ymm2, %ymm14
    vpand %ymm15, %ymm9, %ymm13
    vpxor %xmm1, %xmm1, %xmm1
    {vex} vpdpbusd %ymm0, %ymm13, %ymm1
    vmovdqa %ymm1, %ymm3
    vpbroadcastd -28(%rdi,%r10,8), %ymm0
    vpxor %xmm2, %xmm2, %xmm2
    vpxor %xmm7, %xmm7, %xmm7
    {vex} vpdpbusd %ymm0, %ymm11, %ymm2
    vmovdqa %ymm2, %ymm8
    {vex} vpdpbusd %ymm0, %ymm13, %ymm7
    vpbroadcastd -28(%rsi,%r10,8), %ymm0
    vpxor %xmm1, %xmm1, %xmm1
    {vex} vpdpbusd %ymm0, %ymm11, %ymm1
    vmovdqa %ymm1, %ymm6
    vpxor %xmm2, %xmm2, %xmm2
    vpbroadcastd -28(%rdx,%r10,8), %ymm12
    vpxor %xmm1, %xmm1, %xmm1
    {vex} vpdpbusd %ymm0, %ymm13, %ymm2
    vmovdqa %ymm2, %ymm5
    {vex} vpdpbusd %ymm12, %ymm11, %ymm1
    vmovdqa %ymm1, %ymm4
    vpxor %xmm1, %xmm1, %xmm1
    vpbroadcastd -28(%rax,%r10,8), %ymm0
    {vex} vpdpbusd %ymm12, %ymm13, %ymm1
    vmovdqa %ymm1, %ymm2
    vpxor %xmm1, %xmm1, %xmm1
    {vex} vpdpbusd %ymm0, %ymm11, %ymm1
    vmovdqu %ymm1, 352(%rsp)
    vpxor %xmm12, %xmm12, %xmm12
    {vex} vpdpbusd %ymm0, %ymm13, %ymm12
    vpbroadcastd -28(%rbp,%r10,8), %ymm0
    vpxor %xmm1, %xmm1, %xmm1
    {vex} vpdpbusd %ymm0, %ymm11, %ymm1
    vpxor %xmm11, %xmm11, %xmm11
    {vex} vpdpbusd %ymm0, %ymm13, %ymm11
    vmovdqu %ymm11, 48(%rsp)
    vpsrld $4, %ymm10, %ymm0
    vpbroadcastd -24(%r8,%r10,8), %ymm10
    vpsrld $4, %ymm9, %ymm9
    vmovdqa %ymm15, %ymm11
    vpand %ymm0, %ymm15, %ymm0
    {vex} vpdpbusd %ymm10, %ymm0, %ymm14
    vmovdqa %ymm14, %ymm15
    vpand %ymm11, %ymm9, %ymm11
    {vex} vpdpbusd %ymm10, %ymm11, %ymm3
    vmovdqu %ymm3, 192(%rsp)
    vpbroadcastd -24(%rdi,%r10,8), %ymm9
    {vex} vpdpbusd %ymm9, %ymm0, %ymm8
    vmovdqu %ymm8, 16(%rsp)
    vpbroadcastd -24(%rsi,%r10,8), %ymm10
    {vex} vpdpbusd %ymm9, %ymm11, %ymm7
    {vex} vpdpbusd %ymm10, %ymm0, %ymm6
    vmovdqa %ymm6, %ymm8
    {vex} vpdpbusd %ymm10, %ymm11, %ymm5
    vmovdqa %ymm5, %ymm14
    vpbroadcastd -24(%rdx,%r10,8), %ymm10
    vmovdqu 192(%rcx,%r9,4), %ymm3
    vmovdqu %ymm3, 512(%rsp)
    {vex} vpdpbusd %ymm10, %ymm0, %ymm4
    vmovdqa %ymm4, %ymm5
    {vex} vpdpbusd %ymm10, %ymm11, %ymm2
    vmovdqa %ymm2, %ymm4
    vpbroadcastd -24(%rax,%r10,8), %ymm10
    vmovdqu 352(%rsp), %ymm2
    {vex} vpdpbusd %ymm10, %ymm0, %ymm2
    {vex} vpdpbusd %ymm10, %ymm11, %ymm12
    vpbroadcastd -24(%rbp,%r10,8), %ymm13
    {vex} vpdpbusd %ymm13, %ymm0, %ymm1
    vmovdqa %ymm1, %ymm6
    vmovdqu 224(%rcx,%r9,4), %ymm10
    vmovdqu 48(%rsp), %ymm0
    {vex} vpdpbusd %ymm13, %ymm11, %ymm0
    vpbroadcastd -20(%r8,%r10,8), %ymm1
    vpbroadcastd .LCPI0_1(%rip), %ymm9
    vpand %ymm3, %ymm9, %ymm11
    {vex} vpdpbusd %ymm1, %ymm11, %ymm15
    vpand %ymm9, %ymm10, %ymm13
    vmovdqu 192(%rsp), %ymm3
    {vex} vpdpbusd %ymm1, %ymm13, %ymm3
    vpbroadcastd -20(%rdi,%r10,8), %ymm1
    vmovdqu 16(%rsp), %ymm9
    {vex} vpdpbusd %ymm1, %ymm11, %ymm9
    vmovdqu %ymm9, 16(%rsp)
    {vex} vpdpbusd %ymm1, %ymm13, %ymm7
    vpbroadcastd -20(%rsi,%r10,8), %ymm1
    {vex} vpdpbusd %ymm1, %ymm11, %ymm8
    vmovdqu %ymm8, 416(%rsp)
    {vex} vpdpbusd %ymm1, %ymm13, %ymm14
    vmovdqu %ymm14, 448(%rsp)
    vpbroadcastd -20(%rdx,%r10,8), %ymm1
    {vex} vpdpbusd %ymm1, %ymm11, %ymm5
    vmovdqu %ymm5, 480(%rsp)
    {vex} vpdpbusd %ymm1, %ymm13, %ymm4
    vmovdqu %ymm4, 384(%rsp)
    vpbroadcastd -20(%rax,%r10,8), %ymm1
    {vex} vpdpbusd %ymm1, %ymm11, %ymm2
    vmovdqu %ymm2, 352(%rsp)
    {vex} vpdpbusd %ymm1, %ymm13, %ymm12
    vmovdqa %ymm12, %ymm2
    vpbroadcastd -20(%rbp,%r10,8), %ymm1
    {vex} vpdpbusd %ymm1, %ymm11, %ymm6
    vmovdqu %ymm6, 80(%rsp)
    {vex} vpdpbusd %ymm1, %ymm13, %ymm0
    vmovdqa %ymm0, %ymm13
    vmovdqu 512(%rsp), %ymm0
    vpsrld $4, %ymm0, %ymm0
    vpbroadcastd -16(%r8,%r10,8), %ymm9
    vpsrld $4, %ymm10, %ymm10
    vpbroadcastd .LCPI0_1(%rip), %ymm1
    vpand %ymm1, %ymm0, %ymm0
    {vex} vpdpbusd %ymm9, %ymm0, %ymm15
    vmovdqu %ymm15, 512(%rsp)
    vpand %ymm1, %ymm10, %ymm11
    vmovdqa %ymm3, %ymm14
    {vex} vpdpbusd %ymm9, %ymm11, %ymm14
    vpbroadcastd -16(%rdi,%r10,8), %ymm9
    vmovdqu 16(%rsp), %ymm8
    {vex} vpdpbusd %ymm9, %ymm0, %ymm8
    vpbroadcastd -16(%rsi,%r10,8), %ymm10
    {vex} vpdpbusd %ymm9, %ymm11, %ymm7
    vmovdqu 416(%rsp), %ymm6
    {vex} vpdpbusd %ymm10, %ymm0, %ymm6
    vmovdqu 448(%rsp), %ymm5
    {vex} vpdpbusd %ymm10, %ymm11, %ymm5
    vpbroadcastd -16(%rdx,%r10,8), %ymm9
    vmovdqu 480(%rsp), %ymm4
    {vex} vpdpbusd %ymm9, %ymm0, %ymm4
    vmovdqu 384(%rsp), %ymm3
    {vex} vpdpbusd %ymm9, %ymm11, %ymm3
    vpbroadcastd -16(%rax,%r10,8), %ymm9
    vmovdqu 352(%rsp), %ymm12
    {vex} vpdpbusd %ymm9, %ymm0, %ymm12
    {vex} vpdpbusd %ymm9, %ymm11, %ymm2
    vmovdqa %ymm2, %ymm15
    vpbroadcastd -16(%rbp,%r10,8), %ymm9
    vmovdqu 80(%rsp), %ymm2
    {vex} vpdpbusd %ymm9, %ymm0, %ymm2
    vmovdqu 320(%rcx,%r9,4), %ymm0
    vmovdqu %ymm0, 384(%rsp)
    {vex} vpdpbusd %ymm9, %ymm11, %ymm13
    vmovdqu %ymm13, 48(%rsp)
    vmovdqu 352(%rcx,%r9,4), %ymm1
    vmovdqu %ymm1, 16(%rsp)
    vpbroadcastd -12(%r8,%r10,8), %ymm9
    vpbroadcastd .LCPI0_1(%rip), %ymm10
    vpand %ymm0, %ymm10, %ymm11
    vmovdqu 512(%rsp), %ymm0
    {vex} vpdpbusd %ymm9, %ymm11, %ymm0
    vmovdqu %ymm0, 512(%rsp)
    vpand %ymm1, %ymm10, %ymm13
    {vex} vpdpbusd %ymm9, %ymm13, %ymm14
    vmovdqu %ymm14, 192(%rsp)
    vpbroadcastd -12(%rdi,%r10,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm11, %ymm8
    {vex} vpdpbusd %ymm0, %ymm13, %ymm7
    vpbroadcastd -12(%rsi,%r10,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm11, %ymm6
    {vex} vpdpbusd %ymm0, %ymm13, %ymm5
    vpbroadcastd -12(%rdx,%r10,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm11, %ymm4
    {vex} vpdpbusd %ymm0, %ymm13, %ymm3
    vpbroadcastd -12(%rax,%r10,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm11, %ymm12
    {vex} vpdpbusd %ymm0, %ymm13, %ymm15
    vmovdqa %ymm15, %ymm14
    vpbroadcastd -12(%rbp,%r10,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm11, %ymm2
    vmovdqu %ymm2, 80(%rsp)
    vmovdqu 48(%rsp), %ymm1
    {vex} vpdpbusd %ymm0, %ymm13, %ymm1
    vmovdqu 384(%rsp), %ymm0
    vpsrld $4, %ymm0, %ymm0
    vpbroadcastd -8(%r8,%r10,8), %ymm10
    vmovdqu 16(%rsp), %ymm2
    vpsrld $4, %ymm2, %ymm9
    vpbroadcastd .LCPI0_1(%rip), %ymm13
    vpand %ymm0, %ymm13, %ymm0
    vmovdqu 512(%rsp), %ymm15
    {vex} vpdpbusd %ymm10, %ymm0, %ymm15
    vpand %ymm13, %ymm9, %ymm9
    vmovdqu 192(%rsp), %ymm2
    {vex} vpdpbusd %ymm10, %ymm9, %ymm2
    vmovdqu %ymm2, 192(%rsp)
    vpbroadcastd -8(%rdi,%r10,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm0, %ymm8
    vpbroadcastd -8(%rsi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm10, %ymm9, %ymm7
    {vex} vpdpbusd %ymm11, %ymm0, %ymm6
    {vex} vpdpbusd %ymm11, %ymm9, %ymm5
    vpbroadcastd -8(%rdx,%r10,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm0, %ymm4
    {vex} vpdpbusd %ymm10, %ymm9, %ymm3
    vpbroadcastd -8(%rax,%r10,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm0, %ymm12
    {vex} vpdpbusd %ymm10, %ymm9, %ymm14
    vmovdqa %ymm14, %ymm2
    vpbroadcastd -8(%rbp,%r10,8), %ymm11
    vmovdqu 80(%rsp), %ymm10
    {vex} vpdpbusd %ymm11, %ymm0, %ymm10
    vmovdqu %ymm10, 80(%rsp)
    vmovdqu 448(%rcx,%r9,4), %ymm10
    {vex} vpdpbusd %ymm11, %ymm9, %ymm1
    vmovdqu %ymm1, 48(%rsp)
    vmovdqu 480(%rcx,%r9,4), %ymm9
    vpbroadcastd -4(%r8,%r10,8), %ymm0
    vpand %ymm13, %ymm10, %ymm11
    {vex} vpdpbusd %ymm0, %ymm11, %ymm15
    vmovdqa %ymm15, %ymm14
    vpand %ymm13, %ymm9, %ymm13
    vmovdqu 192(%rsp), %ymm15
    {vex} vpdpbusd %ymm0, %ymm13, %ymm15
    vpbroadcastd -4(%rdi,%r10,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm11, %ymm8
    {vex} vpdpbusd %ymm0, %ymm13, %ymm7
    vpbroadcastd -4(%rsi,%r10,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm11, %ymm6
    {vex} vpdpbusd %ymm0, %ymm13, %ymm5
    vpbroadcastd -4(%rdx,%r10,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm11, %ymm4
    {vex} vpdpbusd %ymm0, %ymm13, %ymm3
    vpbroadcastd -4(%rax,%r10,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm11, %ymm12
    {vex} vpdpbusd %ymm0, %ymm13, %ymm2
    vmovdqu %ymm2, 192(%rsp)
    vpbroadcastd -4(%rbp,%r10,8), %ymm0
    vmovdqu 80(%rsp), %ymm1
    {vex} vpdpbusd %ymm0, %ymm11, %ymm1
    vmovdqu 48(%rsp), %ymm2
    {vex} vpdpbusd %ymm0, %ymm13, %ymm2
    vpsrld $4, %ymm10, %ymm0
    vpbroadcastd (%r8,%r10,8), %ymm13
    vpsrld $4, %ymm9, %ymm9
    vpbroadcastd .LCPI0_1(%rip), %ymm10
    vpand %ymm0, %ymm10, %ymm11
    {vex} vpdpbusd %ymm13, %ymm11, %ymm14
    vpand %ymm10, %ymm9, %ymm10
    {vex} vpdpbusd %ymm13, %ymm10, %ymm15
    vpbroadcastd (%rdi,%r10,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm11, %ymm8
    vmovdqu %ymm8, 16(%rsp)
    vpbroadcastd (%rsi,%r10,8), %ymm9
    {vex} vpdpbusd %ymm0, %ymm10, %ymm7
    vmovdqu %ymm7, 352(%rsp)
    {vex} vpdpbusd %ymm9, %ymm11, %ymm6
    vmovdqu %ymm6, 416(%rsp)
    {vex} vpdpbusd %ymm9, %ymm10, %ymm5
    vmovdqu %ymm5, 448(%rsp)
    vpbroadcastd (%rdx,%r10,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm11, %ymm4
    vmovdqu %ymm4, 480(%rsp)
    {vex} vpdpbusd %ymm0, %ymm10, %ymm3
    vmovdqu %ymm3, 384(%rsp)
    vpbroadcastd (%rax,%r10,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm11, %ymm12
    vmovdqu 192(%rsp), %ymm9
    {vex} vpdpbusd %ymm0, %ymm10, %ymm9
    vmovdqu %ymm9, 192(%rsp)
    vpbroadcastd (%rbp,%r10,8), %ymm0
    vpxor %xmm3, %xmm3, %xmm3
    vpblendw $170, 512(%rcx,%r9,4), %ymm3, %ymm9
    {vex} vpdpbusd %ymm0, %ymm11, %ymm1
    vmovdqu %ymm1, 80(%rsp)
    vbroadcastss (%r13,%r10), %ymm11
    movl (%r12,%r10), %r11d
    shll $3, %r11d
    {vex} vpdpbusd %ymm0, %ymm10, %ymm2
    vmovdqu %ymm2, 48(%rsp)
    vmovd %r11d, %xmm0
    vpbroadcastd %xmm0, %ymm0
    vpsubd %ymm0, %ymm14, %ymm8
    vcvtdq2ps %ymm8, %ymm8
    vmulps %ymm9, %ymm11, %ymm10
    vmovups 656(%rsp), %ymm13
    vfmadd231ps %ymm10, %ymm8, %ymm13
    vmovups %ymm13, 656(%rsp)
    vpblendw $170, 544(%rcx,%r9,4), %ymm3, %ymm8
    vpsubd %ymm0, %ymm15, %ymm0
    vcvtdq2ps %ymm0, %ymm0
    vmulps %ymm8, %ymm11, %ymm7
    vmovups 816(%rsp), %ymm11
    vmovups 688(%rsp), %ymm10
    vfmadd231ps %ymm7, %ymm0, %ymm10
    vmovups %ymm10, 688(%rsp)
    vbroadcastss (%r15,%r10), %ymm0
    movl (%r14,%r10), %r11d
    shll $3, %r11d
    vmovd %r11d, %xmm7
    vpbroadcastd %xmm7, %ymm7
    vmovdqu 16(%rsp), %ymm1
    vpsubd %ymm7, %ymm1, %ymm6
    vmulps %ymm0, %ymm9, %ymm10
    vcvtdq2ps %ymm6, %ymm6
    vmovups 720(%rsp), %ymm13
    vfmadd231ps %ymm10, %ymm6, %ymm13
    vmovups %ymm13, 720(%rsp)
    vmovups 848(%rsp), %ymm10
    vmovdqu 352(%rsp), %ymm1
    vpsubd %ymm7, %ymm1, %ymm5
    vmovups 880(%rsp), %ymm7
    vmulps %ymm0, %ymm8, %ymm0
    vcvtdq2ps %ymm5, %ymm5
    movq 120(%rsp), %r11
    vbroadcastss (%r11,%r10), %ymm6
    movq 128(%rsp), %r11
    movl (%r11,%r10), %r11d
    shll $3, %r11d
    vmovups 752(%rsp), %ymm13
    vfmadd231ps %ymm0, %ymm5, %ymm13
    vmovups %ymm13, 752(%rsp)
    vmovd %r11d, %xmm0
    vpbroadcastd %xmm0, %ymm0
    vmovdqu 416(%rsp), %ymm1
    vpsubd %ymm0, %ymm1, %ymm4
    vcvtdq2ps %ymm4, %ymm4
    vmulps %ymm6, %ymm9, %ymm5
    vmovups 784(%rsp), %ymm13
    vfmadd231ps %ymm5, %ymm4, %ymm13
    vmovups 944(%rsp), %ymm5
    vmovdqu 448(%rsp), %ymm1
    vpsubd %ymm0, %ymm1, %ymm0
    vcvtdq2ps %ymm0, %ymm0
    vmulps %ymm6, %ymm8, %ymm3
    vmovups 912(%rsp), %ymm6
    movq 136(%rsp), %r11
    vbroadcastss (%r11,%r10), %ymm4
    movq 144(%rsp), %r11
    movl (%r11,%r10), %r11d
    vfmadd231ps %ymm3, %ymm0, %ymm11
    shll $3, %r11d
    vmovd %r11d, %xmm0
    vpbroadcastd %xmm0, %ymm0
    vmovdqu 480(%rsp), %ymm1
    vpsubd %ymm0, %ymm1, %ymm2
    vcvtdq2ps %ymm2, %ymm2
    vmulps %ymm4, %ymm9, %ymm3
    vfmadd231ps %ymm3, %ymm2, %ymm10
    vmovdqu 384(%rsp), %ymm1
    vpsubd %ymm0, %ymm1, %ymm0
    vcvtdq2ps %ymm0, %ymm0
    vmulps %ymm4, %ymm8, %ymm1
    movq 152(%rsp), %r11
    vbroadcastss (%r11,%r10), %ymm2
    vfmadd231ps %ymm1, %ymm0, %ymm7
    movq 160(%rsp), %r11
    movl (%r11,%r10), %r11d
    shll $3, %r11d
    vmovd %r11d, %xmm0
    vpbroadcastd %xmm0, %ymm0
    vpsubd %ymm0, %ymm12, %ymm1
    vcvtdq2ps %ymm1, %ymm1
    vmulps %ymm2, %ymm9, %ymm3
    vfmadd231ps %ymm3, %ymm1, %ymm6
    vmovdqu 192(%rsp), %ymm1
    vpsubd %ymm0, %ymm1, %ymm0
    vcvtdq2ps %ymm0, %ymm0
    vmulps %ymm2, %ymm8, %ymm1
    vfmadd231ps %ymm1, %ymm0, %ymm5
    movq 176(%rsp), %r11
    movl (%r11,%r10), %r11d
    shll $3, %r11d
    vmovd %r11d, %xmm0
    movq 168(%rsp), %r11
    vbroadcastss (%r11,%r10), %ymm1
    vpbroadcastd %xmm0, %ymm0
    vmovdqu 80(%rsp), %ymm2
    vpsubd %ymm0, %ymm2, %ymm2
    vmulps %ymm1, %ymm9, %ymm3
    vcvtdq2ps %ymm2, %ymm2
    vmovups 544(%rsp), %ymm4
    vfmadd231ps %ymm3, %ymm2, %ymm4
    vmovups %ymm4, 544(%rsp)
    vmovups 544(%rsp), %ymm3
    vmovdqu 48(%rsp), %ymm2
    vpsubd %ymm0, %ymm2, %ymm0
    vmulps %ymm1, %ymm8, %ymm1
    vcvtdq2ps %ymm0, %ymm0
    vmovups 576(%rsp), %ymm2
    vfmadd231ps %ymm1, %ymm0, %ymm2
    vmovups %ymm2, 576(%rsp)
    vmovups 576(%rsp), %ymm0
    addq $4, %r10
    addl $144, %r9d
    cmpq %r10, %rbx
    jne .LBB0_8


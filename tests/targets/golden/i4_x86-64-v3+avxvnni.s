1 row, 1056 MACs:

    movl (%rdx,%rbx), %ebp
    shll $3, %ebp
    negl %ebp
    movslq %r9d, %r9
    vmovd %ebp, %xmm6
    prefetcht0 -448(%rcx,%r10)
    vmovdqu -448(%rcx,%rax,4), %ymm10
    vmovdqu -416(%rcx,%rax,4), %ymm11
    vpbroadcastd %xmm6, %ymm6
    vmovdqu -384(%rcx,%rax,4), %ymm12
    vmovdqu -352(%rcx,%rax,4), %ymm13
    vpbroadcastd (%rdi,%r9,4), %ymm14
    prefetcht0 -384(%rcx,%r10)
    vpand %ymm5, %ymm10, %ymm7
    vmovdqa %ymm6, %ymm9
    {vex} vpdpbusd %ymm14, %ymm7, %ymm9
    vpand %ymm5, %ymm11, %ymm7
    vmovdqa %ymm6, %ymm8
    {vex} vpdpbusd %ymm14, %ymm7, %ymm8
    vpand %ymm5, %ymm12, %ymm15
    vmovdqa %ymm6, %ymm7
    vpand %ymm5, %ymm13, %ymm3
    vpsrld $4, %ymm10, %ymm10
    {vex} vpdpbusd %ymm14, %ymm15, %ymm7
    vpsrld $4, %ymm11, %ymm11
    vpsrld $4, %ymm12, %ymm12
    vpsrld $4, %ymm13, %ymm13
    {vex} vpdpbusd %ymm14, %ymm3, %ymm6
    vpbroadcastd 4(%rdi,%r9,4), %ymm3
    vpand %ymm5, %ymm10, %ymm10
    vpand %ymm5, %ymm11, %ymm11
    {vex} vpdpbusd %ymm3, %ymm10, %ymm9
    {vex} vpdpbusd %ymm3, %ymm11, %ymm8
    vpand %ymm5, %ymm12, %ymm10
    vpand %ymm5, %ymm13, %ymm11
    {vex} vpdpbusd %ymm3, %ymm10, %ymm7
    prefetcht0 -320(%rcx,%r10)
    vmovdqu -320(%rcx,%rax,4), %ymm10
    vmovdqu -288(%rcx,%rax,4), %ymm12
    {vex} vpdpbusd %ymm3, %ymm11, %ymm6
    vmovdqu -256(%rcx,%rax,4), %ymm3
    vmovdqu -224(%rcx,%rax,4), %ymm11
    vpbroadcastd 8(%rdi,%r9,4), %ymm13
    prefetcht0 -256(%rcx,%r10)
    vpand %ymm5, %ymm10, %ymm14
    {vex} vpdpbusd %ymm13, %ymm14, %ymm9
    vpand %ymm5, %ymm12, %ymm14
    {vex} vpdpbusd %ymm13, %ymm14, %ymm8
    vpand %ymm5, %ymm3, %ymm14
    vpand %ymm5, %ymm11, %ymm15
    vpsrld $4, %ymm10, %ymm10
    {vex} vpdpbusd %ymm13, %ymm14, %ymm7
    vpsrld $4, %ymm12, %ymm12
    vpsrld $4, %ymm3, %ymm3
    vpsrld $4, %ymm11, %ymm11
    {vex} vpdpbusd %ymm13, %ymm15, %ymm6
    vpbroadcastd 12(%rdi,%r9,4), %ymm13
    vpand %ymm5, %ymm10, %ymm10
    vpand %ymm5, %ymm12, %ymm12
    {vex} vpdpbusd %ymm13, %ymm10, %ymm9
    {vex} vpdpbusd %ymm13, %ymm12, %ymm8
    vpand %ymm5, %ymm3, %ymm3
    vpand %ymm5, %ymm11, %ymm10
    {vex} vpdpbusd %ymm13, %ymm3, %ymm7
    prefetcht0 -192(%rcx,%r10)
    vmovdqu -192(%rcx,%rax,4), %ymm3
    vmovdqu -160(%rcx,%rax,4), %ymm11
    {vex} vpdpbusd %ymm13, %ymm10, %ymm6
    vmovdqu -128(%rcx,%rax,4), %ymm10
    vmovdqu -96(%rcx,%rax,4), %ymm12
    vpbroadcastd 16(%rdi,%r9,4), %ymm13
    prefetcht0 -128(%rcx,%r10)
    vpand %ymm5, %ymm3, %ymm14
    {vex} vpdpbusd %ymm13, %ymm14, %ymm9
    vpand %ymm5, %ymm11, %ymm14
    {vex} vpdpbusd %ymm13, %ymm14, %ymm8
    vpand %ymm5, %ymm10, %ymm14
    vpand %ymm5, %ymm12, %ymm15
    vpsrld $4, %ymm3, %ymm3
    {vex} vpdpbusd %ymm13, %ymm14, %ymm7
    vpsrld $4, %ymm11, %ymm11
    vpsrld $4, %ymm10, %ymm10
    vpsrld $4, %ymm12, %ymm12
    {vex} vpdpbusd %ymm13, %ymm15, %ymm6
    vpbroadcastd 20(%rdi,%r9,4), %ymm13
    vpand %ymm5, %ymm3, %ymm3
    vpand %ymm5, %ymm11, %ymm11
    {vex} vpdpbusd %ymm13, %ymm3, %ymm9
    {vex} vpdpbusd %ymm13, %ymm11, %ymm8
    vpand %ymm5, %ymm10, %ymm3
    vpand %ymm5, %ymm12, %ymm10
    {vex} vpdpbusd %ymm13, %ymm3, %ymm7
    prefetcht0 -64(%rcx,%r10)
    vmovdqu -64(%rcx,%rax,4), %ymm3
    vmovdqu -32(%rcx,%rax,4), %ymm11
    {vex} vpdpbusd %ymm13, %ymm10, %ymm6
    vmovdqu (%rcx,%rax,4), %ymm10
    vmovdqu 32(%rcx,%rax,4), %ymm12
    vpbroadcastd 24(%rdi,%r9,4), %ymm13
    vpand %ymm5, %ymm3, %ymm14
    {vex} vpdpbusd %ymm13, %ymm14, %ymm9
    vpand %ymm5, %ymm11, %ymm14
    vpand %ymm5, %ymm10, %ymm15
    {vex} vpdpbusd %ymm13, %ymm14, %ymm8
    vpand %ymm5, %ymm12, %ymm14
    vpsrld $4, %ymm3, %ymm3
    vpsrld $4, %ymm11, %ymm11
    {vex} vpdpbusd %ymm13, %ymm15, %ymm7
    vpsrld $4, %ymm10, %ymm10
    vpsrld $4, %ymm12, %ymm12
    vpbroadcastd 28(%rdi,%r9,4), %ymm15
    {vex} vpdpbusd %ymm13, %ymm14, %ymm6
    vpand %ymm5, %ymm3, %ymm3
    {vex} vpdpbusd %ymm15, %ymm3, %ymm9
    vpand %ymm5, %ymm11, %ymm3
    {vex} vpdpbusd %ymm15, %ymm3, %ymm8
    vpand %ymm5, %ymm10, %ymm3
    vpand %ymm5, %ymm12, %ymm10
    vmovdqu 64(%rcx,%rax,4), %ymm11
    {vex} vpdpbusd %ymm15, %ymm3, %ymm7
    vpslld $16, %ymm11, %ymm3
    vmovdqu 96(%rcx,%rax,4), %ymm12
    vpslld $16, %ymm12, %ymm13
    {vex} vpdpbusd %ymm15, %ymm10, %ymm6
    vpxor %xmm14, %xmm14, %xmm14
    vpblendw $170, %ymm11, %ymm14, %ymm10
    vpblendw $170, %ymm12, %ymm14, %ymm11
    vbroadcastss (%rsi,%rbx), %ymm12
    prefetcht0 (%rcx,%r10)
    vcvtdq2ps %ymm9, %ymm9
    vmulps %ymm3, %ymm12, %ymm3
    vcvtdq2ps %ymm8, %ymm8
    vfmadd231ps %ymm3, %ymm9, %ymm4
    vmulps %ymm13, %ymm12, %ymm3
    vcvtdq2ps %ymm7, %ymm7
    vmulps %ymm10, %ymm12, %ymm9
    vfmadd231ps %ymm3, %ymm8, %ymm2
    vfmadd231ps %ymm9, %ymm7, %ymm1
    vcvtdq2ps %ymm6, %ymm3
    vmulps %ymm11, %ymm12, %ymm6
    vfmadd231ps %ymm6, %ymm3, %ymm0
    addq $4, %rbx
    addl $8, %r9d
    addq $576, %rcx
    cmpq %rbx, %r11
    jne .LBB0_3

6 rows, 3168 MACs:

    vmovups %ymm3, 640(%rsp)
    vmovups %ymm12, 704(%rsp)
    vmovups %ymm9, 736(%rsp)
    vmovups %ymm8, 768(%rsp)
    vmovups %ymm7, 800(%rsp)
    vmovups %ymm6, 832(%rsp)
    vmovups %ymm5, 864(%rsp)
    vmovups %ymm11, 896(%rsp)
    vmovups %ymm0, 480(%rsp)
    cmpl $6, %r13d
    movl %ebp, %eax
    cmovnel %r10d, %eax
    movq 536(%rsp), %r12
    movl (%r12,%r9), %r12d
    shll $3, %r12d
    negl %r12d
    vmovd %r12d, %xmm0
    movq 552(%rsp), %r12
    movl (%r12,%r9), %r12d
    shll $3, %r12d
    negl %r12d
    vmovd %r12d, %xmm1
    movq 568(%rsp), %r12
    movl (%r12,%r9), %r12d
    shll $3, %r12d
    negl %r12d
    vmovd %r12d, %xmm2
    movq 584(%rsp), %r12
    movl (%r12,%r9), %r12d
    shll $3, %r12d
    negl %r12d
    vmovd %r12d, %xmm3
    movq 600(%rsp), %r12
    movl (%r12,%r9), %r12d
    shll $3, %r12d
    negl %r12d
    vmovd %r12d, %xmm4
    movq 176(%rsp), %r12
    movl (%r12,%r9), %r12d
    shll $3, %r12d
    negl %r12d
    vpbroadcastd %xmm0, %ymm9
    vpbroadcastd %xmm1, %ymm6
    vpbroadcastd %xmm2, %ymm2
    vpbroadcastd %xmm3, %ymm5
    vpbroadcastd %xmm4, %ymm15
    vmovd %r12d, %xmm0
    vmovdqu -544(%r11,%rbp,4), %ymm10
    vmovdqu -512(%r11,%rbp,4), %ymm11
    vpbroadcastd %xmm0, %ymm4
    vpbroadcastd -28(%rdi,%r9,8), %ymm0
    vpbroadcastd .LCPI0_1(%rip), %ymm1
    vpand %ymm1, %ymm10, %ymm12
    vmovdqa %ymm9, %ymm3
    vpand %ymm1, %ymm11, %ymm13
    {vex} vpdpbusd %ymm0, %ymm12, %ymm3
    vmovdqa %ymm3, %ymm7
    {vex} vpdpbusd %ymm0, %ymm13, %ymm9
    vpbroadcastd -28(%r15,%r9,8), %ymm0
    vmovdqa %ymm6, %ymm1
    vmovdqa %ymm6, %ymm3
    {vex} vpdpbusd %ymm0, %ymm12, %ymm3
    vmovdqa %ymm3, %ymm8
    {vex} vpdpbusd %ymm0, %ymm13, %ymm1
    vmovdqa %ymm1, %ymm3
    vpbroadcastd -28(%rbx,%r9,8), %ymm0
    vmovdqa %ymm2, %ymm1
    {vex} vpdpbusd %ymm0, %ymm12, %ymm2
    vmovdqa %ymm2, %ymm6
    vpbroadcastd -28(%rdx,%r9,8), %ymm14
    {vex} vpdpbusd %ymm0, %ymm13, %ymm1
    vmovdqu %ymm1, 128(%rsp)
    vmovdqa %ymm5, %ymm1
    {vex} vpdpbusd %ymm14, %ymm12, %ymm1
    vmovdqu %ymm1, 448(%rsp)
    {vex} vpdpbusd %ymm14, %ymm13, %ymm5
    vmovdqa %ymm5, %ymm1
    vpbroadcastd -28(%r14,%r9,8), %ymm14
    vmovdqa %ymm15, %ymm0
    vmovdqa %ymm15, %ymm5
    {vex} vpdpbusd %ymm14, %ymm12, %ymm5
    {vex} vpdpbusd %ymm14, %ymm13, %ymm0
    vmovdqu %ymm0, 64(%rsp)
    vpbroadcastd -28(%rsi,%r9,8), %ymm0
    vmovdqa %ymm4, %ymm14
    {vex} vpdpbusd %ymm0, %ymm12, %ymm14
    {vex} vpdpbusd %ymm0, %ymm13, %ymm4
    vmovdqu %ymm4, 224(%rsp)
    vpsrld $4, %ymm10, %ymm0
    vpsrld $4, %ymm11, %ymm10
    vpbroadcastd -24(%rdi,%r9,8), %ymm11
    vpbroadcastd .LCPI0_1(%rip), %ymm2
    vpand %ymm2, %ymm0, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm7
    vmovdqa %ymm7, %ymm15
    vpand %ymm2, %ymm10, %ymm10
    vpbroadcastd -24(%r15,%r9,8), %ymm12
    {vex} vpdpbusd %ymm11, %ymm10, %ymm9
    vmovdqu %ymm9, 16(%rsp)
    {vex} vpdpbusd %ymm12, %ymm0, %ymm8
    {vex} vpdpbusd %ymm12, %ymm10, %ymm3
    vmovdqu %ymm3, 96(%rsp)
    vpbroadcastd -24(%rbx,%r9,8), %ymm11
    vmovdqa %ymm6, %ymm9
    {vex} vpdpbusd %ymm11, %ymm0, %ymm9
    vmovdqu 128(%rsp), %ymm6
    {vex} vpdpbusd %ymm11, %ymm10, %ymm6
    vpbroadcastd -24(%rdx,%r9,8), %ymm11
    vmovdqu 448(%rsp), %ymm4
    {vex} vpdpbusd %ymm11, %ymm0, %ymm4
    {vex} vpdpbusd %ymm11, %ymm10, %ymm1
    vmovdqu %ymm1, 672(%rsp)
    vpbroadcastd -24(%r14,%r9,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm5
    vmovdqa %ymm5, %ymm12
    vpbroadcastd -24(%rsi,%r9,8), %ymm13
    vmovdqu 64(%rsp), %ymm3
    {vex} vpdpbusd %ymm11, %ymm10, %ymm3
    {vex} vpdpbusd %ymm13, %ymm0, %ymm14
    vmovdqa %ymm14, %ymm7
    vmovdqu -416(%r11,%rbp,4), %ymm11
    vmovdqu -384(%r11,%rbp,4), %ymm0
    vmovdqu 224(%rsp), %ymm1
    {vex} vpdpbusd %ymm13, %ymm10, %ymm1
    vpbroadcastd -20(%rdi,%r9,8), %ymm2
    vpbroadcastd .LCPI0_1(%rip), %ymm5
    vpand %ymm5, %ymm11, %ymm10
    {vex} vpdpbusd %ymm2, %ymm10, %ymm15
    vmovdqu %ymm15, 128(%rsp)
    vpand %ymm5, %ymm0, %ymm13
    vmovdqa %ymm0, %ymm15
    vmovdqu 16(%rsp), %ymm5
    {vex} vpdpbusd %ymm2, %ymm13, %ymm5
    vpbroadcastd -20(%r15,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm8
    vmovdqu %ymm8, 16(%rsp)
    vmovdqu 96(%rsp), %ymm8
    {vex} vpdpbusd %ymm0, %ymm13, %ymm8
    vpbroadcastd -20(%rbx,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm9
    vmovdqu %ymm9, 224(%rsp)
    {vex} vpdpbusd %ymm0, %ymm13, %ymm6
    vmovdqa %ymm6, %ymm2
    vpbroadcastd -20(%rdx,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm4
    vmovdqu %ymm4, 448(%rsp)
    vmovdqu 672(%rsp), %ymm14
    {vex} vpdpbusd %ymm0, %ymm13, %ymm14
    vpbroadcastd -20(%r14,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm12
    vmovdqu %ymm12, 96(%rsp)
    {vex} vpdpbusd %ymm0, %ymm13, %ymm3
    vmovdqu %ymm3, 64(%rsp)
    vpbroadcastd -20(%rsi,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm7
    vmovdqa %ymm7, %ymm9
    {vex} vpdpbusd %ymm0, %ymm13, %ymm1
    vmovdqa %ymm1, %ymm7
    vpsrld $4, %ymm11, %ymm0
    vpsrld $4, %ymm15, %ymm10
    vpbroadcastd -16(%rdi,%r9,8), %ymm11
    vpbroadcastd .LCPI0_1(%rip), %ymm1
    vpand %ymm1, %ymm0, %ymm0
    vmovdqu 128(%rsp), %ymm4
    {vex} vpdpbusd %ymm11, %ymm0, %ymm4
    vpand %ymm1, %ymm10, %ymm10
    vpbroadcastd -16(%r15,%r9,8), %ymm12
    {vex} vpdpbusd %ymm11, %ymm10, %ymm5
    vmovdqa %ymm5, %ymm15
    vmovdqu 16(%rsp), %ymm1
    {vex} vpdpbusd %ymm12, %ymm0, %ymm1
    vmovdqu %ymm1, 16(%rsp)
    vmovdqa %ymm8, %ymm6
    {vex} vpdpbusd %ymm12, %ymm10, %ymm6
    vpbroadcastd -16(%rbx,%r9,8), %ymm11
    vmovdqu 224(%rsp), %ymm1
    {vex} vpdpbusd %ymm11, %ymm0, %ymm1
    vmovdqu %ymm1, 224(%rsp)
    {vex} vpdpbusd %ymm11, %ymm10, %ymm2
    vpbroadcastd -16(%rdx,%r9,8), %ymm11
    vmovdqu 448(%rsp), %ymm5
    {vex} vpdpbusd %ymm11, %ymm0, %ymm5
    {vex} vpdpbusd %ymm11, %ymm10, %ymm14
    vpbroadcastd -16(%r14,%r9,8), %ymm11
    vmovdqu 96(%rsp), %ymm3
    {vex} vpdpbusd %ymm11, %ymm0, %ymm3
    vpbroadcastd -16(%rsi,%r9,8), %ymm13
    vmovdqu 64(%rsp), %ymm1
    {vex} vpdpbusd %ymm11, %ymm10, %ymm1
    {vex} vpdpbusd %ymm13, %ymm0, %ymm9
    vmovdqu -288(%r11,%rbp,4), %ymm11
    vmovdqu -256(%r11,%rbp,4), %ymm12
    {vex} vpdpbusd %ymm13, %ymm10, %ymm7
    vmovdqa %ymm7, %ymm8
    vpbroadcastd -12(%rdi,%r9,8), %ymm0
    vpbroadcastd .LCPI0_1(%rip), %ymm7
    vpand %ymm7, %ymm11, %ymm10
    {vex} vpdpbusd %ymm0, %ymm10, %ymm4
    vmovdqu %ymm4, 128(%rsp)
    vpand %ymm7, %ymm12, %ymm13
    {vex} vpdpbusd %ymm0, %ymm13, %ymm15
    vpbroadcastd -12(%r15,%r9,8), %ymm0
    vmovdqu 16(%rsp), %ymm4
    {vex} vpdpbusd %ymm0, %ymm10, %ymm4
    {vex} vpdpbusd %ymm0, %ymm13, %ymm6
    vpbroadcastd -12(%rbx,%r9,8), %ymm0
    vmovdqu 224(%rsp), %ymm7
    {vex} vpdpbusd %ymm0, %ymm10, %ymm7
    {vex} vpdpbusd %ymm0, %ymm13, %ymm2
    vpbroadcastd -12(%rdx,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm5
    {vex} vpdpbusd %ymm0, %ymm13, %ymm14
    vpbroadcastd -12(%r14,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm3
    vmovdqu %ymm3, 96(%rsp)
    {vex} vpdpbusd %ymm0, %ymm13, %ymm1
    vmovdqu %ymm1, 64(%rsp)
    vpbroadcastd -12(%rsi,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm9
    vmovdqa %ymm9, %ymm3
    {vex} vpdpbusd %ymm0, %ymm13, %ymm8
    vpsrld $4, %ymm11, %ymm0
    vpsrld $4, %ymm12, %ymm10
    vpbroadcastd -8(%rdi,%r9,8), %ymm11
    vpbroadcastd .LCPI0_1(%rip), %ymm13
    vpand %ymm0, %ymm13, %ymm0
    vmovdqu 128(%rsp), %ymm9
    {vex} vpdpbusd %ymm11, %ymm0, %ymm9
    vpand %ymm13, %ymm10, %ymm10
    vpbroadcastd -8(%r15,%r9,8), %ymm12
    {vex} vpdpbusd %ymm11, %ymm10, %ymm15
    {vex} vpdpbusd %ymm12, %ymm0, %ymm4
    vmovdqu %ymm4, 16(%rsp)
    {vex} vpdpbusd %ymm12, %ymm10, %ymm6
    vpbroadcastd -8(%rbx,%r9,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm7
    {vex} vpdpbusd %ymm11, %ymm10, %ymm2
    vmovdqu %ymm2, 128(%rsp)
    vpbroadcastd -8(%rdx,%r9,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm5
    {vex} vpdpbusd %ymm11, %ymm10, %ymm14
    vpbroadcastd -8(%r14,%r9,8), %ymm11
    vmovdqu 96(%rsp), %ymm4
    {vex} vpdpbusd %ymm11, %ymm0, %ymm4
    vpbroadcastd -8(%rsi,%r9,8), %ymm12
    vmovdqu 64(%rsp), %ymm1
    {vex} vpdpbusd %ymm11, %ymm10, %ymm1
    {vex} vpdpbusd %ymm12, %ymm0, %ymm3
    vpbroadcastd -4(%rdi,%r9,8), %ymm0
    vmovdqu -160(%r11,%rbp,4), %ymm11
    {vex} vpdpbusd %ymm12, %ymm10, %ymm8
    vmovdqu %ymm8, 224(%rsp)
    vmovdqu -128(%r11,%rbp,4), %ymm10
    vpand %ymm13, %ymm11, %ymm12
    {vex} vpdpbusd %ymm0, %ymm12, %ymm9
    vpand %ymm13, %ymm10, %ymm13
    {vex} vpdpbusd %ymm0, %ymm13, %ymm15
    vpbroadcastd -4(%r15,%r9,8), %ymm0
    vmovdqu 16(%rsp), %ymm8
    {vex} vpdpbusd %ymm0, %ymm12, %ymm8
    {vex} vpdpbusd %ymm0, %ymm13, %ymm6
    vmovdqu %ymm6, 96(%rsp)
    vpbroadcastd -4(%rbx,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm7
    vmovdqu 128(%rsp), %ymm2
    {vex} vpdpbusd %ymm0, %ymm13, %ymm2
    vpbroadcastd -4(%rdx,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm5
    vmovdqa %ymm5, %ymm6
    {vex} vpdpbusd %ymm0, %ymm13, %ymm14
    vpbroadcastd -4(%r14,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm4
    vmovdqa %ymm4, %ymm5
    {vex} vpdpbusd %ymm0, %ymm13, %ymm1
    vpbroadcastd -4(%rsi,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm3
    vmovdqa %ymm3, %ymm4
    vmovdqu 224(%rsp), %ymm3
    {vex} vpdpbusd %ymm0, %ymm13, %ymm3
    vpsrld $4, %ymm11, %ymm0
    vpsrld $4, %ymm10, %ymm10
    vpbroadcastd (%rdi,%r9,8), %ymm11
    vpbroadcastd .LCPI0_1(%rip), %ymm12
    vpand %ymm0, %ymm12, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm9
    vpand %ymm12, %ymm10, %ymm12
    {vex} vpdpbusd %ymm11, %ymm12, %ymm15
    vpbroadcastd (%r15,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm0, %ymm8
    vmovdqu 96(%rsp), %ymm13
    {vex} vpdpbusd %ymm10, %ymm12, %ymm13
    vpbroadcastd (%rbx,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm0, %ymm7
    {vex} vpdpbusd %ymm10, %ymm12, %ymm2
    vmovdqu %ymm2, 128(%rsp)
    vpbroadcastd (%rdx,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm0, %ymm6
    {vex} vpdpbusd %ymm10, %ymm12, %ymm14
    vpbroadcastd (%r14,%r9,8), %ymm10
    {vex} vpdpbusd %ymm10, %ymm0, %ymm5
    {vex} vpdpbusd %ymm10, %ymm12, %ymm1
    vmovdqu %ymm1, 64(%rsp)
    vpbroadcastd (%rsi,%r9,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm4
    vmovdqu %ymm4, 16(%rsp)
    vmovdqu -32(%r11,%rbp,4), %ymm0
    vpslld $16, %ymm0, %ymm10
    {vex} vpdpbusd %ymm11, %ymm12, %ymm3
    vmovdqu %ymm3, 224(%rsp)
    movq 544(%rsp), %r12
    vbroadcastss (%r12,%r9), %ymm0
    vcvtdq2ps %ymm9, %ymm4
    vmulps %ymm0, %ymm10, %ymm11
    vmovups 416(%rsp), %ymm12
    vfmadd231ps %ymm11, %ymm4, %ymm12
    vmovups %ymm12, 416(%rsp)
    vmovups 704(%rsp), %ymm12
    vmovdqu (%r11,%rbp,4), %ymm4
    vpslld $16, %ymm4, %ymm4
    vmulps %ymm4, %ymm0, %ymm0
    vcvtdq2ps %ymm15, %ymm9
    vmovups 608(%rsp), %ymm11
    vfmadd231ps %ymm0, %ymm9, %ymm11
    vmovups %ymm11, 608(%rsp)
    movq 560(%rsp), %r12
    vbroadcastss (%r12,%r9), %ymm0
    vmulps %ymm0, %ymm10, %ymm9
    vcvtdq2ps %ymm8, %ymm2
    vmovups 384(%rsp), %ymm11
    vfmadd231ps %ymm9, %ymm2, %ymm11
    vmovups %ymm11, 384(%rsp)
    vmovups 736(%rsp), %ymm9
    vcvtdq2ps %ymm13, %ymm2
    vmovups 768(%rsp), %ymm8
    vmulps %ymm4, %ymm0, %ymm0
    vmovups 640(%rsp), %ymm3
    vfmadd231ps %ymm0, %ymm2, %ymm3
    movq 576(%rsp), %r12
    vbroadcastss (%r12,%r9), %ymm0
    vcvtdq2ps %ymm7, %ymm1
    vmulps %ymm0, %ymm10, %ymm2
    vfmadd231ps %ymm2, %ymm1, %ymm12
    vcvtdq2ps 128(%rsp), %ymm1
    vmovups 800(%rsp), %ymm7
    vmulps %ymm4, %ymm0, %ymm0
    vfmadd231ps %ymm0, %ymm1, %ymm9
    movq 592(%rsp), %r12
    vbroadcastss (%r12,%r9), %ymm0
    vcvtdq2ps %ymm6, %ymm1
    vmovups 832(%rsp), %ymm6
    vmulps %ymm0, %ymm10, %ymm2
    vfmadd231ps %ymm2, %ymm1, %ymm8
    vcvtdq2ps %ymm14, %ymm1
    vmovups 896(%rsp), %ymm11
    vmulps %ymm4, %ymm0, %ymm0
    vfmadd231ps %ymm0, %ymm1, %ymm7
    movq 168(%rsp), %r12
    vbroadcastss (%r12,%r9), %ymm0
    vcvtdq2ps %ymm5, %ymm1
    vmulps %ymm0, %ymm10, %ymm2
    vfmadd231ps %ymm2, %ymm1, %ymm6
    vmulps %ymm4, %ymm0, %ymm0
    vcvtdq2ps 64(%rsp), %ymm1
    vmovups 864(%rsp), %ymm5
    vfmadd231ps %ymm0, %ymm1, %ymm5
    movq 184(%rsp), %r12
    vbroadcastss (%r12,%r9), %ymm0
    vmulps %ymm0, %ymm10, %ymm1
    vcvtdq2ps 16(%rsp), %ymm2
    vfmadd231ps %ymm1, %ymm2, %ymm11
    vmulps %ymm4, %ymm0, %ymm0
    vcvtdq2ps 224(%rsp), %ymm1
    vmovups 480(%rsp), %ymm2
    vfmadd231ps %ymm0, %ymm1, %ymm2
    vmovups %ymm2, 480(%rsp)
    vmovups 480(%rsp), %ymm0
    addl 56(%rsp), %eax
    cltq
    movq 200(%rsp), %r12
    addl %eax, %r12d
    movslq %r12d, %r12
    prefetcht0 (%rcx,%r12,4)
    prefetcht0 64(%rcx,%r12,4)
    movq 8(%rsp), %r12
    addl %eax, %r12d
    movslq %r12d, %r12
    prefetcht0 (%rcx,%r12,4)
    prefetcht0 64(%rcx,%r12,4)
    prefetcht0 (%rcx,%rax,4)
    prefetcht0 64(%rcx,%rax,4)
    addl 192(%rsp), %eax
    cltq
    prefetcht0 (%rcx,%rax,4)
    prefetcht0 64(%rcx,%rax,4)
    addq $4, %r9
    addl 208(%rsp), %r10d
    addq $144, %rbp
    cmpq %r9, %r8
    jne .LBB0_5

6 rows, 3168 MACs:

    vmovups %ymm13, 704(%rsp)
    vmovups %ymm12, 736(%rsp)
    vmovups %ymm11, 768(%rsp)
    vmovups %ymm8, 800(%rsp)
    vmovups %ymm7, 832(%rsp)
    vmovups %ymm6, 864(%rsp)
    vmovups %ymm5, 896(%rsp)
    vmovups %ymm4, 608(%rsp)
    vmovups %ymm0, 224(%rsp)
    movl (%r13,%r10), %r11d
    shll $3, %r11d
    negl %r11d
    vmovd %r11d, %xmm0
    movl (%r15,%r10), %r11d
    shll $3, %r11d
    negl %r11d
    vmovd %r11d, %xmm1
    movq 168(%rsp), %r11
    movl (%r11,%r10), %r11d
    shll $3, %r11d
    negl %r11d
    vmovd %r11d, %xmm2
    movq 184(%rsp), %r11
    movl (%r11,%r10), %r11d
    shll $3, %r11d
    negl %r11d
    vmovd %r11d, %xmm3
    movq 200(%rsp), %r11
    movl (%r11,%r10), %r11d
    shll $3, %r11d
    negl %r11d
    vmovd %r11d, %xmm5
    movq 56(%rsp), %r11
    movl (%r11,%r10), %r11d
    shll $3, %r11d
    negl %r11d
    vmovd %r11d, %xmm9
    vpbroadcastd %xmm0, %ymm15
    vpbroadcastd %xmm1, %ymm6
    vpbroadcastd %xmm2, %ymm4
    vpbroadcastd %xmm3, %ymm1
    vpbroadcastd %xmm5, %ymm5
    movslq %r9d, %r9
    vpbroadcastd -28(%r8,%r10,8), %ymm0
    vpbroadcastd %xmm9, %ymm10
    vmovdqu 64(%rcx,%r9,4), %ymm9
    vmovdqu 96(%rcx,%r9,4), %ymm3
    vmovdqu %ymm3, 128(%rsp)
    vpbroadcastd .LCPI0_1(%rip), %ymm2
    vpand %ymm2, %ymm9, %ymm11
    vmovdqa %ymm15, %ymm12
    {vex} vpdpbusd %ymm0, %ymm11, %ymm12
    vpand %ymm2, %ymm3, %ymm13
    {vex} vpdpbusd %ymm0, %ymm13, %ymm15
    vpbroadcastd -28(%rdi,%r10,8), %ymm0
    vmovdqa %ymm6, %ymm3
    {vex} vpdpbusd %ymm0, %ymm11, %ymm3
    vmovdqa %ymm3, %ymm8
    {vex} vpdpbusd %ymm0, %ymm13, %ymm6
    vmovdqu %ymm6, 64(%rsp)
    vpbroadcastd -28(%rsi,%r10,8), %ymm0
    vmovdqa %ymm4, %ymm2
    vmovdqa %ymm4, %ymm3
    {vex} vpdpbusd %ymm0, %ymm11, %ymm3
    vmovdqa %ymm3, %ymm7
    {vex} vpdpbusd %ymm0, %ymm13, %ymm2
    vpbroadcastd -28(%rdx,%r10,8), %ymm14
    vmovdqa %ymm1, %ymm3
    vmovdqa %ymm1, %ymm0
    {vex} vpdpbusd %ymm14, %ymm11, %ymm0
    vmovdqu %ymm0, 16(%rsp)
    vpbroadcastd -28(%rax,%r10,8), %ymm0
    {vex} vpdpbusd %ymm14, %ymm13, %ymm3
    vmovdqa %ymm5, %ymm14
    {vex} vpdpbusd %ymm0, %ymm11, %ymm14
    {vex} vpdpbusd %ymm0, %ymm13, %ymm5
    vpbroadcastd -28(%rbp,%r10,8), %ymm1
    vmovdqa %ymm10, %ymm6
    {vex} vpdpbusd %ymm1, %ymm11, %ymm10
    {vex} vpdpbusd %ymm1, %ymm13, %ymm6
    vpsrld $4, %ymm9, %ymm0
    vpbroadcastd -24(%r8,%r10,8), %ymm9
    vmovdqu 128(%rsp), %ymm1
    vpsrld $4, %ymm1, %ymm11
    vpbroadcastd .LCPI0_1(%rip), %ymm1
    vpand %ymm1, %ymm0, %ymm0
    {vex} vpdpbusd %ymm9, %ymm0, %ymm12
    vpand %ymm1, %ymm11, %ymm11
    {vex} vpdpbusd %ymm9, %ymm11, %ymm15
    vpbroadcastd -24(%rdi,%r10,8), %ymm9
    {vex} vpdpbusd %ymm9, %ymm0, %ymm8
    vmovdqu %ymm8, 96(%rsp)
    vpbroadcastd -24(%rsi,%r10,8), %ymm13
    vmovdqu 64(%rsp), %ymm4
    {vex} vpdpbusd %ymm9, %ymm11, %ymm4
    {vex} vpdpbusd %ymm13, %ymm0, %ymm7
    vmovdqa %ymm7, %ymm8
    {vex} vpdpbusd %ymm13, %ymm11, %ymm2
    vmovdqa %ymm2, %ymm7
    vpbroadcastd -24(%rdx,%r10,8), %ymm13
    vmovdqu 192(%rcx,%r9,4), %ymm2
    vmovdqu %ymm2, 672(%rsp)
    vmovdqu 16(%rsp), %ymm1
    {vex} vpdpbusd %ymm13, %ymm0, %ymm1
    {vex} vpdpbusd %ymm13, %ymm11, %ymm3
    vmovdqu %ymm3, 64(%rsp)
    vpbroadcastd -24(%rax,%r10,8), %ymm13
    {vex} vpdpbusd %ymm13, %ymm0, %ymm14
    {vex} vpdpbusd %ymm13, %ymm11, %ymm5
    vmovdqa %ymm5, %ymm3
    vpbroadcastd -24(%rbp,%r10,8), %ymm13
    {vex} vpdpbusd %ymm13, %ymm0, %ymm10
    vmovdqu 224(%rcx,%r9,4), %ymm9
    {vex} vpdpbusd %ymm13, %ymm11, %ymm6
    vmovdqa %ymm6, %ymm5
    vpbroadcastd -20(%r8,%r10,8), %ymm11
    vpbroadcastd .LCPI0_1(%rip), %ymm0
    vpand %ymm0, %ymm2, %ymm13
    {vex} vpdpbusd %ymm11, %ymm13, %ymm12
    vpand %ymm0, %ymm9, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm15
    vpbroadcastd -20(%rdi,%r10,8), %ymm11
    vmovdqu 96(%rsp), %ymm2
    {vex} vpdpbusd %ymm11, %ymm13, %ymm2
    vmovdqu %ymm2, 96(%rsp)
    vmovdqa %ymm4, %ymm6
    {vex} vpdpbusd %ymm11, %ymm0, %ymm6
    vpbroadcastd -20(%rsi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm8
    vmovdqu %ymm8, 640(%rsp)
    {vex} vpdpbusd %ymm11, %ymm0, %ymm7
    vmovdqu %ymm7, 128(%rsp)
    vpbroadcastd -20(%rdx,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm1
    vmovdqu %ymm1, 16(%rsp)
    vmovdqu 64(%rsp), %ymm2
    {vex} vpdpbusd %ymm11, %ymm0, %ymm2
    vpbroadcastd -20(%rax,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm14
    {vex} vpdpbusd %ymm11, %ymm0, %ymm3
    vmovdqa %ymm3, %ymm4
    vpbroadcastd -20(%rbp,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm10
    {vex} vpdpbusd %ymm11, %ymm0, %ymm5
    vmovdqu %ymm5, 480(%rsp)
    vmovdqu 672(%rsp), %ymm0
    vpsrld $4, %ymm0, %ymm0
    vpbroadcastd -16(%r8,%r10,8), %ymm11
    vpsrld $4, %ymm9, %ymm9
    vpbroadcastd .LCPI0_1(%rip), %ymm1
    vpand %ymm1, %ymm0, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm12
    vpand %ymm1, %ymm9, %ymm9
    {vex} vpdpbusd %ymm11, %ymm9, %ymm15
    vpbroadcastd -16(%rdi,%r10,8), %ymm11
    vmovdqu 96(%rsp), %ymm8
    {vex} vpdpbusd %ymm11, %ymm0, %ymm8
    vpbroadcastd -16(%rsi,%r10,8), %ymm13
    {vex} vpdpbusd %ymm11, %ymm9, %ymm6
    vmovdqu 640(%rsp), %ymm7
    {vex} vpdpbusd %ymm13, %ymm0, %ymm7
    vmovdqu 128(%rsp), %ymm1
    {vex} vpdpbusd %ymm13, %ymm9, %ymm1
    vmovdqu %ymm1, 128(%rsp)
    vpbroadcastd -16(%rdx,%r10,8), %ymm11
    vmovdqu 16(%rsp), %ymm5
    {vex} vpdpbusd %ymm11, %ymm0, %ymm5
    {vex} vpdpbusd %ymm11, %ymm9, %ymm2
    vmovdqa %ymm2, %ymm3
    vpbroadcastd -16(%rax,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm14
    {vex} vpdpbusd %ymm11, %ymm9, %ymm4
    vmovdqu %ymm4, 96(%rsp)
    vpbroadcastd -16(%rbp,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm10
    vmovdqu 320(%rcx,%r9,4), %ymm0
    vmovdqu %ymm0, 640(%rsp)
    vmovdqu 480(%rsp), %ymm1
    {vex} vpdpbusd %ymm11, %ymm9, %ymm1
    vmovdqu 352(%rcx,%r9,4), %ymm9
    vpbroadcastd -12(%r8,%r10,8), %ymm11
    vpbroadcastd .LCPI0_1(%rip), %ymm2
    vpand %ymm2, %ymm0, %ymm13
    {vex} vpdpbusd %ymm11, %ymm13, %ymm12
    vpand %ymm2, %ymm9, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm15
    vpbroadcastd -12(%rdi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm8
    {vex} vpdpbusd %ymm11, %ymm0, %ymm6
    vpbroadcastd -12(%rsi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm7
    vmovdqu 128(%rsp), %ymm4
    {vex} vpdpbusd %ymm11, %ymm0, %ymm4
    vpbroadcastd -12(%rdx,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm5
    vmovdqu %ymm5, 16(%rsp)
    {vex} vpdpbusd %ymm11, %ymm0, %ymm3
    vmovdqu %ymm3, 64(%rsp)
    vpbroadcastd -12(%rax,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm14
    vmovdqu 96(%rsp), %ymm3
    {vex} vpdpbusd %ymm11, %ymm0, %ymm3
    vpbroadcastd -12(%rbp,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm10
    {vex} vpdpbusd %ymm11, %ymm0, %ymm1
    vmovdqa %ymm1, %ymm2
    vmovdqu 640(%rsp), %ymm0
    vpsrld $4, %ymm0, %ymm0
    vpbroadcastd -8(%r8,%r10,8), %ymm11
    vpsrld $4, %ymm9, %ymm9
    vpbroadcastd .LCPI0_1(%rip), %ymm1
    vpand %ymm1, %ymm0, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm12
    vpand %ymm1, %ymm9, %ymm9
    {vex} vpdpbusd %ymm11, %ymm9, %ymm15
    vpbroadcastd -8(%rdi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm8
    vmovdqa %ymm8, %ymm5
    vpbroadcastd -8(%rsi,%r10,8), %ymm13
    {vex} vpdpbusd %ymm11, %ymm9, %ymm6
    {vex} vpdpbusd %ymm13, %ymm0, %ymm7
    {vex} vpdpbusd %ymm13, %ymm9, %ymm4
    vpbroadcastd -8(%rdx,%r10,8), %ymm11
    vmovdqu 16(%rsp), %ymm8
    {vex} vpdpbusd %ymm11, %ymm0, %ymm8
    vmovdqu 64(%rsp), %ymm1
    {vex} vpdpbusd %ymm11, %ymm9, %ymm1
    vmovdqu %ymm1, 64(%rsp)
    vpbroadcastd -8(%rax,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm14
    {vex} vpdpbusd %ymm11, %ymm9, %ymm3
    vpbroadcastd -8(%rbp,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm10
    vmovdqu 448(%rcx,%r9,4), %ymm0
    vmovdqu %ymm0, 16(%rsp)
    {vex} vpdpbusd %ymm11, %ymm9, %ymm2
    vmovdqa %ymm2, %ymm1
    vmovdqu 480(%rcx,%r9,4), %ymm9
    vpbroadcastd -4(%r8,%r10,8), %ymm11
    vpbroadcastd .LCPI0_1(%rip), %ymm2
    vpand %ymm2, %ymm0, %ymm13
    {vex} vpdpbusd %ymm11, %ymm13, %ymm12
    vpand %ymm2, %ymm9, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm15
    vpbroadcastd -4(%rdi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm5
    {vex} vpdpbusd %ymm11, %ymm0, %ymm6
    vpbroadcastd -4(%rsi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm7
    {vex} vpdpbusd %ymm11, %ymm0, %ymm4
    vpbroadcastd -4(%rdx,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm8
    vmovdqu 64(%rsp), %ymm2
    {vex} vpdpbusd %ymm11, %ymm0, %ymm2
    vpbroadcastd -4(%rax,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm14
    {vex} vpdpbusd %ymm11, %ymm0, %ymm3
    vpbroadcastd -4(%rbp,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm10
    {vex} vpdpbusd %ymm11, %ymm0, %ymm1
    vmovdqu 16(%rsp), %ymm0
    vpsrld $4, %ymm0, %ymm0
    vpbroadcastd (%r8,%r10,8), %ymm11
    vpsrld $4, %ymm9, %ymm9
    vpbroadcastd .LCPI0_1(%rip), %ymm13
    vpand %ymm0, %ymm13, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm12
    vpand %ymm13, %ymm9, %ymm13
    {vex} vpdpbusd %ymm11, %ymm13, %ymm15
    vpbroadcastd (%rdi,%r10,8), %ymm9
    {vex} vpdpbusd %ymm9, %ymm0, %ymm5
    {vex} vpdpbusd %ymm9, %ymm13, %ymm6
    vpbroadcastd (%rsi,%r10,8), %ymm9
    {vex} vpdpbusd %ymm9, %ymm0, %ymm7
    {vex} vpdpbusd %ymm9, %ymm13, %ymm4
    vpbroadcastd (%rdx,%r10,8), %ymm9
    {vex} vpdpbusd %ymm9, %ymm0, %ymm8
    vmovdqu %ymm8, 16(%rsp)
    {vex} vpdpbusd %ymm9, %ymm13, %ymm2
    vmovdqu %ymm2, 64(%rsp)
    vpbroadcastd (%rax,%r10,8), %ymm9
    {vex} vpdpbusd %ymm9, %ymm0, %ymm14
    {vex} vpdpbusd %ymm9, %ymm13, %ymm3
    vmovdqu %ymm3, 96(%rsp)
    vpbroadcastd (%rbp,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm10
    vpxor %xmm8, %xmm8, %xmm8
    vpblendw $170, 512(%rcx,%r9,4), %ymm8, %ymm9
    {vex} vpdpbusd %ymm11, %ymm13, %ymm1
    vmovdqu %ymm1, 480(%rsp)
    vmovups 704(%rsp), %ymm2
    vbroadcastss (%r12,%r10), %ymm0
    vmulps %ymm0, %ymm9, %ymm11
    vcvtdq2ps %ymm12, %ymm3
    vmovups 384(%rsp), %ymm13
    vfmadd231ps %ymm11, %ymm3, %ymm13
    vmovups %ymm13, 384(%rsp)
    vmovups 768(%rsp), %ymm11
    vpblendw $170, 544(%rcx,%r9,4), %ymm8, %ymm3
    vcvtdq2ps %ymm15, %ymm8
    vmulps %ymm3, %ymm0, %ymm0
    vmovups 416(%rsp), %ymm13
    vfmadd231ps %ymm0, %ymm8, %ymm13
    vmovups %ymm13, 416(%rsp)
    vbroadcastss (%r14,%r10), %ymm0
    vcvtdq2ps %ymm5, %ymm1
    vmulps %ymm0, %ymm9, %ymm8
    vmovups 448(%rsp), %ymm13
    vfmadd231ps %ymm8, %ymm1, %ymm13
    vmovups %ymm13, 448(%rsp)
    vmovups 800(%rsp), %ymm8
    vmulps %ymm3, %ymm0, %ymm0
    vcvtdq2ps %ymm6, %ymm1
    vfmadd231ps %ymm0, %ymm1, %ymm2
    vmovaps %ymm2, %ymm13
    movq 176(%rsp), %r11
    vbroadcastss (%r11,%r10), %ymm0
    vmulps %ymm0, %ymm9, %ymm1
    vcvtdq2ps %ymm7, %ymm7
    vmovups 736(%rsp), %ymm12
    vfmadd231ps %ymm1, %ymm7, %ymm12
    vmovups 832(%rsp), %ymm7
    vcvtdq2ps %ymm4, %ymm1
    vmulps %ymm3, %ymm0, %ymm0
    vfmadd231ps %ymm0, %ymm1, %ymm11
    movq 192(%rsp), %r11
    vbroadcastss (%r11,%r10), %ymm0
    vcvtdq2ps 16(%rsp), %ymm1
    vmulps %ymm0, %ymm9, %ymm6
    vfmadd231ps %ymm6, %ymm1, %ymm8
    vmovups 864(%rsp), %ymm6
    vcvtdq2ps 64(%rsp), %ymm1
    vmulps %ymm3, %ymm0, %ymm0
    vfmadd231ps %ymm0, %ymm1, %ymm7
    movq 208(%rsp), %r11
    vbroadcastss (%r11,%r10), %ymm0
    vcvtdq2ps %ymm14, %ymm1
    vmulps %ymm0, %ymm9, %ymm5
    vfmadd231ps %ymm5, %ymm1, %ymm6
    vmovups 896(%rsp), %ymm5
    vcvtdq2ps 96(%rsp), %ymm1
    vmovups 608(%rsp), %ymm4
    vmulps %ymm3, %ymm0, %ymm0
    vfmadd231ps %ymm0, %ymm1, %ymm5
    movq 8(%rsp), %r11
    vbroadcastss (%r11,%r10), %ymm0
    vcvtdq2ps %ymm10, %ymm1
    vmulps %ymm0, %ymm9, %ymm2
    vfmadd231ps %ymm2, %ymm1, %ymm4
    vmulps %ymm3, %ymm0, %ymm0
    vcvtdq2ps 480(%rsp), %ymm1
    vmovups 224(%rsp), %ymm2
    vfmadd231ps %ymm0, %ymm1, %ymm2
    vmovups %ymm2, 224(%rsp)
    vmovups 224(%rsp), %ymm0
    addq $4, %r10
    addl $144, %r9d
    cmpq %r10, %rbx
    jne .LBB0_8


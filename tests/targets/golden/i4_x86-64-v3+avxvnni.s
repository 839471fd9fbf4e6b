1 row, 1056 MACs:

    cmpl $7, 8(%rsp)
    movl %r8d, %ebp
    cmovgel %r11d, %ebp
    movq %rsi, %rdx
    movl (%r10,%r9,4), %esi
    shll $3, %esi
    negl %esi
    vmovd %esi, %xmm6
    movq %rdx, %rsi
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
    movslq %r12d, %r12
    vmovdqu -544(%r13,%r8,4), %ymm10
    vmovdqu -512(%r13,%r8,4), %ymm11
    vmovdqu -480(%r13,%r8,4), %ymm12
    vmovdqu -448(%r13,%r8,4), %ymm13
    vpbroadcastd %xmm6, %ymm6
    vpbroadcastd (%rdi,%r12,4), %ymm14
    vpand %ymm5, %ymm10, %ymm7
    vmovdqa %ymm6, %ymm9
    vpand %ymm5, %ymm11, %ymm15
    {vex} vpdpbusd %ymm14, %ymm7, %ymm9
    vmovdqa %ymm6, %ymm8
    {vex} vpdpbusd %ymm14, %ymm15, %ymm8
    vpand %ymm5, %ymm12, %ymm15
    vmovdqa %ymm6, %ymm7
    vpand %ymm5, %ymm13, %ymm2
    {vex} vpdpbusd %ymm14, %ymm15, %ymm7
    vpsrld $4, %ymm10, %ymm10
    vpsrld $4, %ymm11, %ymm11
    vpsrld $4, %ymm12, %ymm12
    {vex} vpdpbusd %ymm14, %ymm2, %ymm6
    vpsrld $4, %ymm13, %ymm2
    vpbroadcastd 4(%rdi,%r12,4), %ymm13
    vpand %ymm5, %ymm10, %ymm10
    {vex} vpdpbusd %ymm13, %ymm10, %ymm9
    vpand %ymm5, %ymm11, %ymm10
    {vex} vpdpbusd %ymm13, %ymm10, %ymm8
    vpand %ymm5, %ymm12, %ymm10
    {vex} vpdpbusd %ymm13, %ymm10, %ymm7
    vpand %ymm5, %ymm2, %ymm2
    vmovdqu -416(%r13,%r8,4), %ymm10
    vmovdqu -384(%r13,%r8,4), %ymm11
    {vex} vpdpbusd %ymm13, %ymm2, %ymm6
    vmovdqu -352(%r13,%r8,4), %ymm2
    vmovdqu -320(%r13,%r8,4), %ymm12
    vpbroadcastd 8(%rdi,%r12,4), %ymm13
    vpand %ymm5, %ymm10, %ymm14
    {vex} vpdpbusd %ymm13, %ymm14, %ymm9
    vpand %ymm5, %ymm11, %ymm14
    vpand %ymm5, %ymm2, %ymm15
    {vex} vpdpbusd %ymm13, %ymm14, %ymm8
    {vex} vpdpbusd %ymm13, %ymm15, %ymm7
    vpand %ymm5, %ymm12, %ymm14
    vpsrld $4, %ymm10, %ymm10
    {vex} vpdpbusd %ymm13, %ymm14, %ymm6
    vpsrld $4, %ymm11, %ymm11
    vpsrld $4, %ymm2, %ymm2
    vpbroadcastd 12(%rdi,%r12,4), %ymm13
    vpsrld $4, %ymm12, %ymm12
    vpand %ymm5, %ymm10, %ymm10
    {vex} vpdpbusd %ymm13, %ymm10, %ymm9
    vpand %ymm5, %ymm11, %ymm10
    {vex} vpdpbusd %ymm13, %ymm10, %ymm8
    vpand %ymm5, %ymm2, %ymm2
    vpand %ymm5, %ymm12, %ymm10
    vmovdqu -288(%r13,%r8,4), %ymm11
    {vex} vpdpbusd %ymm13, %ymm2, %ymm7
    vmovdqu -256(%r13,%r8,4), %ymm2
    vmovdqu -224(%r13,%r8,4), %ymm12
    vmovdqu -192(%r13,%r8,4), %ymm14
    {vex} vpdpbusd %ymm13, %ymm10, %ymm6
    vpbroadcastd 16(%rdi,%r12,4), %ymm10
    vpand %ymm5, %ymm11, %ymm13
    vpand %ymm5, %ymm2, %ymm15
    {vex} vpdpbusd %ymm10, %ymm13, %ymm9
    {vex} vpdpbusd %ymm10, %ymm15, %ymm8
    vpand %ymm5, %ymm12, %ymm13
    vpand %ymm5, %ymm14, %ymm15
    {vex} vpdpbusd %ymm10, %ymm13, %ymm7
    vpsrld $4, %ymm11, %ymm11
    vpsrld $4, %ymm2, %ymm2
    vpsrld $4, %ymm12, %ymm12
    {vex} vpdpbusd %ymm10, %ymm15, %ymm6
    vpsrld $4, %ymm14, %ymm10
    vpbroadcastd 20(%rdi,%r12,4), %ymm13
    vpand %ymm5, %ymm11, %ymm11
    {vex} vpdpbusd %ymm13, %ymm11, %ymm9
    vpand %ymm5, %ymm2, %ymm2
    {vex} vpdpbusd %ymm13, %ymm2, %ymm8
    vpand %ymm5, %ymm12, %ymm2
    {vex} vpdpbusd %ymm13, %ymm2, %ymm7
    vpand %ymm5, %ymm10, %ymm2
    vmovdqu -160(%r13,%r8,4), %ymm10
    vmovdqu -128(%r13,%r8,4), %ymm11
    {vex} vpdpbusd %ymm13, %ymm2, %ymm6
    vmovdqu -96(%r13,%r8,4), %ymm2
    vmovdqu -64(%r13,%r8,4), %ymm12
    vpbroadcastd 24(%rdi,%r12,4), %ymm13
    vpand %ymm5, %ymm10, %ymm14
    {vex} vpdpbusd %ymm13, %ymm14, %ymm9
    vpand %ymm5, %ymm11, %ymm14
    vpand %ymm5, %ymm2, %ymm15
    {vex} vpdpbusd %ymm13, %ymm14, %ymm8
    vpand %ymm5, %ymm12, %ymm14
    vpsrld $4, %ymm10, %ymm10
    vpsrld $4, %ymm11, %ymm11
    {vex} vpdpbusd %ymm13, %ymm15, %ymm7
    vpsrld $4, %ymm2, %ymm2
    vpsrld $4, %ymm12, %ymm12
    vpbroadcastd 28(%rdi,%r12,4), %ymm15
    {vex} vpdpbusd %ymm13, %ymm14, %ymm6
    vpand %ymm5, %ymm10, %ymm10
    {vex} vpdpbusd %ymm15, %ymm10, %ymm9
    vpand %ymm5, %ymm11, %ymm10
    {vex} vpdpbusd %ymm15, %ymm10, %ymm8
    vpand %ymm5, %ymm2, %ymm2
    vpand %ymm5, %ymm12, %ymm10
    vmovdqu -32(%r13,%r8,4), %ymm11
    {vex} vpdpbusd %ymm15, %ymm2, %ymm7
    vpslld $16, %ymm11, %ymm2
    vmovdqu (%r13,%r8,4), %ymm12
    vpslld $16, %ymm12, %ymm13
    {vex} vpdpbusd %ymm15, %ymm10, %ymm6
    vpxor %xmm14, %xmm14, %xmm14
    vpblendw $170, %ymm11, %ymm14, %ymm10
    vpblendw $170, %ymm12, %ymm14, %ymm11
    vbroadcastss (%rdx,%r9,4), %ymm12
    vcvtdq2ps %ymm9, %ymm9
    vmulps %ymm2, %ymm12, %ymm2
    vcvtdq2ps %ymm8, %ymm8
    vmulps %ymm13, %ymm12, %ymm13
    vfmadd231ps %ymm2, %ymm9, %ymm4
    vfmadd231ps %ymm13, %ymm8, %ymm3
    vcvtdq2ps %ymm7, %ymm2
    vmulps %ymm10, %ymm12, %ymm7
    vfmadd231ps %ymm7, %ymm2, %ymm1
    vcvtdq2ps %ymm6, %ymm2
    vmulps %ymm11, %ymm12, %ymm6
    vfmadd231ps %ymm6, %ymm2, %ymm0
    addq $144, %r8
    incq %r9
    addl 12(%rsp), %r11d
    addl $8, %r12d
    cmpq %r8, 24(%rsp)
    jne .LBB0_6

6 rows, 3168 MACs:

    vmovups %ymm13, 448(%rsp)
    vmovups %ymm9, 720(%rsp)
    vmovups %ymm8, 752(%rsp)
    vmovups %ymm7, 784(%rsp)
    vmovups %ymm12, 816(%rsp)
    vmovups %ymm3, 416(%rsp)
    vmovups %ymm0, 160(%rsp)
    cmpl $7, %r8d
    movl %ebp, %ebx
    cmovgel %r10d, %ebx
    movl %r13d, %eax
    movq 496(%rsp), %r13
    movl (%r13,%r9), %r13d
    shll $3, %r13d
    negl %r13d
    vmovd %r13d, %xmm0
    movq 512(%rsp), %r13
    movl (%r13,%r9), %r13d
    shll $3, %r13d
    negl %r13d
    vmovd %r13d, %xmm2
    movq 528(%rsp), %r13
    movl (%r13,%r9), %r13d
    shll $3, %r13d
    negl %r13d
    vmovd %r13d, %xmm3
    movq 544(%rsp), %r13
    movl (%r13,%r9), %r13d
    shll $3, %r13d
    negl %r13d
    vmovd %r13d, %xmm4
    movq 88(%rsp), %r13
    movl (%r13,%r9), %r13d
    shll $3, %r13d
    negl %r13d
    vmovd %r13d, %xmm7
    movq 104(%rsp), %r13
    movl (%r13,%r9), %r13d
    shll $3, %r13d
    negl %r13d
    vmovd %r13d, %xmm1
    vmovdqa %xmm1, (%rsp)
    movl %eax, %r13d
    vpbroadcastd %xmm0, %ymm5
    vpbroadcastd %xmm2, %ymm6
    vpbroadcastd %xmm3, %ymm1
    vpbroadcastd %xmm4, %ymm11
    vmovdqu -544(%r14,%rbp,4), %ymm3
    vmovdqu %ymm3, 48(%rsp)
    vpbroadcastd %xmm7, %ymm4
    vmovdqu -512(%r14,%rbp,4), %ymm10
    vpbroadcastd -28(%rdi,%r9,8), %ymm0
    vpbroadcastd .LCPI0_1(%rip), %ymm2
    vpand %ymm2, %ymm3, %ymm12
    vmovdqa %ymm5, %ymm9
    {vex} vpdpbusd %ymm0, %ymm12, %ymm9
    vpand %ymm2, %ymm10, %ymm13
    {vex} vpdpbusd %ymm0, %ymm13, %ymm5
    vpbroadcastd -28(%r12,%r9,8), %ymm0
    vmovdqa %ymm6, %ymm8
    {vex} vpdpbusd %ymm0, %ymm12, %ymm8
    {vex} vpdpbusd %ymm0, %ymm13, %ymm6
    vpbroadcastd -28(%r11,%r9,8), %ymm3
    vmovdqa %ymm1, %ymm0
    vmovdqa %ymm1, %ymm7
    {vex} vpdpbusd %ymm3, %ymm12, %ymm7
    {vex} vpdpbusd %ymm3, %ymm13, %ymm0
    vmovdqa %ymm0, %ymm2
    vpbroadcastd -28(%rdx,%r9,8), %ymm3
    vmovdqa %ymm11, %ymm15
    {vex} vpdpbusd %ymm3, %ymm12, %ymm15
    vpbroadcastd -28(%r15,%r9,8), %ymm0
    {vex} vpdpbusd %ymm3, %ymm13, %ymm11
    vmovdqa %ymm11, %ymm1
    vmovdqa %ymm4, %ymm3
    {vex} vpdpbusd %ymm0, %ymm12, %ymm4
    {vex} vpdpbusd %ymm0, %ymm13, %ymm3
    vpbroadcastd -28(%rsi,%r9,8), %ymm0
    vpbroadcastd (%rsp), %ymm14
    vmovdqa %ymm14, %ymm11
    {vex} vpdpbusd %ymm0, %ymm12, %ymm11
    vmovdqu 48(%rsp), %ymm12
    vpsrld $4, %ymm12, %ymm12
    vpsrld $4, %ymm10, %ymm10
    {vex} vpdpbusd %ymm0, %ymm13, %ymm14
    vpbroadcastd -24(%rdi,%r9,8), %ymm0
    vpbroadcastd .LCPI0_1(%rip), %ymm13
    vpand %ymm13, %ymm12, %ymm12
    vpand %ymm13, %ymm10, %ymm10
    {vex} vpdpbusd %ymm0, %ymm12, %ymm9
    {vex} vpdpbusd %ymm0, %ymm10, %ymm5
    vpbroadcastd -24(%r12,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm8
    {vex} vpdpbusd %ymm0, %ymm10, %ymm6
    vpbroadcastd -24(%r11,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm7
    vpbroadcastd -24(%rdx,%r9,8), %ymm13
    {vex} vpdpbusd %ymm0, %ymm10, %ymm2
    {vex} vpdpbusd %ymm13, %ymm12, %ymm15
    {vex} vpdpbusd %ymm13, %ymm10, %ymm1
    vmovdqu %ymm1, 48(%rsp)
    vpbroadcastd -24(%r15,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm4
    {vex} vpdpbusd %ymm0, %ymm10, %ymm3
    vmovdqu %ymm3, (%rsp)
    vpbroadcastd -24(%rsi,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm12, %ymm11
    {vex} vpdpbusd %ymm0, %ymm10, %ymm14
    vmovdqu -416(%r14,%rbp,4), %ymm10
    vmovdqu -384(%r14,%rbp,4), %ymm1
    vmovdqu %ymm1, 320(%rsp)
    vpbroadcastd -20(%rdi,%r9,8), %ymm12
    vpbroadcastd .LCPI0_1(%rip), %ymm0
    vpand %ymm0, %ymm10, %ymm13
    {vex} vpdpbusd %ymm12, %ymm13, %ymm9
    vpand %ymm0, %ymm1, %ymm0
    {vex} vpdpbusd %ymm12, %ymm0, %ymm5
    vpbroadcastd -20(%r12,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm8
    {vex} vpdpbusd %ymm12, %ymm0, %ymm6
    vpbroadcastd -20(%r11,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm7
    {vex} vpdpbusd %ymm12, %ymm0, %ymm2
    vpbroadcastd -20(%rdx,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm15
    vmovdqu 48(%rsp), %ymm1
    {vex} vpdpbusd %ymm12, %ymm0, %ymm1
    vpbroadcastd -20(%r15,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm4
    vmovdqu %ymm4, 384(%rsp)
    vmovdqu (%rsp), %ymm3
    {vex} vpdpbusd %ymm12, %ymm0, %ymm3
    vmovdqu %ymm3, (%rsp)
    vpbroadcastd -20(%rsi,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm11
    vpsrld $4, %ymm10, %ymm10
    vmovdqu 320(%rsp), %ymm3
    vpsrld $4, %ymm3, %ymm13
    {vex} vpdpbusd %ymm12, %ymm0, %ymm14
    vpbroadcastd -16(%rdi,%r9,8), %ymm0
    vpbroadcastd .LCPI0_1(%rip), %ymm3
    vpand %ymm3, %ymm10, %ymm10
    vpand %ymm3, %ymm13, %ymm12
    {vex} vpdpbusd %ymm0, %ymm10, %ymm9
    {vex} vpdpbusd %ymm0, %ymm12, %ymm5
    vpbroadcastd -16(%r12,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm8
    {vex} vpdpbusd %ymm0, %ymm12, %ymm6
    vpbroadcastd -16(%r11,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm7
    vpbroadcastd -16(%rdx,%r9,8), %ymm13
    {vex} vpdpbusd %ymm0, %ymm12, %ymm2
    vmovdqa %ymm2, %ymm4
    {vex} vpdpbusd %ymm13, %ymm10, %ymm15
    {vex} vpdpbusd %ymm13, %ymm12, %ymm1
    vmovdqu %ymm1, 48(%rsp)
    vpbroadcastd -16(%r15,%r9,8), %ymm0
    vmovdqu 384(%rsp), %ymm1
    {vex} vpdpbusd %ymm0, %ymm10, %ymm1
    vmovdqu %ymm1, 384(%rsp)
    vmovdqu (%rsp), %ymm2
    {vex} vpdpbusd %ymm0, %ymm12, %ymm2
    vpbroadcastd -16(%rsi,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm11
    {vex} vpdpbusd %ymm0, %ymm12, %ymm14
    vmovdqu -288(%r14,%rbp,4), %ymm10
    vmovdqu -256(%r14,%rbp,4), %ymm1
    vmovdqu %ymm1, (%rsp)
    vpbroadcastd -12(%rdi,%r9,8), %ymm12
    vpand %ymm3, %ymm10, %ymm13
    {vex} vpdpbusd %ymm12, %ymm13, %ymm9
    vpand %ymm3, %ymm1, %ymm0
    {vex} vpdpbusd %ymm12, %ymm0, %ymm5
    vpbroadcastd -12(%r12,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm8
    {vex} vpdpbusd %ymm12, %ymm0, %ymm6
    vpbroadcastd -12(%r11,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm7
    {vex} vpdpbusd %ymm12, %ymm0, %ymm4
    vmovdqu %ymm4, 320(%rsp)
    vpbroadcastd -12(%rdx,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm15
    vmovdqu 48(%rsp), %ymm1
    {vex} vpdpbusd %ymm12, %ymm0, %ymm1
    vpbroadcastd -12(%r15,%r9,8), %ymm12
    vmovdqu 384(%rsp), %ymm4
    {vex} vpdpbusd %ymm12, %ymm13, %ymm4
    {vex} vpdpbusd %ymm12, %ymm0, %ymm2
    vmovdqa %ymm2, %ymm3
    vpbroadcastd -12(%rsi,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm11
    vmovdqu %ymm11, 48(%rsp)
    vpsrld $4, %ymm10, %ymm10
    vmovdqu (%rsp), %ymm2
    vpsrld $4, %ymm2, %ymm13
    {vex} vpdpbusd %ymm12, %ymm0, %ymm14
    vpbroadcastd -8(%rdi,%r9,8), %ymm0
    vpbroadcastd .LCPI0_1(%rip), %ymm2
    vpand %ymm2, %ymm10, %ymm10
    vpand %ymm2, %ymm13, %ymm12
    {vex} vpdpbusd %ymm0, %ymm10, %ymm9
    {vex} vpdpbusd %ymm0, %ymm12, %ymm5
    vpbroadcastd -8(%r12,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm8
    {vex} vpdpbusd %ymm0, %ymm12, %ymm6
    vpbroadcastd -8(%r11,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm7
    vpbroadcastd -8(%rdx,%r9,8), %ymm13
    vmovdqu 320(%rsp), %ymm11
    {vex} vpdpbusd %ymm0, %ymm12, %ymm11
    vmovdqu %ymm11, 320(%rsp)
    {vex} vpdpbusd %ymm13, %ymm10, %ymm15
    {vex} vpdpbusd %ymm13, %ymm12, %ymm1
    vpbroadcastd -8(%r15,%r9,8), %ymm0
    {vex} vpdpbusd %ymm0, %ymm10, %ymm4
    {vex} vpdpbusd %ymm0, %ymm12, %ymm3
    vmovdqu %ymm3, (%rsp)
    vpbroadcastd -8(%rsi,%r9,8), %ymm0
    vmovdqu 48(%rsp), %ymm11
    {vex} vpdpbusd %ymm0, %ymm10, %ymm11
    {vex} vpdpbusd %ymm0, %ymm12, %ymm14
    vpbroadcastd -4(%rdi,%r9,8), %ymm12
    vmovdqu -160(%r14,%rbp,4), %ymm10
    vmovdqu -128(%r14,%rbp,4), %ymm3
    vmovdqu %ymm3, 48(%rsp)
    vpbroadcastd .LCPI0_1(%rip), %ymm0
    vpand %ymm0, %ymm10, %ymm13
    {vex} vpdpbusd %ymm12, %ymm13, %ymm9
    vpand %ymm0, %ymm3, %ymm0
    {vex} vpdpbusd %ymm12, %ymm0, %ymm5
    vpbroadcastd -4(%r12,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm8
    {vex} vpdpbusd %ymm12, %ymm0, %ymm6
    vpbroadcastd -4(%r11,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm7
    vmovdqu 320(%rsp), %ymm3
    {vex} vpdpbusd %ymm12, %ymm0, %ymm3
    vpbroadcastd -4(%rdx,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm15
    {vex} vpdpbusd %ymm12, %ymm0, %ymm1
    vmovdqa %ymm1, %ymm2
    vpbroadcastd -4(%r15,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm4
    vmovdqu (%rsp), %ymm1
    {vex} vpdpbusd %ymm12, %ymm0, %ymm1
    vpbroadcastd -4(%rsi,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm13, %ymm11
    {vex} vpdpbusd %ymm12, %ymm0, %ymm14
    vpsrld $4, %ymm10, %ymm0
    vmovdqu 48(%rsp), %ymm10
    vpsrld $4, %ymm10, %ymm10
    vpbroadcastd (%rdi,%r9,8), %ymm12
    vpbroadcastd .LCPI0_1(%rip), %ymm13
    vpand %ymm0, %ymm13, %ymm0
    vpand %ymm13, %ymm10, %ymm10
    {vex} vpdpbusd %ymm12, %ymm0, %ymm9
    {vex} vpdpbusd %ymm12, %ymm10, %ymm5
    vpbroadcastd (%r12,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm0, %ymm8
    {vex} vpdpbusd %ymm12, %ymm10, %ymm6
    vpbroadcastd (%r11,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm0, %ymm7
    {vex} vpdpbusd %ymm12, %ymm10, %ymm3
    vpbroadcastd (%rdx,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm0, %ymm15
    {vex} vpdpbusd %ymm12, %ymm10, %ymm2
    vmovdqu %ymm2, 48(%rsp)
    vpbroadcastd (%r15,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm0, %ymm4
    vmovdqu %ymm4, 384(%rsp)
    {vex} vpdpbusd %ymm12, %ymm10, %ymm1
    vpbroadcastd (%rsi,%r9,8), %ymm12
    {vex} vpdpbusd %ymm12, %ymm0, %ymm11
    vmovdqu -32(%r14,%rbp,4), %ymm0
    {vex} vpdpbusd %ymm12, %ymm10, %ymm14
    vpslld $16, %ymm0, %ymm10
    movq 504(%rsp), %rax
    vbroadcastss (%rax,%r9), %ymm0
    vcvtdq2ps %ymm9, %ymm4
    vmulps %ymm0, %ymm10, %ymm12
    vmovups 352(%rsp), %ymm13
    vfmadd231ps %ymm12, %ymm4, %ymm13
    vmovups %ymm13, 352(%rsp)
    vmovups 448(%rsp), %ymm13
    vmovdqu (%r14,%rbp,4), %ymm4
    vpslld $16, %ymm4, %ymm4
    vcvtdq2ps %ymm5, %ymm9
    vmulps %ymm4, %ymm0, %ymm0
    vmovups 560(%rsp), %ymm12
    vfmadd231ps %ymm0, %ymm9, %ymm12
    vmovups %ymm12, 560(%rsp)
    movq 520(%rsp), %rax
    vbroadcastss (%rax,%r9), %ymm0
    vcvtdq2ps %ymm8, %ymm2
    vmulps %ymm0, %ymm10, %ymm9
    vmovups 592(%rsp), %ymm12
    vfmadd231ps %ymm9, %ymm2, %ymm12
    vmovups %ymm12, 592(%rsp)
    vmovups 720(%rsp), %ymm9
    vcvtdq2ps %ymm6, %ymm2
    vmovups 752(%rsp), %ymm8
    vmulps %ymm4, %ymm0, %ymm0
    vmovups 624(%rsp), %ymm12
    vfmadd231ps %ymm0, %ymm2, %ymm12
    vmovups %ymm12, 624(%rsp)
    movq 536(%rsp), %rax
    vbroadcastss (%rax,%r9), %ymm0
    vcvtdq2ps %ymm7, %ymm2
    vmulps %ymm0, %ymm10, %ymm7
    vmovups 656(%rsp), %ymm12
    vfmadd231ps %ymm7, %ymm2, %ymm12
    vmovups %ymm12, 656(%rsp)
    vmovups 784(%rsp), %ymm7
    vmulps %ymm4, %ymm0, %ymm0
    vcvtdq2ps %ymm3, %ymm2
    vfmadd231ps %ymm0, %ymm2, %ymm13
    movq 552(%rsp), %rax
    vbroadcastss (%rax,%r9), %ymm0
    vmulps %ymm0, %ymm10, %ymm2
    vcvtdq2ps %ymm15, %ymm5
    vfmadd231ps %ymm2, %ymm5, %ymm9
    vcvtdq2ps 48(%rsp), %ymm2
    vmovups 816(%rsp), %ymm12
    vmulps %ymm4, %ymm0, %ymm0
    vfmadd231ps %ymm0, %ymm2, %ymm8
    movq 96(%rsp), %rax
    vbroadcastss (%rax,%r9), %ymm0
    vcvtdq2ps 384(%rsp), %ymm2
    vmulps %ymm0, %ymm10, %ymm5
    vfmadd231ps %ymm5, %ymm2, %ymm7
    vcvtdq2ps %ymm1, %ymm2
    vmulps %ymm4, %ymm0, %ymm0
    vfmadd231ps %ymm0, %ymm2, %ymm12
    movq 112(%rsp), %rax
    vbroadcastss (%rax,%r9), %ymm0
    vcvtdq2ps %ymm11, %ymm2
    vmulps %ymm0, %ymm10, %ymm3
    vmovups 416(%rsp), %ymm5
    vfmadd231ps %ymm3, %ymm2, %ymm5
    vmovups %ymm5, 416(%rsp)
    vmovups 416(%rsp), %ymm3
    vmulps %ymm4, %ymm0, %ymm0
    vcvtdq2ps %ymm14, %ymm1
    vmovups 160(%rsp), %ymm2
    vfmadd231ps %ymm0, %ymm1, %ymm2
    vmovups %ymm2, 160(%rsp)
    vmovups 160(%rsp), %ymm0
    addl %r13d, %ebx
    movslq %ebx, %rbx
    prefetcht0 (%rcx,%rbx,4)
    prefetcht0 64(%rcx,%rbx,4)
    movq 136(%rsp), %rax
    prefetcht0 (%rax,%rbx,4)
    prefetcht0 64(%rax,%rbx,4)
    movq 128(%rsp), %rax
    prefetcht0 (%rax,%rbx,4)
    prefetcht0 64(%rax,%rbx,4)
    movq 120(%rsp), %rax
    prefetcht0 (%rax,%rbx,4)
    prefetcht0 64(%rax,%rbx,4)
    addq $4, %r9
    addl 688(%rsp), %r10d
    addq $144, %rbp
    cmpq %r9, 144(%rsp)
    jne .LBB0_5

6 rows, 3168 MACs:

    vmovups %ymm13, 720(%rsp)
    vmovups %ymm12, 752(%rsp)
    vmovups %ymm11, 784(%rsp)
    vmovups %ymm8, 816(%rsp)
    vmovups %ymm7, 560(%rsp)
    vmovups %ymm10, 592(%rsp)
    vmovups %ymm5, 624(%rsp)
    vmovups %ymm4, 656(%rsp)
    vmovups %ymm0, 384(%rsp)
    movl (%r13,%r10), %r11d
    shll $3, %r11d
    negl %r11d
    vmovd %r11d, %xmm0
    movl (%r15,%r10), %r11d
    shll $3, %r11d
    negl %r11d
    vmovd %r11d, %xmm1
    movq 88(%rsp), %r11
    movl (%r11,%r10), %r11d
    shll $3, %r11d
    negl %r11d
    vmovd %r11d, %xmm2
    movq 104(%rsp), %r11
    movl (%r11,%r10), %r11d
    shll $3, %r11d
    negl %r11d
    vmovd %r11d, %xmm3
    movq 120(%rsp), %r11
    movl (%r11,%r10), %r11d
    shll $3, %r11d
    negl %r11d
    vmovd %r11d, %xmm5
    movq 136(%rsp), %r11
    movl (%r11,%r10), %r11d
    shll $3, %r11d
    negl %r11d
    vmovd %r11d, %xmm9
    vpbroadcastd %xmm0, %ymm7
    vpbroadcastd %xmm1, %ymm6
    vpbroadcastd %xmm2, %ymm4
    vpbroadcastd %xmm3, %ymm15
    vpbroadcastd %xmm5, %ymm1
    movslq %r9d, %r9
    vpbroadcastd -28(%r8,%r10,8), %ymm0
    vpbroadcastd %xmm9, %ymm3
    vmovdqu 64(%rcx,%r9,4), %ymm9
    vmovdqu 96(%rcx,%r9,4), %ymm5
    vmovdqu %ymm5, 160(%rsp)
    vpbroadcastd .LCPI0_1(%rip), %ymm2
    vpand %ymm2, %ymm9, %ymm11
    vmovdqa %ymm7, %ymm8
    {vex} vpdpbusd %ymm0, %ymm11, %ymm8
    vpand %ymm2, %ymm5, %ymm13
    {vex} vpdpbusd %ymm0, %ymm13, %ymm7
    vpbroadcastd -28(%rdi,%r10,8), %ymm0
    vmovdqa %ymm6, %ymm2
    vmovdqa %ymm6, %ymm10
    {vex} vpdpbusd %ymm0, %ymm11, %ymm10
    {vex} vpdpbusd %ymm0, %ymm13, %ymm2
    vmovdqa %ymm2, %ymm6
    vpbroadcastd -28(%rsi,%r10,8), %ymm0
    vmovdqa %ymm4, %ymm2
    vmovdqa %ymm4, %ymm12
    {vex} vpdpbusd %ymm0, %ymm11, %ymm12
    {vex} vpdpbusd %ymm0, %ymm13, %ymm2
    vmovdqa %ymm2, %ymm4
    vpbroadcastd -28(%rdx,%r10,8), %ymm14
    vmovdqa %ymm15, %ymm2
    vmovdqa %ymm15, %ymm0
    {vex} vpdpbusd %ymm14, %ymm11, %ymm0
    vmovdqu %ymm0, 48(%rsp)
    vpbroadcastd -28(%rax,%r10,8), %ymm0
    {vex} vpdpbusd %ymm14, %ymm13, %ymm2
    vmovdqa %ymm1, %ymm15
    {vex} vpdpbusd %ymm0, %ymm11, %ymm15
    {vex} vpdpbusd %ymm0, %ymm13, %ymm1
    vpbroadcastd -28(%rbp,%r10,8), %ymm0
    vmovdqa %ymm3, %ymm14
    vmovdqa %ymm3, %ymm5
    {vex} vpdpbusd %ymm0, %ymm11, %ymm5
    {vex} vpdpbusd %ymm0, %ymm13, %ymm14
    vmovdqu %ymm14, (%rsp)
    vpsrld $4, %ymm9, %ymm0
    vpbroadcastd -24(%r8,%r10,8), %ymm9
    vmovdqu 160(%rsp), %ymm3
    vpsrld $4, %ymm3, %ymm11
    vpbroadcastd .LCPI0_1(%rip), %ymm3
    vpand %ymm3, %ymm0, %ymm0
    {vex} vpdpbusd %ymm9, %ymm0, %ymm8
    vpand %ymm3, %ymm11, %ymm11
    {vex} vpdpbusd %ymm9, %ymm11, %ymm7
    vpbroadcastd -24(%rdi,%r10,8), %ymm9
    {vex} vpdpbusd %ymm9, %ymm0, %ymm10
    vpbroadcastd -24(%rsi,%r10,8), %ymm13
    {vex} vpdpbusd %ymm9, %ymm11, %ymm6
    vmovdqu %ymm6, 448(%rsp)
    {vex} vpdpbusd %ymm13, %ymm0, %ymm12
    {vex} vpdpbusd %ymm13, %ymm11, %ymm4
    vmovdqu %ymm4, 160(%rsp)
    vpbroadcastd -24(%rdx,%r10,8), %ymm13
    vmovdqu 192(%rcx,%r9,4), %ymm4
    vmovdqu %ymm4, 688(%rsp)
    vmovdqu 48(%rsp), %ymm3
    {vex} vpdpbusd %ymm13, %ymm0, %ymm3
    {vex} vpdpbusd %ymm13, %ymm11, %ymm2
    vpbroadcastd -24(%rax,%r10,8), %ymm13
    {vex} vpdpbusd %ymm13, %ymm0, %ymm15
    {vex} vpdpbusd %ymm13, %ymm11, %ymm1
    vmovdqa %ymm1, %ymm14
    vpbroadcastd -24(%rbp,%r10,8), %ymm13
    {vex} vpdpbusd %ymm13, %ymm0, %ymm5
    vmovdqu 224(%rcx,%r9,4), %ymm9
    vmovdqu (%rsp), %ymm1
    {vex} vpdpbusd %ymm13, %ymm11, %ymm1
    vpbroadcastd -20(%r8,%r10,8), %ymm11
    vpbroadcastd .LCPI0_1(%rip), %ymm0
    vpand %ymm0, %ymm4, %ymm13
    {vex} vpdpbusd %ymm11, %ymm13, %ymm8
    vpand %ymm0, %ymm9, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm7
    vpbroadcastd -20(%rdi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm10
    vmovdqu 448(%rsp), %ymm6
    {vex} vpdpbusd %ymm11, %ymm0, %ymm6
    vpbroadcastd -20(%rsi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm12
    vmovdqu 160(%rsp), %ymm4
    {vex} vpdpbusd %ymm11, %ymm0, %ymm4
    vpbroadcastd -20(%rdx,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm3
    {vex} vpdpbusd %ymm11, %ymm0, %ymm2
    vpbroadcastd -20(%rax,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm15
    {vex} vpdpbusd %ymm11, %ymm0, %ymm14
    vpbroadcastd -20(%rbp,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm5
    vmovdqu %ymm5, (%rsp)
    {vex} vpdpbusd %ymm11, %ymm0, %ymm1
    vmovdqu 688(%rsp), %ymm0
    vpsrld $4, %ymm0, %ymm0
    vpbroadcastd -16(%r8,%r10,8), %ymm11
    vpsrld $4, %ymm9, %ymm9
    vpbroadcastd .LCPI0_1(%rip), %ymm5
    vpand %ymm5, %ymm0, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm8
    vpand %ymm5, %ymm9, %ymm9
    {vex} vpdpbusd %ymm11, %ymm9, %ymm7
    vpbroadcastd -16(%rdi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm10
    vpbroadcastd -16(%rsi,%r10,8), %ymm13
    {vex} vpdpbusd %ymm11, %ymm9, %ymm6
    {vex} vpdpbusd %ymm13, %ymm0, %ymm12
    {vex} vpdpbusd %ymm13, %ymm9, %ymm4
    vpbroadcastd -16(%rdx,%r10,8), %ymm11
    vmovdqa %ymm3, %ymm5
    {vex} vpdpbusd %ymm11, %ymm0, %ymm5
    {vex} vpdpbusd %ymm11, %ymm9, %ymm2
    vmovdqa %ymm2, %ymm3
    vpbroadcastd -16(%rax,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm15
    {vex} vpdpbusd %ymm11, %ymm9, %ymm14
    vpbroadcastd -16(%rbp,%r10,8), %ymm11
    vmovdqu (%rsp), %ymm2
    {vex} vpdpbusd %ymm11, %ymm0, %ymm2
    vmovdqu %ymm2, (%rsp)
    vmovdqu 320(%rcx,%r9,4), %ymm0
    vmovdqu %ymm0, 448(%rsp)
    {vex} vpdpbusd %ymm11, %ymm9, %ymm1
    vmovdqu 352(%rcx,%r9,4), %ymm9
    vpbroadcastd -12(%r8,%r10,8), %ymm11
    vpbroadcastd .LCPI0_1(%rip), %ymm2
    vpand %ymm2, %ymm0, %ymm13
    {vex} vpdpbusd %ymm11, %ymm13, %ymm8
    vpand %ymm2, %ymm9, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm7
    vpbroadcastd -12(%rdi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm10
    {vex} vpdpbusd %ymm11, %ymm0, %ymm6
    vpbroadcastd -12(%rsi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm12
    {vex} vpdpbusd %ymm11, %ymm0, %ymm4
    vpbroadcastd -12(%rdx,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm5
    vmovdqu %ymm5, 48(%rsp)
    {vex} vpdpbusd %ymm11, %ymm0, %ymm3
    vmovdqu %ymm3, 160(%rsp)
    vpbroadcastd -12(%rax,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm15
    {vex} vpdpbusd %ymm11, %ymm0, %ymm14
    vpbroadcastd -12(%rbp,%r10,8), %ymm11
    vmovdqu (%rsp), %ymm3
    {vex} vpdpbusd %ymm11, %ymm13, %ymm3
    {vex} vpdpbusd %ymm11, %ymm0, %ymm1
    vmovdqu %ymm1, (%rsp)
    vmovdqu 448(%rsp), %ymm0
    vpsrld $4, %ymm0, %ymm0
    vpbroadcastd -8(%r8,%r10,8), %ymm11
    vpsrld $4, %ymm9, %ymm9
    vpand %ymm2, %ymm0, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm8
    vpand %ymm2, %ymm9, %ymm9
    {vex} vpdpbusd %ymm11, %ymm9, %ymm7
    vpbroadcastd -8(%rdi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm10
    vpbroadcastd -8(%rsi,%r10,8), %ymm13
    {vex} vpdpbusd %ymm11, %ymm9, %ymm6
    {vex} vpdpbusd %ymm13, %ymm0, %ymm12
    {vex} vpdpbusd %ymm13, %ymm9, %ymm4
    vmovdqa %ymm4, %ymm5
    vpbroadcastd -8(%rdx,%r10,8), %ymm11
    vmovdqu 48(%rsp), %ymm1
    {vex} vpdpbusd %ymm11, %ymm0, %ymm1
    vmovdqu %ymm1, 48(%rsp)
    vmovdqu 160(%rsp), %ymm2
    {vex} vpdpbusd %ymm11, %ymm9, %ymm2
    vpbroadcastd -8(%rax,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm15
    {vex} vpdpbusd %ymm11, %ymm9, %ymm14
    vpbroadcastd -8(%rbp,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm3
    vmovdqa %ymm3, %ymm4
    vmovdqu 448(%rcx,%r9,4), %ymm1
    vmovdqu %ymm1, 448(%rsp)
    vmovdqu (%rsp), %ymm0
    {vex} vpdpbusd %ymm11, %ymm9, %ymm0
    vmovdqu %ymm0, (%rsp)
    vmovdqu 480(%rcx,%r9,4), %ymm9
    vpbroadcastd -4(%r8,%r10,8), %ymm11
    vpbroadcastd .LCPI0_1(%rip), %ymm0
    vpand %ymm0, %ymm1, %ymm13
    {vex} vpdpbusd %ymm11, %ymm13, %ymm8
    vpand %ymm0, %ymm9, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm7
    vpbroadcastd -4(%rdi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm10
    {vex} vpdpbusd %ymm11, %ymm0, %ymm6
    vpbroadcastd -4(%rsi,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm12
    {vex} vpdpbusd %ymm11, %ymm0, %ymm5
    vmovdqu %ymm5, 160(%rsp)
    vpbroadcastd -4(%rdx,%r10,8), %ymm11
    vmovdqu 48(%rsp), %ymm5
    {vex} vpdpbusd %ymm11, %ymm13, %ymm5
    {vex} vpdpbusd %ymm11, %ymm0, %ymm2
    vpbroadcastd -4(%rax,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm15
    vmovdqa %ymm14, %ymm1
    {vex} vpdpbusd %ymm11, %ymm0, %ymm1
    vpbroadcastd -4(%rbp,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm13, %ymm4
    vmovdqa %ymm4, %ymm3
    vmovdqu (%rsp), %ymm14
    {vex} vpdpbusd %ymm11, %ymm0, %ymm14
    vmovdqu 448(%rsp), %ymm0
    vpsrld $4, %ymm0, %ymm0
    vpbroadcastd (%r8,%r10,8), %ymm11
    vpsrld $4, %ymm9, %ymm9
    vpbroadcastd .LCPI0_1(%rip), %ymm13
    vpand %ymm0, %ymm13, %ymm0
    {vex} vpdpbusd %ymm11, %ymm0, %ymm8
    vpand %ymm13, %ymm9, %ymm13
    {vex} vpdpbusd %ymm11, %ymm13, %ymm7
    vpbroadcastd (%rdi,%r10,8), %ymm9
    {vex} vpdpbusd %ymm9, %ymm0, %ymm10
    {vex} vpdpbusd %ymm9, %ymm13, %ymm6
    vpbroadcastd (%rsi,%r10,8), %ymm9
    {vex} vpdpbusd %ymm9, %ymm0, %ymm12
    vmovdqu 160(%rsp), %ymm4
    {vex} vpdpbusd %ymm9, %ymm13, %ymm4
    vpbroadcastd (%rdx,%r10,8), %ymm9
    {vex} vpdpbusd %ymm9, %ymm0, %ymm5
    {vex} vpdpbusd %ymm9, %ymm13, %ymm2
    vmovdqu %ymm2, 160(%rsp)
    vpbroadcastd (%rax,%r10,8), %ymm9
    {vex} vpdpbusd %ymm9, %ymm0, %ymm15
    {vex} vpdpbusd %ymm9, %ymm13, %ymm1
    vmovdqu %ymm1, 48(%rsp)
    vpbroadcastd (%rbp,%r10,8), %ymm11
    {vex} vpdpbusd %ymm11, %ymm0, %ymm3
    vmovdqu %ymm3, (%rsp)
    vpxor %xmm1, %xmm1, %xmm1
    vpblendw $170, 512(%rcx,%r9,4), %ymm1, %ymm9
    {vex} vpdpbusd %ymm11, %ymm13, %ymm14
    vmovups 720(%rsp), %ymm2
    vbroadcastss (%r12,%r10), %ymm0
    vmulps %ymm0, %ymm9, %ymm11
    vcvtdq2ps %ymm8, %ymm3
    vmovups 352(%rsp), %ymm13
    vfmadd231ps %ymm11, %ymm3, %ymm13
    vmovups %ymm13, 352(%rsp)
    vmovups 784(%rsp), %ymm11
    vpblendw $170, 544(%rcx,%r9,4), %ymm1, %ymm3
    vcvtdq2ps %ymm7, %ymm8
    vmulps %ymm3, %ymm0, %ymm0
    vmovups 320(%rsp), %ymm13
    vfmadd231ps %ymm0, %ymm8, %ymm13
    vmovups %ymm13, 320(%rsp)
    vbroadcastss (%r14,%r10), %ymm0
    vcvtdq2ps %ymm10, %ymm1
    vmulps %ymm0, %ymm9, %ymm8
    vmovups 416(%rsp), %ymm13
    vfmadd231ps %ymm8, %ymm1, %ymm13
    vmovups %ymm13, 416(%rsp)
    vmovups 816(%rsp), %ymm8
    vmulps %ymm3, %ymm0, %ymm0
    vcvtdq2ps %ymm6, %ymm1
    vfmadd231ps %ymm0, %ymm1, %ymm2
    vmovaps %ymm2, %ymm13
    movq 96(%rsp), %r11
    vbroadcastss (%r11,%r10), %ymm0
    vmulps %ymm0, %ymm9, %ymm1
    vcvtdq2ps %ymm12, %ymm7
    vmovups 752(%rsp), %ymm12
    vfmadd231ps %ymm1, %ymm7, %ymm12
    vmovups 560(%rsp), %ymm7
    vcvtdq2ps %ymm4, %ymm1
    vmovups 592(%rsp), %ymm10
    vmulps %ymm3, %ymm0, %ymm0
    vfmadd231ps %ymm0, %ymm1, %ymm11
    movq 112(%rsp), %r11
    vbroadcastss (%r11,%r10), %ymm0
    vcvtdq2ps %ymm5, %ymm1
    vmulps %ymm0, %ymm9, %ymm5
    vfmadd231ps %ymm5, %ymm1, %ymm8
    vmovups 624(%rsp), %ymm5
    vcvtdq2ps 160(%rsp), %ymm1
    vmulps %ymm3, %ymm0, %ymm0
    vfmadd231ps %ymm0, %ymm1, %ymm7
    movq 128(%rsp), %r11
    vbroadcastss (%r11,%r10), %ymm0
    vcvtdq2ps %ymm15, %ymm1
    vmulps %ymm0, %ymm9, %ymm2
    vfmadd231ps %ymm2, %ymm1, %ymm10
    vcvtdq2ps 48(%rsp), %ymm1
    vmovups 656(%rsp), %ymm4
    vmulps %ymm3, %ymm0, %ymm0
    vfmadd231ps %ymm0, %ymm1, %ymm5
    movq 144(%rsp), %r11
    vbroadcastss (%r11,%r10), %ymm0
    vcvtdq2ps (%rsp), %ymm1
    vmulps %ymm0, %ymm9, %ymm2
    vfmadd231ps %ymm2, %ymm1, %ymm4
    vmulps %ymm3, %ymm0, %ymm0
    vcvtdq2ps %ymm14, %ymm1
    vmovups 384(%rsp), %ymm2
    vfmadd231ps %ymm0, %ymm1, %ymm2
    vmovups %ymm2, 384(%rsp)
    vmovups 384(%rsp), %ymm0
    addq $4, %r10
    addl $144, %r9d
    cmpq %r10, %rbx
    jne .LBB0_8


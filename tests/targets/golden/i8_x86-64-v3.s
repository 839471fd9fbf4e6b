1 row, 128 MACs:

    prefetcht0 4096(%rbx,%r14,2)
    prefetcht0 4160(%rbx,%r14,2)
    vmovdqu (%rbx,%r14,2), %ymm5
    vmovdqu 32(%rbx,%r14,2), %ymm6
    vmovdqu 64(%rbx,%r14,2), %ymm7
    vmovdqu 96(%rbx,%r14,2), %ymm8
    movslq %r10d, %r10
    vpbroadcastd (%rdi,%r10,4), %ymm9
    vpbroadcastd 4(%rdi,%r10,4), %ymm10
    vpsignb %ymm9, %ymm5, %ymm5
    vpmaddubsw %ymm5, %ymm10, %ymm5
    vpmaddwd %ymm1, %ymm5, %ymm5
    vpaddd %ymm0, %ymm5, %ymm0
    vpsignb %ymm9, %ymm6, %ymm5
    vpmaddubsw %ymm5, %ymm10, %ymm5
    vpmaddwd %ymm1, %ymm5, %ymm5
    vpaddd %ymm2, %ymm5, %ymm2
    vpsignb %ymm9, %ymm7, %ymm5
    vpmaddubsw %ymm5, %ymm10, %ymm5
    vpmaddwd %ymm1, %ymm5, %ymm5
    vpaddd %ymm3, %ymm5, %ymm3
    vpsignb %ymm9, %ymm8, %ymm5
    vpmaddubsw %ymm5, %ymm10, %ymm5
    vpmaddwd %ymm1, %ymm5, %ymm5
    vpaddd %ymm4, %ymm5, %ymm4
    addq $64, %r14
    addl $2, %r10d
    cmpq %r14, %r11
    jne .LBB0_3

5 rows, 320 MACs:

    movslq %r10d, %r10
    prefetcht0 (%rcx,%r10,4)
    prefetcht0 64(%rcx,%r10,4)
    vmovdqu -32(%r8), %ymm13
    vmovdqu (%r8), %ymm12
    vpbroadcastd -4(%rbp,%rbx), %ymm14
    vpbroadcastd (%rbp,%rbx), %ymm15
    vpsignb %ymm14, %ymm13, %ymm0
    vpmaddubsw %ymm0, %ymm15, %ymm0
    vpmaddwd %ymm2, %ymm0, %ymm0
    vpaddd %ymm1, %ymm0, %ymm1
    vpsignb %ymm14, %ymm12, %ymm0
    vpmaddubsw %ymm0, %ymm15, %ymm0
    vpmaddwd %ymm2, %ymm0, %ymm0
    vpaddd %ymm3, %ymm0, %ymm3
    vpbroadcastd -4(%r13,%rbx), %ymm0
    vpbroadcastd (%r13,%rbx), %ymm14
    vpsignb %ymm0, %ymm13, %ymm15
    vpmaddubsw %ymm15, %ymm14, %ymm15
    vpmaddwd %ymm2, %ymm15, %ymm15
    vpaddd %ymm4, %ymm15, %ymm4
    vpsignb %ymm0, %ymm12, %ymm0
    vpmaddubsw %ymm0, %ymm14, %ymm0
    vpmaddwd %ymm2, %ymm0, %ymm0
    vpaddd %ymm5, %ymm0, %ymm5
    vpbroadcastd -4(%r12,%rbx), %ymm0
    vpbroadcastd (%r12,%rbx), %ymm14
    vpsignb %ymm0, %ymm13, %ymm15
    vpmaddubsw %ymm15, %ymm14, %ymm15
    vpmaddwd %ymm2, %ymm15, %ymm15
    vpaddd %ymm6, %ymm15, %ymm6
    vpsignb %ymm0, %ymm12, %ymm0
    vpmaddubsw %ymm0, %ymm14, %ymm0
    vpmaddwd %ymm2, %ymm0, %ymm0
    vpaddd %ymm7, %ymm0, %ymm7
    vpbroadcastd -4(%r15,%rbx), %ymm0
    vpbroadcastd (%r15,%rbx), %ymm14
    vpsignb %ymm0, %ymm13, %ymm15
    vpmaddubsw %ymm15, %ymm14, %ymm15
    vpmaddwd %ymm2, %ymm15, %ymm15
    vpaddd %ymm8, %ymm15, %ymm8
    vpsignb %ymm0, %ymm12, %ymm0
    vpmaddubsw %ymm0, %ymm14, %ymm0
    vpmaddwd %ymm2, %ymm0, %ymm0
    vpaddd %ymm0, %ymm9, %ymm9
    vpbroadcastd -4(%r11,%rbx), %ymm0
    vpbroadcastd (%r11,%rbx), %ymm14
    vpsignb %ymm0, %ymm13, %ymm13
    vpmaddubsw %ymm13, %ymm14, %ymm13
    vpmaddwd %ymm2, %ymm13, %ymm13
    vpaddd %ymm10, %ymm13, %ymm10
    vpsignb %ymm0, %ymm12, %ymm0
    vpmaddubsw %ymm0, %ymm14, %ymm0
    vpmaddwd %ymm2, %ymm0, %ymm0
    vpaddd %ymm0, %ymm11, %ymm11
    addq $8, %rbx
    subq $-128, %r8
    addl %eax, %r10d
    cmpq %rbx, %rdx
    jne .LBB0_5

5 rows, 320 MACs:

    vmovdqu -32(%r11), %ymm2
    vmovdqu (%r11), %ymm1
    vpbroadcastd -4(%rdi,%rbx), %ymm3
    vpbroadcastd (%rdi,%rbx), %ymm4
    vpsignb %ymm3, %ymm2, %ymm5
    vpmaddubsw %ymm5, %ymm4, %ymm5
    vpmaddwd %ymm0, %ymm5, %ymm5
    vpaddd %ymm5, %ymm15, %ymm15
    vpsignb %ymm3, %ymm1, %ymm3
    vpmaddubsw %ymm3, %ymm4, %ymm3
    vpmaddwd %ymm0, %ymm3, %ymm3
    vpaddd %ymm3, %ymm14, %ymm14
    vpbroadcastd -4(%r10,%rbx), %ymm3
    vpbroadcastd (%r10,%rbx), %ymm4
    vpsignb %ymm3, %ymm2, %ymm5
    vpmaddubsw %ymm5, %ymm4, %ymm5
    vpmaddwd %ymm0, %ymm5, %ymm5
    vpaddd %ymm5, %ymm13, %ymm13
    vpsignb %ymm3, %ymm1, %ymm3
    vpmaddubsw %ymm3, %ymm4, %ymm3
    vpmaddwd %ymm0, %ymm3, %ymm3
    vpaddd %ymm3, %ymm12, %ymm12
    vpbroadcastd -4(%r9,%rbx), %ymm3
    vpbroadcastd (%r9,%rbx), %ymm4
    vpsignb %ymm3, %ymm2, %ymm5
    vpmaddubsw %ymm5, %ymm4, %ymm5
    vpmaddwd %ymm0, %ymm5, %ymm5
    vpaddd %ymm5, %ymm11, %ymm11
    vpsignb %ymm3, %ymm1, %ymm3
    vpmaddubsw %ymm3, %ymm4, %ymm3
    vpmaddwd %ymm0, %ymm3, %ymm3
    vpaddd %ymm3, %ymm10, %ymm10
    vpbroadcastd -4(%r8,%rbx), %ymm3
    vpbroadcastd (%r8,%rbx), %ymm4
    vpsignb %ymm3, %ymm2, %ymm5
    vpmaddubsw %ymm5, %ymm4, %ymm5
    vpmaddwd %ymm0, %ymm5, %ymm5
    vpaddd %ymm5, %ymm9, %ymm9
    vpsignb %ymm3, %ymm1, %ymm3
    vpmaddubsw %ymm3, %ymm4, %ymm3
    vpmaddwd %ymm0, %ymm3, %ymm3
    vpaddd %ymm3, %ymm8, %ymm8
    vpbroadcastd -4(%rsi,%rbx), %ymm3
    vpbroadcastd (%rsi,%rbx), %ymm4
    vpsignb %ymm3, %ymm2, %ymm2
    vpmaddubsw %ymm2, %ymm4, %ymm2
    vpmaddwd %ymm0, %ymm2, %ymm2
    vpaddd %ymm7, %ymm2, %ymm7
    vpsignb %ymm3, %ymm1, %ymm1
    vpmaddubsw %ymm1, %ymm4, %ymm1
    vpmaddwd %ymm0, %ymm1, %ymm1
    vpaddd %ymm6, %ymm1, %ymm6
    addq $8, %rbx
    subq $-128, %r11
    cmpq %rbx, %rdx
    jne .LBB0_9


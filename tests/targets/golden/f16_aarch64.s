1 row, 32 MACs:

    ldp d16, d17, [x12, #-16]
    fcvtl v16.4s, v16.4h
    fcvtl v17.4s, v17.4h
    ldp d18, d19, [x12], #32
    fcvtl v18.4s, v18.4h
    fcvtl v19.4s, v19.4h
    ldp d20, d21, [x13, #-16]
    fcvtl v20.4s, v20.4h
    fcvtl v21.4s, v21.4h
    ldp d22, d23, [x13], #32
    fcvtl v22.4s, v22.4h
    fcvtl v23.4s, v23.4h
    prfm pldl1keep, [x10]
    prfm pldl1keep, [x11]
    ld1r { v24.4s }, [x9], #4
    fmla v0.4s, v16.4s, v24.4s
    fmla v4.4s, v17.4s, v24.4s
    fmla v3.4s, v18.4s, v24.4s
    fmla v2.4s, v19.4s, v24.4s
    fmla v1.4s, v20.4s, v24.4s
    fmla v7.4s, v21.4s, v24.4s
    subs x8, x8, #1
    add x11, x11, #32
    fmla v6.4s, v22.4s, v24.4s
    add x10, x10, #32
    fmla v5.4s, v23.4s, v24.4s
    b.ne .LBB0_2

6 rows, 96 MACs:

    ldp d9, d10, [x3, #-16]
    fcvtl v11.4s, v9.4h
    fcvtl v10.4s, v10.4h
    ldp d9, d12, [x3], #32
    fcvtl v13.4s, v9.4h
    fcvtl v9.4s, v12.4h
    prfm pldl1keep, [x17]
    ldr s12, [x9, x16]
    fmla v22.4s, v11.4s, v12.s[0]
    fmla v8.4s, v10.4s, v12.s[0]
    fmla v31.4s, v13.4s, v12.s[0]
    fmla v30.4s, v9.4s, v12.s[0]
    ldr s12, [x10, x16]
    fmla v29.4s, v11.4s, v12.s[0]
    fmla v28.4s, v10.4s, v12.s[0]
    fmla v27.4s, v13.4s, v12.s[0]
    fmla v26.4s, v9.4s, v12.s[0]
    ldr s12, [x11, x16]
    fmla v25.4s, v11.4s, v12.s[0]
    fmla v24.4s, v10.4s, v12.s[0]
    fmla v23.4s, v13.4s, v12.s[0]
    fmla v21.4s, v9.4s, v12.s[0]
    ldr s12, [x12, x16]
    fmla v20.4s, v11.4s, v12.s[0]
    fmla v19.4s, v10.4s, v12.s[0]
    fmla v17.4s, v13.4s, v12.s[0]
    fmla v16.4s, v9.4s, v12.s[0]
    ldr s12, [x13, x16]
    fmla v18.4s, v11.4s, v12.s[0]
    fmla v7.4s, v10.4s, v12.s[0]
    fmla v6.4s, v13.4s, v12.s[0]
    fmla v5.4s, v9.4s, v12.s[0]
    ldr s12, [x14, x16]
    fmla v4.4s, v11.4s, v12.s[0]
    fmla v3.4s, v10.4s, v12.s[0]
    add x16, x16, #4
    fmla v2.4s, v13.4s, v12.s[0]
    add x17, x17, x0
    cmp x18, x16
    fmla v1.4s, v9.4s, v12.s[0]
    b.ne .LBB0_5

6 rows, 96 MACs:

    add x0, x1, w18, sxtw #1
    ldp d1, d2, [x0]
    fcvtl v10.4s, v1.4h
    fcvtl v11.4s, v2.4h
    ldp d1, d12, [x0, #16]
    fcvtl v2.4s, v1.4h
    fcvtl v1.4s, v12.4h
    sbfiz x0, x15, #1, #32
    prfm pldl1keep, [x1, x0]
    ldr s12, [x9, x16]
    fmla v3.4s, v10.4s, v12.s[0]
    fmla v9.4s, v11.4s, v12.s[0]
    fmla v8.4s, v2.4s, v12.s[0]
    fmla v31.4s, v1.4s, v12.s[0]
    ldr s12, [x10, x16]
    fmla v30.4s, v10.4s, v12.s[0]
    fmla v29.4s, v11.4s, v12.s[0]
    fmla v28.4s, v2.4s, v12.s[0]
    fmla v27.4s, v1.4s, v12.s[0]
    ldr s12, [x11, x16]
    fmla v4.4s, v10.4s, v12.s[0]
    fmla v26.4s, v11.4s, v12.s[0]
    fmla v25.4s, v2.4s, v12.s[0]
    fmla v24.4s, v1.4s, v12.s[0]
    ldr s12, [x12, x16]
    fmla v23.4s, v10.4s, v12.s[0]
    fmla v6.4s, v11.4s, v12.s[0]
    fmla v5.4s, v2.4s, v12.s[0]
    fmla v22.4s, v1.4s, v12.s[0]
    ldr s12, [x13, x16]
    fmla v21.4s, v10.4s, v12.s[0]
    fmla v20.4s, v11.4s, v12.s[0]
    fmla v19.4s, v2.4s, v12.s[0]
    fmla v18.4s, v1.4s, v12.s[0]
    ldr s12, [x14, x16]
    fmla v7.4s, v10.4s, v12.s[0]
    fmla v17.4s, v11.4s, v12.s[0]
    add x16, x16, #4
    fmla v16.4s, v2.4s, v12.s[0]
    add w15, w15, w8
    add w18, w18, #16
    cmp x17, x16
    fmla v0.4s, v1.4s, v12.s[0]
    b.ne .LBB0_8


1 row, 32 MACs:

    ldp q16, q17, [x12, #-32]
    ldp q18, q19, [x12], #64
    ldp q20, q21, [x13, #-32]
    ldp q22, q23, [x13], #64
    prfm pldl1keep, [x10]
    prfm pldl1keep, [x11]
    ld1r { v24.4s }, [x9], #4
    fmla v0.4s, v16.4s, v24.4s
    fmla v4.4s, v17.4s, v24.4s
    fmla v3.4s, v18.4s, v24.4s
    fmla v2.4s, v19.4s, v24.4s
    fmla v1.4s, v20.4s, v24.4s
    fmla v7.4s, v21.4s, v24.4s
    fmla v6.4s, v22.4s, v24.4s
    subs x8, x8, #1
    add x11, x11, #64
    add x10, x10, #64
    fmla v5.4s, v23.4s, v24.4s
    b.ne .LBB0_2

6 rows, 96 MACs:

    ldp q10, q11, [x3, #-32]
    ldp q12, q9, [x3], #64
    prfm pldl1keep, [x17]
    ldr s13, [x9, x16]
    fmla v22.4s, v10.4s, v13.s[0]
    fmla v8.4s, v11.4s, v13.s[0]
    fmla v31.4s, v12.4s, v13.s[0]
    fmla v30.4s, v9.4s, v13.s[0]
    ldr s13, [x10, x16]
    fmla v29.4s, v10.4s, v13.s[0]
    fmla v28.4s, v11.4s, v13.s[0]
    fmla v27.4s, v12.4s, v13.s[0]
    fmla v26.4s, v9.4s, v13.s[0]
    ldr s13, [x11, x16]
    fmla v25.4s, v10.4s, v13.s[0]
    fmla v24.4s, v11.4s, v13.s[0]
    fmla v23.4s, v12.4s, v13.s[0]
    fmla v21.4s, v9.4s, v13.s[0]
    ldr s13, [x12, x16]
    fmla v20.4s, v10.4s, v13.s[0]
    fmla v19.4s, v11.4s, v13.s[0]
    fmla v17.4s, v12.4s, v13.s[0]
    fmla v16.4s, v9.4s, v13.s[0]
    ldr s13, [x13, x16]
    fmla v18.4s, v10.4s, v13.s[0]
    fmla v7.4s, v11.4s, v13.s[0]
    fmla v6.4s, v12.4s, v13.s[0]
    fmla v5.4s, v9.4s, v13.s[0]
    ldr s13, [x14, x16]
    fmla v4.4s, v10.4s, v13.s[0]
    fmla v3.4s, v11.4s, v13.s[0]
    add x16, x16, #4
    fmla v2.4s, v12.4s, v13.s[0]
    add x17, x17, x0
    cmp x18, x16
    fmla v1.4s, v9.4s, v13.s[0]
    b.ne .LBB0_5

6 rows, 96 MACs:

    add x0, x1, w18, sxtw #2
    ldp q10, q11, [x0]
    ldp q2, q1, [x0, #32]
    sbfiz x0, x15, #2, #32
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


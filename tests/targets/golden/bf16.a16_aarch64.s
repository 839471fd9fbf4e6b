1 row, 64 MACs:

    prfm pldl1keep, [x9]
    prfm pldl1keep, [x11]
    ldp q19, q20, [x12, #-32]
    shl v21.4s, v19.4s, #16
    ldp s18, s17, [x10, #-4]
    fmla v0.4s, v21.4s, v18.s[0]
    shl v21.4s, v20.4s, #16
    ldp q22, q23, [x12], #64
    fmla v4.4s, v21.4s, v18.s[0]
    shl v21.4s, v22.4s, #16
    fmla v2.4s, v21.4s, v18.s[0]
    and v19.16b, v19.16b, v5.16b
    fmla v0.4s, v19.4s, v17.s[0]
    and v19.16b, v20.16b, v5.16b
    and v20.16b, v22.16b, v5.16b
    fmla v4.4s, v19.4s, v17.s[0]
    fmla v2.4s, v20.4s, v17.s[0]
    shl v19.4s, v23.4s, #16
    and v20.16b, v23.16b, v5.16b
    fmla v3.4s, v19.4s, v18.s[0]
    fmla v3.4s, v20.4s, v17.s[0]
    ldp q19, q20, [x13, #-32]
    shl v21.4s, v19.4s, #16
    and v19.16b, v19.16b, v5.16b
    fmla v1.4s, v21.4s, v18.s[0]
    fmla v1.4s, v19.4s, v17.s[0]
    shl v19.4s, v20.4s, #16
    and v20.16b, v20.16b, v5.16b
    fmla v16.4s, v19.4s, v18.s[0]
    fmla v16.4s, v20.4s, v17.s[0]
    ldp q19, q20, [x13], #64
    shl v21.4s, v19.4s, #16
    fmla v7.4s, v21.4s, v18.s[0]
    and v19.16b, v19.16b, v5.16b
    fmla v7.4s, v19.4s, v17.s[0]
    subs x8, x8, #1
    shl v19.4s, v20.4s, #16
    and v20.16b, v20.16b, v5.16b
    add x9, x9, #64
    add x10, x10, #8
    fmla v6.4s, v19.4s, v18.s[0]
    add x11, x11, #64
    fmla v6.4s, v20.4s, v17.s[0]
    b.ne .LBB0_2

5 rows, 160 MACs:

    prfm pldl1keep, [x18]
    ldp q30, q8, [x5, #-32]
    shl v31.4s, v30.4s, #16
    ldp s14, s15, [x19, #-4]
    fmla v16.4s, v31.4s, v14.s[0]
    shl v11.4s, v8.4s, #16
    fmla v27.4s, v11.4s, v14.s[0]
    ldp q10, q29, [x5], #64
    shl v9.4s, v10.4s, #16
    fmla v28.4s, v9.4s, v14.s[0]
    and v13.16b, v30.16b, v0.16b
    and v12.16b, v8.16b, v0.16b
    and v10.16b, v10.16b, v0.16b
    shl v8.4s, v29.4s, #16
    and v30.16b, v29.16b, v0.16b
    fmla v25.4s, v8.4s, v14.s[0]
    fmla v16.4s, v13.4s, v15.s[0]
    fmla v27.4s, v12.4s, v15.s[0]
    fmla v28.4s, v10.4s, v15.s[0]
    fmla v25.4s, v30.4s, v15.s[0]
    ldp s29, s14, [x21, #-4]
    fmla v26.4s, v31.4s, v29.s[0]
    fmla v26.4s, v13.4s, v14.s[0]
    fmla v24.4s, v11.4s, v29.s[0]
    fmla v24.4s, v12.4s, v14.s[0]
    fmla v23.4s, v9.4s, v29.s[0]
    fmla v23.4s, v10.4s, v14.s[0]
    fmla v22.4s, v8.4s, v29.s[0]
    fmla v22.4s, v30.4s, v14.s[0]
    ldp s29, s14, [x20, #-4]
    fmla v21.4s, v31.4s, v29.s[0]
    fmla v21.4s, v13.4s, v14.s[0]
    fmla v20.4s, v11.4s, v29.s[0]
    fmla v20.4s, v12.4s, v14.s[0]
    fmla v19.4s, v9.4s, v29.s[0]
    fmla v19.4s, v10.4s, v14.s[0]
    fmla v18.4s, v8.4s, v29.s[0]
    fmla v18.4s, v30.4s, v14.s[0]
    ldp s29, s14, [x6, #-4]
    fmla v17.4s, v31.4s, v29.s[0]
    fmla v17.4s, v13.4s, v14.s[0]
    fmla v7.4s, v11.4s, v29.s[0]
    fmla v7.4s, v12.4s, v14.s[0]
    fmla v6.4s, v9.4s, v29.s[0]
    fmla v6.4s, v10.4s, v14.s[0]
    fmla v5.4s, v8.4s, v29.s[0]
    fmla v5.4s, v30.4s, v14.s[0]
    ldp s29, s14, [x4, #-4]
    fmla v4.4s, v31.4s, v29.s[0]
    fmla v4.4s, v13.4s, v14.s[0]
    fmla v3.4s, v11.4s, v29.s[0]
    fmla v3.4s, v12.4s, v14.s[0]
    subs x0, x0, #1
    fmla v2.4s, v9.4s, v29.s[0]
    add x18, x18, x3
    add x4, x4, #8
    fmla v2.4s, v10.4s, v14.s[0]
    add x6, x6, #8
    fmla v1.4s, v8.4s, v29.s[0]
    add x19, x19, #8
    add x20, x20, #8
    add x21, x21, #8
    fmla v1.4s, v30.4s, v14.s[0]
    b.ne .LBB0_5

5 rows, 160 MACs:

    sbfiz x17, x9, #2, #32
    prfm pldl1keep, [x1, x17]
    ldp q2, q31, [x12, #-32]
    shl v30.4s, v2.4s, #16
    ldp s13, s14, [x14, #-4]
    fmla v29.4s, v30.4s, v13.s[0]
    shl v10.4s, v31.4s, #16
    fmla v0.4s, v10.4s, v13.s[0]
    ldp q9, q15, [x12], #64
    shl v8.4s, v9.4s, #16
    fmla v28.4s, v8.4s, v13.s[0]
    and v12.16b, v2.16b, v1.16b
    and v11.16b, v31.16b, v1.16b
    and v9.16b, v9.16b, v1.16b
    shl v31.4s, v15.4s, #16
    and v2.16b, v15.16b, v1.16b
    fmla v27.4s, v31.4s, v13.s[0]
    fmla v29.4s, v12.4s, v14.s[0]
    fmla v0.4s, v11.4s, v14.s[0]
    fmla v28.4s, v9.4s, v14.s[0]
    fmla v27.4s, v2.4s, v14.s[0]
    ldp s13, s14, [x16, #-4]
    fmla v25.4s, v30.4s, v13.s[0]
    fmla v25.4s, v12.4s, v14.s[0]
    fmla v26.4s, v10.4s, v13.s[0]
    fmla v26.4s, v11.4s, v14.s[0]
    fmla v24.4s, v8.4s, v13.s[0]
    fmla v24.4s, v9.4s, v14.s[0]
    fmla v23.4s, v31.4s, v13.s[0]
    fmla v23.4s, v2.4s, v14.s[0]
    ldp s13, s14, [x15, #-4]
    fmla v22.4s, v30.4s, v13.s[0]
    fmla v22.4s, v12.4s, v14.s[0]
    fmla v21.4s, v10.4s, v13.s[0]
    fmla v21.4s, v11.4s, v14.s[0]
    fmla v19.4s, v8.4s, v13.s[0]
    fmla v19.4s, v9.4s, v14.s[0]
    fmla v20.4s, v31.4s, v13.s[0]
    fmla v20.4s, v2.4s, v14.s[0]
    ldp s13, s14, [x13, #-4]
    fmla v18.4s, v30.4s, v13.s[0]
    fmla v18.4s, v12.4s, v14.s[0]
    fmla v17.4s, v10.4s, v13.s[0]
    fmla v17.4s, v11.4s, v14.s[0]
    fmla v16.4s, v8.4s, v13.s[0]
    fmla v16.4s, v9.4s, v14.s[0]
    fmla v7.4s, v31.4s, v13.s[0]
    fmla v7.4s, v2.4s, v14.s[0]
    ldp s13, s14, [x11, #-4]
    fmla v6.4s, v30.4s, v13.s[0]
    fmla v6.4s, v12.4s, v14.s[0]
    fmla v5.4s, v10.4s, v13.s[0]
    fmla v5.4s, v11.4s, v14.s[0]
    subs x10, x10, #1
    fmla v4.4s, v8.4s, v13.s[0]
    add w9, w9, w8
    add x11, x11, #8
    fmla v4.4s, v9.4s, v14.s[0]
    add x13, x13, #8
    fmla v3.4s, v31.4s, v13.s[0]
    add x14, x14, #8
    add x15, x15, #8
    add x16, x16, #8
    fmla v3.4s, v2.4s, v14.s[0]
    b.ne .LBB0_8


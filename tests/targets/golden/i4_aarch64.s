1 row, 256 MACs:

    prfm pldl1keep, [x18, #4096]
    prfm pldl1keep, [x18, #4160]
    ldp q12, q13, [x18]
    ldp q14, q15, [x18, #32]
    ldp q16, q0, [x18, #64]
    add x6, x0, w5, sxtw #2
    ldp q11, q10, [x18, #96]
    ld1r { v1.4s }, [x6], #4
    and v2.16b, v12.16b, v6.16b
    smlal v9.8h, v1.8b, v2.8b
    smlal2 v8.8h, v1.16b, v2.16b
    and v2.16b, v13.16b, v6.16b
    smlal v30.8h, v1.8b, v2.8b
    smlal2 v31.8h, v1.16b, v2.16b
    and v2.16b, v14.16b, v6.16b
    smlal v28.8h, v1.8b, v2.8b
    smlal2 v29.8h, v1.16b, v2.16b
    and v2.16b, v15.16b, v6.16b
    smlal v26.8h, v1.8b, v2.8b
    smlal2 v27.8h, v1.16b, v2.16b
    and v2.16b, v16.16b, v6.16b
    smlal v24.8h, v1.8b, v2.8b
    smlal2 v25.8h, v1.16b, v2.16b
    and v2.16b, v0.16b, v6.16b
    smlal v22.8h, v1.8b, v2.8b
    smlal2 v23.8h, v1.16b, v2.16b
    and v2.16b, v11.16b, v6.16b
    smlal v20.8h, v1.8b, v2.8b
    smlal2 v21.8h, v1.16b, v2.16b
    and v2.16b, v10.16b, v6.16b
    smlal v18.8h, v1.8b, v2.8b
    smlal2 v19.8h, v1.16b, v2.16b
    ushr v1.16b, v12.16b, #4
    ushr v2.16b, v13.16b, #4
    ushr v12.16b, v14.16b, #4
    ushr v13.16b, v15.16b, #4
    ushr v16.16b, v16.16b, #4
    ushr v0.16b, v0.16b, #4
    ld1r { v14.4s }, [x6]
    smlal2 v8.8h, v14.16b, v1.16b
    ushr v11.16b, v11.16b, #4
    smlal v9.8h, v14.8b, v1.8b
    ushr v1.16b, v10.16b, #4
    smlal2 v31.8h, v14.16b, v2.16b
    smlal v30.8h, v14.8b, v2.8b
    smlal2 v29.8h, v14.16b, v12.16b
    smlal v28.8h, v14.8b, v12.8b
    smlal2 v27.8h, v14.16b, v13.16b
    smlal v26.8h, v14.8b, v13.8b
    smlal2 v25.8h, v14.16b, v16.16b
    smlal v24.8h, v14.8b, v16.8b
    smlal2 v23.8h, v14.16b, v0.16b
    smlal v22.8h, v14.8b, v0.8b
    smlal2 v21.8h, v14.16b, v11.16b
    smlal v20.8h, v14.8b, v11.8b
    smlal2 v19.8h, v14.16b, v1.16b
    subs x17, x17, #1
    add w5, w5, #2
    add x18, x18, #128
    smlal v18.8h, v14.8b, v1.8b
    b.ne .LBB0_6

2 rows, 256 MACs:

    add x15, x3, w29, sxtw #2
    prfm pldl1keep, [x15]
    prfm pldl1keep, [x15, #64]
    sub x15, x30, #4
    ldp q9, q10, [x20, #-32]
    ld1r { v11.4s }, [x15]
    and v12.16b, v9.16b, v7.16b
    smlal v29.8h, v11.8b, v12.8b
    smlal2 v8.8h, v11.16b, v12.16b
    and v13.16b, v10.16b, v7.16b
    smlal v30.8h, v11.8b, v13.8b
    smlal2 v31.8h, v11.16b, v13.16b
    ldp q14, q15, [x20], #128
    and v1.16b, v14.16b, v7.16b
    smlal v27.8h, v11.8b, v1.8b
    smlal2 v28.8h, v11.16b, v1.16b
    and v2.16b, v15.16b, v7.16b
    smlal v25.8h, v11.8b, v2.8b
    smlal2 v26.8h, v11.16b, v2.16b
    sub x15, x21, #4
    ld1r { v11.4s }, [x15]
    smlal v23.8h, v11.8b, v12.8b
    smlal2 v24.8h, v11.16b, v12.16b
    smlal v21.8h, v11.8b, v13.8b
    smlal2 v22.8h, v11.16b, v13.16b
    smlal v19.8h, v11.8b, v1.8b
    smlal2 v20.8h, v11.16b, v1.16b
    smlal v17.8h, v11.8b, v2.8b
    smlal2 v18.8h, v11.16b, v2.16b
    ushr v1.16b, v9.16b, #4
    ushr v2.16b, v10.16b, #4
    ushr v9.16b, v14.16b, #4
    ushr v10.16b, v15.16b, #4
    ld1r { v11.4s }, [x30]
    smlal2 v8.8h, v11.16b, v1.16b
    smlal v29.8h, v11.8b, v1.8b
    smlal2 v31.8h, v11.16b, v2.16b
    smlal v30.8h, v11.8b, v2.8b
    smlal2 v28.8h, v11.16b, v9.16b
    smlal v27.8h, v11.8b, v9.8b
    smlal2 v26.8h, v11.16b, v10.16b
    ld1r { v12.4s }, [x21]
    smlal v25.8h, v11.8b, v10.8b
    smlal2 v24.8h, v12.16b, v1.16b
    smlal v23.8h, v12.8b, v1.8b
    smlal2 v22.8h, v12.16b, v2.16b
    smlal v21.8h, v12.8b, v2.8b
    smlal2 v20.8h, v12.16b, v9.16b
    smlal v19.8h, v12.8b, v9.8b
    subs x28, x28, #1
    add w29, w29, w17
    smlal2 v18.8h, v12.16b, v10.16b
    add x21, x21, #8
    add x30, x30, #8
    smlal v17.8h, v12.8b, v10.8b
    b.ne .LBB0_9

2 rows, 256 MACs:

    ldp q10, q11, [x17, #-48]
    sub x5, x0, #4
    ld1r { v12.4s }, [x5]
    and v13.16b, v10.16b, v16.16b
    smlal v8.8h, v12.8b, v13.8b
    smlal2 v9.8h, v12.16b, v13.16b
    and v14.16b, v11.16b, v16.16b
    smlal v30.8h, v12.8b, v14.8b
    smlal2 v31.8h, v12.16b, v14.16b
    ldp q15, q17, [x17, #-16]
    and v0.16b, v15.16b, v16.16b
    smlal v28.8h, v12.8b, v0.8b
    smlal2 v29.8h, v12.16b, v0.16b
    sub x5, x4, #4
    and v1.16b, v17.16b, v16.16b
    smlal v26.8h, v12.8b, v1.8b
    smlal2 v27.8h, v12.16b, v1.16b
    ld1r { v12.4s }, [x5]
    smlal v24.8h, v12.8b, v13.8b
    smlal2 v25.8h, v12.16b, v13.16b
    smlal v22.8h, v12.8b, v14.8b
    smlal2 v23.8h, v12.16b, v14.16b
    smlal v20.8h, v12.8b, v0.8b
    smlal2 v21.8h, v12.16b, v0.16b
    smlal v18.8h, v12.8b, v1.8b
    smlal2 v19.8h, v12.16b, v1.16b
    ushr v0.16b, v10.16b, #4
    ushr v1.16b, v11.16b, #4
    ushr v10.16b, v15.16b, #4
    ushr v17.16b, v17.16b, #4
    ld1r { v11.4s }, [x0]
    smlal2 v9.8h, v11.16b, v0.16b
    smlal v8.8h, v11.8b, v0.8b
    smlal2 v31.8h, v11.16b, v1.16b
    smlal v30.8h, v11.8b, v1.8b
    smlal2 v29.8h, v11.16b, v10.16b
    smlal v28.8h, v11.8b, v10.8b
    smlal2 v27.8h, v11.16b, v17.16b
    smlal v26.8h, v11.8b, v17.8b
    ld1r { v11.4s }, [x4]
    smlal2 v25.8h, v11.16b, v0.16b
    smlal v24.8h, v11.8b, v0.8b
    smlal2 v23.8h, v11.16b, v1.16b
    smlal v22.8h, v11.8b, v1.8b
    smlal2 v21.8h, v11.16b, v10.16b
    smlal v20.8h, v11.8b, v10.8b
    subs x18, x18, #1
    smlal2 v19.8h, v11.16b, v17.16b
    add x17, x17, #128
    add x4, x4, #8
    add x0, x0, #8
    smlal v18.8h, v11.8b, v17.8b
    b.ne .LBB0_15


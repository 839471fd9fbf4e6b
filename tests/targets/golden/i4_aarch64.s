1 row, 256 MACs:

    add x20, x3, w6, sxtw #2
    prfm pldl1keep, [x20]
    prfm pldl1keep, [x20, #64]
    add x20, x0, w19, sxtw #2
    ldp q13, q14, [x7, #-64]
    ldp q15, q17, [x7, #-32]
    ldp q0, q12, [x7]
    ldp q11, q10, [x7, #32]
    ld1r { v1.4s }, [x20], #4
    and v2.16b, v13.16b, v16.16b
    smlal v8.8h, v1.8b, v2.8b
    smlal2 v9.8h, v1.16b, v2.16b
    and v2.16b, v14.16b, v16.16b
    smlal v30.8h, v1.8b, v2.8b
    smlal2 v31.8h, v1.16b, v2.16b
    and v2.16b, v15.16b, v16.16b
    smlal v29.8h, v1.8b, v2.8b
    smlal2 v28.8h, v1.16b, v2.16b
    and v2.16b, v17.16b, v16.16b
    smlal v26.8h, v1.8b, v2.8b
    smlal2 v27.8h, v1.16b, v2.16b
    and v2.16b, v0.16b, v16.16b
    smlal v24.8h, v1.8b, v2.8b
    smlal2 v25.8h, v1.16b, v2.16b
    and v2.16b, v12.16b, v16.16b
    smlal v22.8h, v1.8b, v2.8b
    smlal2 v23.8h, v1.16b, v2.16b
    and v2.16b, v11.16b, v16.16b
    smlal v20.8h, v1.8b, v2.8b
    smlal2 v21.8h, v1.16b, v2.16b
    and v2.16b, v10.16b, v16.16b
    smlal v18.8h, v1.8b, v2.8b
    smlal2 v19.8h, v1.16b, v2.16b
    ushr v1.16b, v13.16b, #4
    ushr v2.16b, v14.16b, #4
    ushr v13.16b, v15.16b, #4
    ushr v17.16b, v17.16b, #4
    ushr v0.16b, v0.16b, #4
    ld1r { v14.4s }, [x20]
    ushr v12.16b, v12.16b, #4
    smlal2 v9.8h, v14.16b, v1.16b
    ushr v11.16b, v11.16b, #4
    smlal v8.8h, v14.8b, v1.8b
    ushr v1.16b, v10.16b, #4
    smlal2 v31.8h, v14.16b, v2.16b
    smlal v30.8h, v14.8b, v2.8b
    smlal2 v28.8h, v14.16b, v13.16b
    smlal v29.8h, v14.8b, v13.8b
    smlal2 v27.8h, v14.16b, v17.16b
    smlal v26.8h, v14.8b, v17.8b
    smlal2 v25.8h, v14.16b, v0.16b
    smlal v24.8h, v14.8b, v0.8b
    smlal2 v23.8h, v14.16b, v12.16b
    smlal v22.8h, v14.8b, v12.8b
    smlal2 v21.8h, v14.16b, v11.16b
    smlal v20.8h, v14.8b, v11.8b
    subs x5, x5, #1
    smlal2 v19.8h, v14.16b, v1.16b
    add w19, w19, #2
    add w6, w6, w12
    add x7, x7, #128
    smlal v18.8h, v14.8b, v1.8b
    b.ne .LBB0_9

2 rows, 256 MACs:

    add x29, x3, w25, sxtw #2
    prfm pldl1keep, [x29]
    prfm pldl1keep, [x29, #64]
    sub x29, x26, #4
    ldp q9, q10, [x27, #-32]
    ld1r { v11.4s }, [x29]
    and v12.16b, v9.16b, v7.16b
    smlal v23.8h, v11.8b, v12.8b
    smlal2 v8.8h, v11.16b, v12.16b
    and v13.16b, v10.16b, v7.16b
    smlal v29.8h, v11.8b, v13.8b
    smlal2 v31.8h, v11.16b, v13.16b
    ldp q14, q15, [x27], #128
    and v0.16b, v14.16b, v7.16b
    smlal v27.8h, v11.8b, v0.8b
    smlal2 v30.8h, v11.16b, v0.16b
    and v1.16b, v15.16b, v7.16b
    smlal v25.8h, v11.8b, v1.8b
    smlal2 v28.8h, v11.16b, v1.16b
    sub x29, x28, #4
    ld1r { v11.4s }, [x29]
    smlal v24.8h, v11.8b, v12.8b
    smlal2 v26.8h, v11.16b, v12.16b
    smlal v21.8h, v11.8b, v13.8b
    smlal2 v22.8h, v11.16b, v13.16b
    smlal v19.8h, v11.8b, v0.8b
    smlal2 v20.8h, v11.16b, v0.16b
    smlal v17.8h, v11.8b, v1.8b
    smlal2 v18.8h, v11.16b, v1.16b
    ushr v0.16b, v9.16b, #4
    ushr v1.16b, v10.16b, #4
    ushr v9.16b, v14.16b, #4
    ushr v10.16b, v15.16b, #4
    ld1r { v11.4s }, [x26]
    smlal2 v8.8h, v11.16b, v0.16b
    smlal v23.8h, v11.8b, v0.8b
    smlal2 v31.8h, v11.16b, v1.16b
    smlal v29.8h, v11.8b, v1.8b
    smlal2 v30.8h, v11.16b, v9.16b
    smlal v27.8h, v11.8b, v9.8b
    smlal2 v28.8h, v11.16b, v10.16b
    ld1r { v12.4s }, [x28]
    smlal v25.8h, v11.8b, v10.8b
    smlal2 v26.8h, v12.16b, v0.16b
    smlal v24.8h, v12.8b, v0.8b
    smlal2 v22.8h, v12.16b, v1.16b
    smlal v21.8h, v12.8b, v1.8b
    smlal2 v20.8h, v12.16b, v9.16b
    smlal v19.8h, v12.8b, v9.8b
    subs x24, x24, #1
    add w25, w25, w17
    smlal2 v18.8h, v12.16b, v10.16b
    add x28, x28, #8
    add x26, x26, #8
    smlal v17.8h, v12.8b, v10.8b
    b.ne .LBB0_9

2 rows, 256 MACs:

    ldp q10, q11, [x17, #-48]
    sub x6, x0, #4
    ld1r { v12.4s }, [x6]
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
    sub x6, x5, #4
    and v2.16b, v17.16b, v16.16b
    smlal v26.8h, v12.8b, v2.8b
    smlal2 v27.8h, v12.16b, v2.16b
    ld1r { v12.4s }, [x6]
    smlal v24.8h, v12.8b, v13.8b
    smlal2 v25.8h, v12.16b, v13.16b
    smlal v22.8h, v12.8b, v14.8b
    smlal2 v23.8h, v12.16b, v14.16b
    smlal v20.8h, v12.8b, v0.8b
    smlal2 v21.8h, v12.16b, v0.16b
    smlal v18.8h, v12.8b, v2.8b
    smlal2 v19.8h, v12.16b, v2.16b
    ushr v0.16b, v10.16b, #4
    ushr v2.16b, v11.16b, #4
    ushr v10.16b, v15.16b, #4
    ushr v17.16b, v17.16b, #4
    ld1r { v11.4s }, [x0]
    smlal2 v9.8h, v11.16b, v0.16b
    smlal v8.8h, v11.8b, v0.8b
    smlal2 v31.8h, v11.16b, v2.16b
    smlal v30.8h, v11.8b, v2.8b
    smlal2 v29.8h, v11.16b, v10.16b
    smlal v28.8h, v11.8b, v10.8b
    smlal2 v27.8h, v11.16b, v17.16b
    smlal v26.8h, v11.8b, v17.8b
    ld1r { v11.4s }, [x5]
    smlal2 v25.8h, v11.16b, v0.16b
    smlal v24.8h, v11.8b, v0.8b
    smlal2 v23.8h, v11.16b, v2.16b
    smlal v22.8h, v11.8b, v2.8b
    smlal2 v21.8h, v11.16b, v10.16b
    smlal v20.8h, v11.8b, v10.8b
    subs x18, x18, #1
    smlal2 v19.8h, v11.16b, v17.16b
    add x17, x17, #128
    add x5, x5, #8
    add x0, x0, #8
    smlal v18.8h, v11.8b, v17.8b
    b.ne .LBB0_15


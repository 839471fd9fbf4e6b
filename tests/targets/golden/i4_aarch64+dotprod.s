1 row, 256 MACs:

    add x20, x3, w6, sxtw #2
    prfm pldl1keep, [x20]
    prfm pldl1keep, [x20, #64]
    add x20, x0, w19, sxtw #2
    ldp q26, q27, [x7, #-64]
    ldp q28, q29, [x7, #-32]
    ldp q30, q31, [x7]
    ldp q8, q9, [x7, #32]
    ld1r { v10.4s }, [x20], #4
    and v11.16b, v26.16b, v16.16b
    sdot v22.4s, v11.16b, v10.16b
    and v11.16b, v27.16b, v16.16b
    sdot v24.4s, v11.16b, v10.16b
    and v11.16b, v28.16b, v16.16b
    sdot v25.4s, v11.16b, v10.16b
    and v11.16b, v29.16b, v16.16b
    sdot v23.4s, v11.16b, v10.16b
    and v11.16b, v30.16b, v16.16b
    sdot v21.4s, v11.16b, v10.16b
    and v11.16b, v31.16b, v16.16b
    sdot v20.4s, v11.16b, v10.16b
    and v11.16b, v8.16b, v16.16b
    sdot v19.4s, v11.16b, v10.16b
    and v11.16b, v9.16b, v16.16b
    ushr v26.16b, v26.16b, #4
    ushr v27.16b, v27.16b, #4
    ushr v28.16b, v28.16b, #4
    ushr v29.16b, v29.16b, #4
    ushr v30.16b, v30.16b, #4
    ushr v31.16b, v31.16b, #4
    ushr v8.16b, v8.16b, #4
    ushr v9.16b, v9.16b, #4
    sdot v18.4s, v11.16b, v10.16b
    ld1r { v10.4s }, [x20]
    sdot v22.4s, v26.16b, v10.16b
    sdot v24.4s, v27.16b, v10.16b
    sdot v25.4s, v28.16b, v10.16b
    sdot v23.4s, v29.16b, v10.16b
    sdot v21.4s, v30.16b, v10.16b
    sdot v20.4s, v31.16b, v10.16b
    subs x5, x5, #1
    sdot v19.4s, v8.16b, v10.16b
    add w19, w19, #2
    sdot v18.4s, v9.16b, v10.16b
    add w6, w6, w12
    add x7, x7, #128
    b.ne .LBB0_8

5 rows, 640 MACs:

    add x7, x3, w6, sxtw #2
    add x12, x30, x18
    add x8, x15, x18
    sub x19, x12, #4
    prfm pldl1keep, [x7]
    prfm pldl1keep, [x7, #64]
    ld1r { v19.4s }, [x19]
    ldp q20, q21, [x29, #-32]
    ldp q22, q23, [x29], #128
    ld1r { v24.4s }, [x8], #4
    add x7, x9, x18
    ld1r { v25.4s }, [x7], #4
    and v26.16b, v20.16b, v1.16b
    and v27.16b, v21.16b, v1.16b
    and v28.16b, v22.16b, v1.16b
    and v29.16b, v23.16b, v1.16b
    sdot v18.4s, v26.16b, v19.16b
    sdot v17.4s, v27.16b, v19.16b
    sdot v16.4s, v28.16b, v19.16b
    sdot v7.4s, v29.16b, v19.16b
    sdot v6.4s, v26.16b, v24.16b
    sdot v5.4s, v27.16b, v24.16b
    sdot v4.4s, v28.16b, v24.16b
    sdot v3.4s, v29.16b, v24.16b
    sdot v2.4s, v26.16b, v25.16b
    sdot v0.4s, v27.16b, v25.16b
    sdot v15.4s, v28.16b, v25.16b
    add x19, x10, x18
    ld1r { v19.4s }, [x19], #4
    sdot v14.4s, v29.16b, v25.16b
    sdot v13.4s, v26.16b, v19.16b
    sdot v12.4s, v27.16b, v19.16b
    sdot v11.4s, v28.16b, v19.16b
    sdot v10.4s, v29.16b, v19.16b
    add x20, x11, x18
    ld1r { v19.4s }, [x20], #4
    sdot v9.4s, v26.16b, v19.16b
    sdot v8.4s, v27.16b, v19.16b
    sdot v31.4s, v28.16b, v19.16b
    sdot v30.4s, v29.16b, v19.16b
    ushr v19.16b, v20.16b, #4
    ushr v20.16b, v21.16b, #4
    ushr v21.16b, v22.16b, #4
    ld1r { v22.4s }, [x12]
    ushr v23.16b, v23.16b, #4
    sdot v18.4s, v19.16b, v22.16b
    sdot v17.4s, v20.16b, v22.16b
    sdot v16.4s, v21.16b, v22.16b
    ld1r { v24.4s }, [x8]
    sdot v7.4s, v23.16b, v22.16b
    sdot v6.4s, v19.16b, v24.16b
    sdot v5.4s, v20.16b, v24.16b
    sdot v4.4s, v21.16b, v24.16b
    ld1r { v22.4s }, [x7]
    sdot v3.4s, v23.16b, v24.16b
    sdot v2.4s, v19.16b, v22.16b
    sdot v0.4s, v20.16b, v22.16b
    sdot v15.4s, v21.16b, v22.16b
    ld1r { v24.4s }, [x19]
    sdot v14.4s, v23.16b, v22.16b
    sdot v13.4s, v19.16b, v24.16b
    sdot v12.4s, v20.16b, v24.16b
    sdot v11.4s, v21.16b, v24.16b
    ld1r { v22.4s }, [x20]
    sdot v10.4s, v23.16b, v24.16b
    sdot v9.4s, v19.16b, v22.16b
    sdot v8.4s, v20.16b, v22.16b
    add x18, x18, #8
    sdot v31.4s, v21.16b, v22.16b
    sdot v30.4s, v23.16b, v22.16b
    add w6, w6, w21
    cmp x5, x18
    b.ne .LBB0_9

5 rows, 640 MACs:

    add x21, x6, x7
    sub x8, x21, #4
    ld1r { v19.4s }, [x8]
    add x8, x4, x7
    sub x22, x8, #4
    ld1r { v20.4s }, [x22]
    ldp q21, q22, [x19, #-48]
    ldp q23, q24, [x19, #-16]
    add x22, x14, x7
    ld1r { v25.4s }, [x22], #4
    and v26.16b, v21.16b, v1.16b
    and v27.16b, v22.16b, v1.16b
    and v28.16b, v23.16b, v1.16b
    and v29.16b, v24.16b, v1.16b
    sdot v18.4s, v26.16b, v19.16b
    sdot v17.4s, v27.16b, v19.16b
    sdot v16.4s, v28.16b, v19.16b
    sdot v7.4s, v29.16b, v19.16b
    sdot v6.4s, v26.16b, v20.16b
    sdot v5.4s, v27.16b, v20.16b
    sdot v4.4s, v28.16b, v20.16b
    sdot v3.4s, v29.16b, v20.16b
    sdot v0.4s, v26.16b, v25.16b
    sdot v2.4s, v27.16b, v25.16b
    add x23, x16, x7
    ld1r { v19.4s }, [x23], #4
    sdot v15.4s, v28.16b, v25.16b
    sdot v14.4s, v29.16b, v25.16b
    sdot v13.4s, v26.16b, v19.16b
    sdot v12.4s, v27.16b, v19.16b
    sdot v11.4s, v28.16b, v19.16b
    add x24, x17, x7
    ld1r { v20.4s }, [x24], #4
    sdot v10.4s, v29.16b, v19.16b
    sdot v9.4s, v26.16b, v20.16b
    sdot v8.4s, v27.16b, v20.16b
    sdot v31.4s, v28.16b, v20.16b
    sdot v30.4s, v29.16b, v20.16b
    ushr v19.16b, v21.16b, #4
    ushr v20.16b, v22.16b, #4
    ushr v21.16b, v23.16b, #4
    ushr v22.16b, v24.16b, #4
    ld1r { v23.4s }, [x21]
    sdot v18.4s, v19.16b, v23.16b
    sdot v17.4s, v20.16b, v23.16b
    sdot v16.4s, v21.16b, v23.16b
    sdot v7.4s, v22.16b, v23.16b
    ld1r { v23.4s }, [x8]
    sdot v6.4s, v19.16b, v23.16b
    sdot v5.4s, v20.16b, v23.16b
    sdot v4.4s, v21.16b, v23.16b
    sdot v3.4s, v22.16b, v23.16b
    ld1r { v23.4s }, [x22]
    sdot v0.4s, v19.16b, v23.16b
    sdot v2.4s, v20.16b, v23.16b
    sdot v15.4s, v21.16b, v23.16b
    sdot v14.4s, v22.16b, v23.16b
    ld1r { v23.4s }, [x23]
    sdot v13.4s, v19.16b, v23.16b
    sdot v12.4s, v20.16b, v23.16b
    sdot v11.4s, v21.16b, v23.16b
    sdot v10.4s, v22.16b, v23.16b
    ld1r { v23.4s }, [x24]
    sdot v9.4s, v19.16b, v23.16b
    add x7, x7, #8
    sdot v8.4s, v20.16b, v23.16b
    sdot v31.4s, v21.16b, v23.16b
    add x19, x19, #128
    cmp x20, x7
    sdot v30.4s, v22.16b, v23.16b
    b.ne .LBB0_16


1 row, 256 MACs:

    prfm pldl1keep, [x17, #4096]
    prfm pldl1keep, [x17, #4160]
    ldp q26, q27, [x17]
    and v28.16b, v26.16b, v6.16b
    add x5, x0, w18, sxtw #2
    ldp q29, q30, [x17, #32]
    ldp q31, q8, [x17, #64]
    ldp q9, q10, [x17, #96]
    ld1r { v11.4s }, [x5], #4
    sdot v25.4s, v28.16b, v11.16b
    and v28.16b, v27.16b, v6.16b
    sdot v24.4s, v28.16b, v11.16b
    and v28.16b, v29.16b, v6.16b
    sdot v23.4s, v28.16b, v11.16b
    and v28.16b, v30.16b, v6.16b
    sdot v22.4s, v28.16b, v11.16b
    and v28.16b, v31.16b, v6.16b
    sdot v21.4s, v28.16b, v11.16b
    and v28.16b, v8.16b, v6.16b
    sdot v20.4s, v28.16b, v11.16b
    and v28.16b, v9.16b, v6.16b
    sdot v19.4s, v28.16b, v11.16b
    and v28.16b, v10.16b, v6.16b
    ushr v26.16b, v26.16b, #4
    sdot v18.4s, v28.16b, v11.16b
    ld1r { v28.4s }, [x5]
    ushr v27.16b, v27.16b, #4
    ushr v29.16b, v29.16b, #4
    ushr v30.16b, v30.16b, #4
    ushr v31.16b, v31.16b, #4
    ushr v8.16b, v8.16b, #4
    ushr v9.16b, v9.16b, #4
    ushr v10.16b, v10.16b, #4
    sdot v25.4s, v26.16b, v28.16b
    sdot v24.4s, v27.16b, v28.16b
    sdot v23.4s, v29.16b, v28.16b
    sdot v22.4s, v30.16b, v28.16b
    sdot v21.4s, v31.16b, v28.16b
    sdot v20.4s, v8.16b, v28.16b
    subs x16, x16, #1
    add w18, w18, #2
    sdot v19.4s, v9.16b, v28.16b
    sdot v18.4s, v10.16b, v28.16b
    add x17, x17, #128
    b.ne .LBB0_6

5 rows, 640 MACs:

    add x24, x3, w19, sxtw #2
    add x22, x30, x8
    add x23, x15, x8
    sub x25, x22, #4
    prfm pldl1keep, [x24]
    prfm pldl1keep, [x24, #64]
    ld1r { v19.4s }, [x25]
    ldp q20, q21, [x29, #-32]
    ldp q22, q23, [x29], #128
    ld1r { v24.4s }, [x23], #4
    add x24, x9, x8
    ld1r { v25.4s }, [x24], #4
    and v26.16b, v20.16b, v1.16b
    and v27.16b, v21.16b, v1.16b
    and v28.16b, v22.16b, v1.16b
    and v29.16b, v23.16b, v1.16b
    sdot v18.4s, v26.16b, v19.16b
    sdot v17.4s, v27.16b, v19.16b
    sdot v16.4s, v28.16b, v19.16b
    sdot v10.4s, v29.16b, v19.16b
    sdot v7.4s, v26.16b, v24.16b
    sdot v6.4s, v27.16b, v24.16b
    sdot v5.4s, v28.16b, v24.16b
    sdot v9.4s, v29.16b, v24.16b
    sdot v4.4s, v26.16b, v25.16b
    sdot v3.4s, v27.16b, v25.16b
    sdot v2.4s, v28.16b, v25.16b
    add x25, x10, x8
    ld1r { v19.4s }, [x25], #4
    sdot v8.4s, v29.16b, v25.16b
    sdot v0.4s, v26.16b, v19.16b
    sdot v31.4s, v27.16b, v19.16b
    sdot v15.4s, v28.16b, v19.16b
    sdot v14.4s, v29.16b, v19.16b
    add x26, x11, x8
    ld1r { v19.4s }, [x26], #4
    sdot v30.4s, v26.16b, v19.16b
    sdot v13.4s, v27.16b, v19.16b
    sdot v12.4s, v28.16b, v19.16b
    sdot v11.4s, v29.16b, v19.16b
    ushr v19.16b, v20.16b, #4
    ushr v20.16b, v21.16b, #4
    ushr v21.16b, v22.16b, #4
    ld1r { v22.4s }, [x22]
    ushr v23.16b, v23.16b, #4
    sdot v18.4s, v19.16b, v22.16b
    sdot v17.4s, v20.16b, v22.16b
    sdot v16.4s, v21.16b, v22.16b
    ld1r { v24.4s }, [x23]
    sdot v10.4s, v23.16b, v22.16b
    sdot v7.4s, v19.16b, v24.16b
    sdot v6.4s, v20.16b, v24.16b
    sdot v5.4s, v21.16b, v24.16b
    ld1r { v22.4s }, [x24]
    sdot v9.4s, v23.16b, v24.16b
    sdot v4.4s, v19.16b, v22.16b
    sdot v3.4s, v20.16b, v22.16b
    sdot v2.4s, v21.16b, v22.16b
    ld1r { v24.4s }, [x25]
    sdot v8.4s, v23.16b, v22.16b
    sdot v0.4s, v19.16b, v24.16b
    sdot v31.4s, v20.16b, v24.16b
    sdot v15.4s, v21.16b, v24.16b
    ld1r { v22.4s }, [x26]
    sdot v14.4s, v23.16b, v24.16b
    sdot v30.4s, v19.16b, v22.16b
    sdot v13.4s, v20.16b, v22.16b
    add x8, x8, #8
    sdot v12.4s, v21.16b, v22.16b
    sdot v11.4s, v23.16b, v22.16b
    add w19, w19, w21
    cmp x7, x8
    b.ne .LBB0_9

5 rows, 640 MACs:

    add x25, x12, x8
    sub x26, x25, #4
    ld1r { v19.4s }, [x26]
    add x26, x15, x8
    sub x27, x26, #4
    ld1r { v20.4s }, [x27]
    ldp q21, q22, [x24, #-48]
    ldp q23, q24, [x24, #-16]
    add x27, x17, x8
    ld1r { v25.4s }, [x27], #4
    and v26.16b, v21.16b, v1.16b
    and v27.16b, v22.16b, v1.16b
    and v28.16b, v23.16b, v1.16b
    and v29.16b, v24.16b, v1.16b
    sdot v17.4s, v26.16b, v19.16b
    sdot v16.4s, v27.16b, v19.16b
    sdot v10.4s, v28.16b, v19.16b
    sdot v18.4s, v29.16b, v19.16b
    sdot v6.4s, v26.16b, v20.16b
    sdot v5.4s, v27.16b, v20.16b
    sdot v9.4s, v28.16b, v20.16b
    sdot v7.4s, v29.16b, v20.16b
    sdot v3.4s, v26.16b, v25.16b
    sdot v0.4s, v27.16b, v25.16b
    add x28, x4, x8
    ld1r { v19.4s }, [x28], #4
    sdot v8.4s, v28.16b, v25.16b
    sdot v4.4s, v29.16b, v25.16b
    sdot v31.4s, v26.16b, v19.16b
    sdot v15.4s, v27.16b, v19.16b
    sdot v14.4s, v28.16b, v19.16b
    add x29, x6, x8
    ld1r { v20.4s }, [x29], #4
    sdot v2.4s, v29.16b, v19.16b
    sdot v13.4s, v26.16b, v20.16b
    sdot v12.4s, v27.16b, v20.16b
    sdot v11.4s, v28.16b, v20.16b
    sdot v30.4s, v29.16b, v20.16b
    ushr v19.16b, v21.16b, #4
    ushr v20.16b, v22.16b, #4
    ushr v21.16b, v23.16b, #4
    ushr v22.16b, v24.16b, #4
    ld1r { v23.4s }, [x25]
    sdot v17.4s, v19.16b, v23.16b
    sdot v16.4s, v20.16b, v23.16b
    sdot v10.4s, v21.16b, v23.16b
    sdot v18.4s, v22.16b, v23.16b
    ld1r { v23.4s }, [x26]
    sdot v6.4s, v19.16b, v23.16b
    sdot v5.4s, v20.16b, v23.16b
    sdot v9.4s, v21.16b, v23.16b
    sdot v7.4s, v22.16b, v23.16b
    ld1r { v23.4s }, [x27]
    sdot v3.4s, v19.16b, v23.16b
    sdot v0.4s, v20.16b, v23.16b
    sdot v8.4s, v21.16b, v23.16b
    sdot v4.4s, v22.16b, v23.16b
    ld1r { v23.4s }, [x28]
    sdot v31.4s, v19.16b, v23.16b
    sdot v15.4s, v20.16b, v23.16b
    sdot v14.4s, v21.16b, v23.16b
    sdot v2.4s, v22.16b, v23.16b
    ld1r { v23.4s }, [x29]
    sdot v13.4s, v19.16b, v23.16b
    add x8, x8, #8
    sdot v12.4s, v20.16b, v23.16b
    sdot v11.4s, v21.16b, v23.16b
    add x24, x24, #128
    cmp x23, x8
    sdot v30.4s, v22.16b, v23.16b
    b.ne .LBB0_17


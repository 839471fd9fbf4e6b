1 row, 128 MACs:

    prfm pldl1keep, [x10, #4096]
    prfm pldl1keep, [x10, #4160]
    ldp q4, q5, [x10]
    ldp q6, q19, [x10, #32]
    ldp q20, q21, [x10, #64]
    ldp q22, q23, [x10, #96]
    ld1r { v24.4s }, [x12], #4
    sdot v0.4s, v4.16b, v24.16b
    sdot v1.4s, v5.16b, v24.16b
    sdot v2.4s, v6.16b, v24.16b
    sdot v3.4s, v19.16b, v24.16b
    sdot v7.4s, v20.16b, v24.16b
    sdot v16.4s, v21.16b, v24.16b
    sdot v17.4s, v22.16b, v24.16b
    sdot v18.4s, v23.16b, v24.16b
    subs x11, x11, #1
    add x10, x10, #128
    b.ne .LBB0_2

6 rows, 384 MACs:

    add x25, x3, w7, sxtw #2
    prfm pldl1keep, [x25]
    prfm pldl1keep, [x25, #64]
    add x25, x8, x0
    ld1r { v0.4s }, [x25]
    add x25, x9, x0
    ld1r { v9.4s }, [x25]
    add x25, x10, x0
    ldp q10, q11, [x24, #-32]
    ld1r { v12.4s }, [x25]
    sdot v1.4s, v10.16b, v0.16b
    sdot v2.4s, v11.16b, v0.16b
    ldp q13, q14, [x24], #128
    sdot v3.4s, v13.16b, v0.16b
    add x25, x11, x0
    sdot v4.4s, v14.16b, v0.16b
    ld1r { v0.4s }, [x25]
    sdot v5.4s, v10.16b, v9.16b
    sdot v6.4s, v11.16b, v9.16b
    sdot v7.4s, v13.16b, v9.16b
    sdot v16.4s, v14.16b, v9.16b
    sdot v17.4s, v10.16b, v12.16b
    sdot v18.4s, v11.16b, v12.16b
    sdot v19.4s, v13.16b, v12.16b
    sdot v20.4s, v14.16b, v12.16b
    sdot v21.4s, v10.16b, v0.16b
    sdot v22.4s, v11.16b, v0.16b
    sdot v23.4s, v13.16b, v0.16b
    sdot v24.4s, v14.16b, v0.16b
    add x25, x12, x0
    ld1r { v0.4s }, [x25]
    sdot v25.4s, v10.16b, v0.16b
    sdot v26.4s, v11.16b, v0.16b
    sdot v27.4s, v13.16b, v0.16b
    add x25, x13, x0
    ld1r { v9.4s }, [x25]
    sdot v28.4s, v14.16b, v0.16b
    sdot v29.4s, v10.16b, v9.16b
    sdot v30.4s, v11.16b, v9.16b
    sdot v31.4s, v13.16b, v9.16b
    sdot v8.4s, v14.16b, v9.16b
    add x0, x0, #4
    add w7, w7, w6
    cmp x23, x0
    b.ne .LBB0_5

6 rows, 384 MACs:

    add x17, x8, x15
    ld1r { v14.4s }, [x17]
    add x17, x9, x15
    ld1r { v15.4s }, [x17]
    add x17, x10, x15
    ld1r { v1.4s }, [x17]
    ldp q2, q3, [x16, #-48]
    sdot v0.4s, v2.16b, v14.16b
    sdot v13.4s, v3.16b, v14.16b
    ldp q4, q5, [x16, #-16]
    sdot v12.4s, v4.16b, v14.16b
    sdot v11.4s, v5.16b, v14.16b
    add x17, x11, x15
    sdot v10.4s, v2.16b, v15.16b
    sdot v9.4s, v3.16b, v15.16b
    sdot v8.4s, v4.16b, v15.16b
    sdot v31.4s, v5.16b, v15.16b
    ld1r { v14.4s }, [x17]
    sdot v30.4s, v2.16b, v1.16b
    sdot v29.4s, v3.16b, v1.16b
    sdot v28.4s, v4.16b, v1.16b
    sdot v27.4s, v5.16b, v1.16b
    sdot v26.4s, v2.16b, v14.16b
    sdot v25.4s, v3.16b, v14.16b
    sdot v24.4s, v4.16b, v14.16b
    add x17, x12, x15
    ld1r { v1.4s }, [x17]
    sdot v23.4s, v5.16b, v14.16b
    sdot v22.4s, v2.16b, v1.16b
    sdot v21.4s, v3.16b, v1.16b
    sdot v20.4s, v4.16b, v1.16b
    sdot v19.4s, v5.16b, v1.16b
    add x17, x13, x15
    ld1r { v1.4s }, [x17]
    sdot v18.4s, v2.16b, v1.16b
    sdot v17.4s, v3.16b, v1.16b
    sdot v16.4s, v4.16b, v1.16b
    sdot v7.4s, v5.16b, v1.16b
    add x15, x15, #4
    add x16, x16, #128
    cmp x14, x15
    b.ne .LBB0_9


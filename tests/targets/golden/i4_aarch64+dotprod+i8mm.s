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

4 rows, 512 MACs:

    add x14, x3, w17, sxtw #2
    prfm pldl1keep, [x14]
    prfm pldl1keep, [x14, #64]
    ldp q3, q4, [x26, #-32]
    and v5.16b, v3.16b, v1.16b
    ushr v3.16b, v3.16b, #4
    zip1 v6.4s, v5.4s, v3.4s
    zip2 v3.4s, v5.4s, v3.4s
    and v5.16b, v4.16b, v1.16b
    ushr v4.16b, v4.16b, #4
    ldp q7, q16, [x26], #128
    and v17.16b, v7.16b, v1.16b
    ushr v7.16b, v7.16b, #4
    zip1 v18.4s, v5.4s, v4.4s
    zip2 v4.4s, v5.4s, v4.4s
    zip1 v5.4s, v17.4s, v7.4s
    zip2 v7.4s, v17.4s, v7.4s
    ldr d17, [x30, x15]
    ldr d19, [x29, x15]
    ldr d20, [x27, x15]
    mov v17.d[1], v19.d[0]
    ldr d19, [x28, x15]
    mov v20.d[1], v19.d[0]
    smmla v0.4s, v17.16b, v6.16b
    smmla v9.4s, v20.16b, v6.16b
    smmla v2.4s, v17.16b, v3.16b
    smmla v8.4s, v20.16b, v3.16b
    smmla v13.4s, v17.16b, v18.16b
    smmla v31.4s, v20.16b, v18.16b
    smmla v12.4s, v17.16b, v4.16b
    smmla v30.4s, v20.16b, v4.16b
    and v3.16b, v16.16b, v1.16b
    ushr v4.16b, v16.16b, #4
    zip1 v6.4s, v3.4s, v4.4s
    zip2 v3.4s, v3.4s, v4.4s
    smmla v15.4s, v17.16b, v5.16b
    smmla v29.4s, v20.16b, v5.16b
    smmla v14.4s, v17.16b, v7.16b
    smmla v28.4s, v20.16b, v7.16b
    smmla v11.4s, v17.16b, v6.16b
    add x15, x15, #8
    add w17, w17, w19
    smmla v27.4s, v20.16b, v6.16b
    smmla v10.4s, v17.16b, v3.16b
    cmp x16, x15
    smmla v26.4s, v20.16b, v3.16b
    b.ne .LBB0_9

4 rows, 512 MACs:

    ldp q3, q4, [x6, #-48]
    and v5.16b, v3.16b, v1.16b
    ushr v3.16b, v3.16b, #4
    and v6.16b, v4.16b, v1.16b
    ushr v4.16b, v4.16b, #4
    zip1 v7.4s, v5.4s, v3.4s
    zip2 v3.4s, v5.4s, v3.4s
    zip1 v5.4s, v6.4s, v4.4s
    zip2 v4.4s, v6.4s, v4.4s
    ldr d6, [x9, x4]
    ldr d16, [x10, x4]
    ldr d17, [x11, x4]
    mov v6.d[1], v16.d[0]
    ldr d16, [x12, x4]
    mov v17.d[1], v16.d[0]
    smmla v0.4s, v6.16b, v7.16b
    smmla v9.4s, v17.16b, v7.16b
    ldp q7, q16, [x6, #-16]
    smmla v2.4s, v6.16b, v3.16b
    smmla v8.4s, v17.16b, v3.16b
    and v3.16b, v7.16b, v1.16b
    ushr v7.16b, v7.16b, #4
    smmla v18.4s, v6.16b, v5.16b
    smmla v31.4s, v17.16b, v5.16b
    zip1 v5.4s, v3.4s, v7.4s
    smmla v14.4s, v6.16b, v4.16b
    smmla v30.4s, v17.16b, v4.16b
    smmla v13.4s, v6.16b, v5.16b
    zip2 v3.4s, v3.4s, v7.4s
    smmla v29.4s, v17.16b, v5.16b
    and v4.16b, v16.16b, v1.16b
    ushr v5.16b, v16.16b, #4
    zip1 v7.4s, v4.4s, v5.4s
    smmla v12.4s, v6.16b, v3.16b
    smmla v28.4s, v17.16b, v3.16b
    smmla v11.4s, v6.16b, v7.16b
    zip2 v3.4s, v4.4s, v5.4s
    add x4, x4, #8
    smmla v27.4s, v17.16b, v7.16b
    smmla v10.4s, v6.16b, v3.16b
    add x6, x6, #128
    cmp x7, x4
    smmla v26.4s, v17.16b, v3.16b
    b.ne .LBB0_16


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

4 rows, 512 MACs:

    add x22, x3, w20, sxtw #2
    prfm pldl1keep, [x22]
    prfm pldl1keep, [x22, #64]
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
    ldr d17, [x30, x6]
    ldr d19, [x29, x6]
    ldr d20, [x27, x6]
    mov v17.d[1], v19.d[0]
    ldr d19, [x28, x6]
    mov v20.d[1], v19.d[0]
    smmla v0.4s, v17.16b, v6.16b
    smmla v9.4s, v20.16b, v6.16b
    smmla v2.4s, v17.16b, v3.16b
    smmla v8.4s, v20.16b, v3.16b
    smmla v15.4s, v17.16b, v18.16b
    smmla v31.4s, v20.16b, v18.16b
    smmla v14.4s, v17.16b, v4.16b
    smmla v30.4s, v20.16b, v4.16b
    and v3.16b, v16.16b, v1.16b
    ushr v4.16b, v16.16b, #4
    zip1 v6.4s, v3.4s, v4.4s
    zip2 v3.4s, v3.4s, v4.4s
    smmla v13.4s, v17.16b, v5.16b
    smmla v29.4s, v20.16b, v5.16b
    smmla v12.4s, v17.16b, v7.16b
    smmla v28.4s, v20.16b, v7.16b
    smmla v11.4s, v17.16b, v6.16b
    add x6, x6, #8
    add w20, w20, w19
    smmla v27.4s, v20.16b, v6.16b
    smmla v10.4s, v17.16b, v3.16b
    cmp x7, x6
    smmla v26.4s, v20.16b, v3.16b
    b.ne .LBB0_9

4 rows, 512 MACs:

    ldp q3, q4, [x4, #-48]
    and v5.16b, v3.16b, v1.16b
    ushr v3.16b, v3.16b, #4
    and v6.16b, v4.16b, v1.16b
    ushr v4.16b, v4.16b, #4
    zip1 v7.4s, v5.4s, v3.4s
    zip2 v3.4s, v5.4s, v3.4s
    zip1 v5.4s, v6.4s, v4.4s
    zip2 v4.4s, v6.4s, v4.4s
    ldr d6, [x9, x8]
    ldr d16, [x10, x8]
    ldr d17, [x11, x8]
    mov v6.d[1], v16.d[0]
    ldr d16, [x12, x8]
    mov v17.d[1], v16.d[0]
    smmla v0.4s, v6.16b, v7.16b
    smmla v9.4s, v17.16b, v7.16b
    ldp q7, q16, [x4, #-16]
    smmla v2.4s, v6.16b, v3.16b
    smmla v8.4s, v17.16b, v3.16b
    and v3.16b, v7.16b, v1.16b
    ushr v7.16b, v7.16b, #4
    smmla v15.4s, v6.16b, v5.16b
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
    add x8, x8, #8
    smmla v27.4s, v17.16b, v7.16b
    smmla v10.4s, v6.16b, v3.16b
    add x4, x4, #128
    cmp x6, x8
    smmla v26.4s, v17.16b, v3.16b
    b.ne .LBB0_16


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

4 rows, 512 MACs:

    add x4, x3, w6, sxtw #2
    prfm pldl1keep, [x4]
    prfm pldl1keep, [x4, #64]
    add w4, w7, w6
    add x4, x3, w4, sxtw #2
    prfm pldl1keep, [x4]
    prfm pldl1keep, [x4, #64]
    ldr d24, [x30], #8
    ldp q25, q26, [x26, #-128]
    ldp q27, q28, [x26]
    zip1 v29.4s, v25.4s, v27.4s
    zip2 v25.4s, v25.4s, v27.4s
    zip1 v27.4s, v26.4s, v28.4s
    ldr d30, [x29], #8
    mov v24.d[1], v30.d[0]
    ldr d30, [x28], #8
    zip2 v26.4s, v26.4s, v28.4s
    ldr d28, [x27], #8
    mov v30.d[1], v28.d[0]
    smmla v18.4s, v24.16b, v29.16b
    smmla v16.4s, v30.16b, v29.16b
    smmla v20.4s, v24.16b, v25.16b
    smmla v2.4s, v30.16b, v25.16b
    ldp q25, q28, [x26, #-96]
    ldp q29, q31, [x26, #32]
    zip1 v8.4s, v25.4s, v29.4s
    smmla v22.4s, v24.16b, v27.16b
    smmla v17.4s, v30.16b, v27.16b
    smmla v19.4s, v24.16b, v26.16b
    smmla v3.4s, v30.16b, v26.16b
    smmla v23.4s, v24.16b, v8.16b
    smmla v7.4s, v30.16b, v8.16b
    zip2 v25.4s, v25.4s, v29.4s
    zip1 v26.4s, v28.4s, v31.4s
    smmla v6.4s, v24.16b, v25.16b
    smmla v1.4s, v30.16b, v25.16b
    smmla v21.4s, v24.16b, v26.16b
    zip2 v25.4s, v28.4s, v31.4s
    smmla v5.4s, v30.16b, v26.16b
    smmla v4.4s, v24.16b, v25.16b
    subs x24, x24, #1
    smmla v0.4s, v30.16b, v25.16b
    add w6, w6, w25
    add x26, x26, #256
    b.ne .LBB0_5

4 rows, 512 MACs:

    ldr d28, [x13], #8
    ldp q29, q30, [x18, #-128]
    ldp q31, q8, [x18]
    zip1 v9.4s, v29.4s, v31.4s
    zip2 v29.4s, v29.4s, v31.4s
    ldr d31, [x14], #8
    zip1 v10.4s, v30.4s, v8.4s
    mov v28.d[1], v31.d[0]
    zip2 v30.4s, v30.4s, v8.4s
    ldr d31, [x15], #8
    ldr d8, [x16], #8
    mov v31.d[1], v8.d[0]
    ldp q8, q11, [x18, #-96]
    smmla v20.4s, v28.16b, v9.16b
    smmla v7.4s, v31.16b, v9.16b
    smmla v23.4s, v28.16b, v29.16b
    smmla v6.4s, v31.16b, v29.16b
    smmla v22.4s, v28.16b, v10.16b
    smmla v5.4s, v31.16b, v10.16b
    ldp q29, q9, [x18, #32]
    zip1 v10.4s, v8.4s, v29.4s
    zip2 v29.4s, v8.4s, v29.4s
    smmla v21.4s, v28.16b, v30.16b
    smmla v4.4s, v31.16b, v30.16b
    smmla v19.4s, v28.16b, v10.16b
    smmla v3.4s, v31.16b, v10.16b
    smmla v18.4s, v28.16b, v29.16b
    smmla v2.4s, v31.16b, v29.16b
    zip1 v29.4s, v11.4s, v9.4s
    zip2 v30.4s, v11.4s, v9.4s
    smmla v17.4s, v28.16b, v29.16b
    smmla v1.4s, v31.16b, v29.16b
    smmla v16.4s, v28.16b, v30.16b
    subs x17, x17, #1
    add x18, x18, #256
    smmla v0.4s, v31.16b, v30.16b
    b.ne .LBB0_10


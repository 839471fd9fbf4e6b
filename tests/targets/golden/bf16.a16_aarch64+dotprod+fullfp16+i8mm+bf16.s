1 row, 64 MACs:

    prfm pldl1keep, [x10]
    prfm pldl1keep, [x11]
    ld1r { v16.4s }, [x9], #4
    ldp q17, q18, [x12, #-32]
    bfdot v0.4s, v16.8h, v17.8h
    bfdot v4.4s, v16.8h, v18.8h
    ldp q17, q18, [x12], #64
    bfdot v3.4s, v16.8h, v17.8h
    bfdot v2.4s, v16.8h, v18.8h
    ldp q17, q18, [x13, #-32]
    bfdot v1.4s, v16.8h, v17.8h
    bfdot v7.4s, v16.8h, v18.8h
    ldp q17, q18, [x13], #64
    bfdot v6.4s, v16.8h, v17.8h
    subs x8, x8, #1
    add x10, x10, #64
    add x11, x11, #64
    bfdot v5.4s, v16.8h, v18.8h
    b.ne .LBB0_2

4 rows, 256 MACs:

    prfm pldl1keep, [x17]
    prfm pldl1keep, [x17, x3]
    ldr d25, [x8, x16]
    ldr d27, [x9, x16]
    ldr d26, [x10, x16]
    ldr d28, [x11, x16]
    mov v25.d[1], v27.d[0]
    mov v26.d[1], v28.d[0]
    ldp q27, q28, [x4, #-64]
    ldp q29, q30, [x4]
    zip1 v31.4s, v27.4s, v29.4s
    zip2 v27.4s, v27.4s, v29.4s
    bfmmla v18.4s, v25.8h, v31.8h
    bfmmla v6.4s, v26.8h, v31.8h
    bfmmla v24.4s, v25.8h, v27.8h
    zip1 v29.4s, v28.4s, v30.4s
    zip2 v28.4s, v28.4s, v30.4s
    ldp q30, q31, [x4, #-32]
    bfmmla v5.4s, v26.8h, v27.8h
    bfmmla v23.4s, v25.8h, v29.8h
    bfmmla v16.4s, v26.8h, v29.8h
    bfmmla v21.4s, v25.8h, v28.8h
    bfmmla v7.4s, v26.8h, v28.8h
    ldp q27, q28, [x4, #32]
    zip1 v29.4s, v30.4s, v27.4s
    zip2 v27.4s, v30.4s, v27.4s
    bfmmla v22.4s, v25.8h, v29.8h
    bfmmla v4.4s, v26.8h, v29.8h
    bfmmla v20.4s, v25.8h, v27.8h
    zip1 v29.4s, v31.4s, v28.4s
    bfmmla v3.4s, v26.8h, v27.8h
    bfmmla v19.4s, v25.8h, v29.8h
    bfmmla v2.4s, v26.8h, v29.8h
    zip2 v27.4s, v31.4s, v28.4s
    bfmmla v17.4s, v25.8h, v27.8h
    bfmmla v1.4s, v26.8h, v27.8h
    add x16, x16, #8
    add x17, x17, x0
    add x4, x4, #128
    cmp x18, x16
    b.ne .LBB0_5

4 rows, 256 MACs:

    prfm pldl1keep, [x14]
    prfm pldl1keep, [x14, x13]
    ldr d24, [x8, x16]
    ldr d26, [x9, x16]
    ldr d25, [x10, x16]
    ldr d27, [x11, x16]
    add x18, x1, w12, sxtw #2
    mov v24.d[1], v26.d[0]
    mov v25.d[1], v27.d[0]
    ldp q26, q27, [x18]
    ldp q28, q29, [x18, #64]
    zip1 v30.4s, v26.4s, v28.4s
    zip2 v26.4s, v26.4s, v28.4s
    bfmmla v0.4s, v24.8h, v30.8h
    bfmmla v16.4s, v25.8h, v30.8h
    bfmmla v23.4s, v24.8h, v26.8h
    zip1 v28.4s, v27.4s, v29.4s
    zip2 v27.4s, v27.4s, v29.4s
    ldp q29, q30, [x18, #32]
    bfmmla v7.4s, v25.8h, v26.8h
    bfmmla v22.4s, v24.8h, v28.8h
    bfmmla v6.4s, v25.8h, v28.8h
    bfmmla v21.4s, v24.8h, v27.8h
    bfmmla v5.4s, v25.8h, v27.8h
    ldp q26, q27, [x18, #96]
    zip1 v28.4s, v29.4s, v26.4s
    zip2 v26.4s, v29.4s, v26.4s
    bfmmla v20.4s, v24.8h, v28.8h
    bfmmla v4.4s, v25.8h, v28.8h
    bfmmla v19.4s, v24.8h, v26.8h
    zip1 v28.4s, v30.4s, v27.4s
    bfmmla v3.4s, v25.8h, v26.8h
    bfmmla v18.4s, v24.8h, v28.8h
    bfmmla v2.4s, v25.8h, v28.8h
    zip2 v26.4s, v30.4s, v27.4s
    bfmmla v17.4s, v24.8h, v26.8h
    bfmmla v1.4s, v25.8h, v26.8h
    add x16, x16, #8
    add w12, w12, #32
    add x14, x14, x17
    cmp x15, x16
    b.ne .LBB0_8


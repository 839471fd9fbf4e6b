1 row, 1056 MACs:

    stp q19, q18, [sp, #80]
    stp q16, q4, [sp, #32]
    stp q5, q0, [sp, #112]
    str q3, [sp, #64]
    str q17, [sp, #144]
    cmp w8, #5
    csel w5, w11, w10, lt
    add w5, w5, w9
    sbfiz x5, x5, #2, #32
    add x19, x3, x5
    prfm pldl1keep, [x19]
    add x6, x0, w1, sxtw #2
    add x7, x6, #8
    prfm pldl1keep, [x19, #64]
    add x20, x6, #12
    ldp q29, q27, [x2]
    add x21, x6, #16
    ldp q26, q30, [x2, #32]
    add x22, x6, #20
    mov x23, x6
    ldp q11, q9, [x2, #64]
    ldp q2, q1, [x2, #96]
    ld1r { v12.4s }, [x23], #4
    add x19, x6, #24
    ld1r { v14.4s }, [x23]
    add x6, x6, #28
    add x23, x13, x5
    prfm pldl1keep, [x23]
    prfm pldl1keep, [x23, #64]
    ld1r { v15.4s }, [x7]
    add x7, x18, x5
    ld1r { v13.4s }, [x20]
    ldp q7, q16, [x2, #128]
    ldp q5, q6, [x2, #160]
    ldp q8, q4, [x2, #192]
    ldp q0, q10, [x2, #224]
    str q0, [sp, #16]
    prfm pldl1keep, [x7]
    prfm pldl1keep, [x7, #64]
    ld1r { v31.4s }, [x21]
    ld1r { v28.4s }, [x22]
    movi v0.16b, #15
    and v17.16b, v29.16b, v0.16b
    movi v18.2d, #0000000000000000
    and v20.16b, v27.16b, v0.16b
    sdot v18.4s, v17.16b, v12.16b
    movi v19.2d, #0000000000000000
    and v17.16b, v26.16b, v0.16b
    sdot v19.4s, v20.16b, v12.16b
    movi v20.2d, #0000000000000000
    and v21.16b, v30.16b, v0.16b
    sdot v20.4s, v17.16b, v12.16b
    movi v22.2d, #0000000000000000
    and v17.16b, v11.16b, v0.16b
    sdot v22.4s, v21.16b, v12.16b
    movi v23.2d, #0000000000000000
    and v21.16b, v9.16b, v0.16b
    sdot v23.4s, v17.16b, v12.16b
    movi v24.2d, #0000000000000000
    and v17.16b, v2.16b, v0.16b
    sdot v24.4s, v21.16b, v12.16b
    movi v25.2d, #0000000000000000
    movi v21.2d, #0000000000000000
    and v3.16b, v1.16b, v0.16b
    ushr v29.16b, v29.16b, #4
    ushr v27.16b, v27.16b, #4
    ushr v26.16b, v26.16b, #4
    ushr v30.16b, v30.16b, #4
    ushr v11.16b, v11.16b, #4
    sdot v25.4s, v17.16b, v12.16b
    ushr v17.16b, v9.16b, #4
    ushr v9.16b, v2.16b, #4
    sdot v21.4s, v3.16b, v12.16b
    ushr v1.16b, v1.16b, #4
    sdot v18.4s, v29.16b, v14.16b
    sdot v19.4s, v27.16b, v14.16b
    sdot v20.4s, v26.16b, v14.16b
    sdot v22.4s, v30.16b, v14.16b
    sdot v23.4s, v11.16b, v14.16b
    sdot v24.4s, v17.16b, v14.16b
    sdot v25.4s, v9.16b, v14.16b
    sdot v21.4s, v1.16b, v14.16b
    and v1.16b, v7.16b, v0.16b
    and v17.16b, v16.16b, v0.16b
    sdot v18.4s, v1.16b, v15.16b
    and v1.16b, v5.16b, v0.16b
    and v26.16b, v6.16b, v0.16b
    sdot v19.4s, v17.16b, v15.16b
    and v17.16b, v8.16b, v0.16b
    and v27.16b, v4.16b, v0.16b
    sdot v20.4s, v1.16b, v15.16b
    ldr q2, [sp, #16]
    and v1.16b, v2.16b, v0.16b
    and v29.16b, v10.16b, v0.16b
    sdot v22.4s, v26.16b, v15.16b
    ushr v7.16b, v7.16b, #4
    ushr v16.16b, v16.16b, #4
    sdot v23.4s, v17.16b, v15.16b
    ushr v17.16b, v5.16b, #4
    ushr v6.16b, v6.16b, #4
    sdot v24.4s, v27.16b, v15.16b
    ushr v3.16b, v8.16b, #4
    ushr v4.16b, v4.16b, #4
    sdot v25.4s, v1.16b, v15.16b
    ushr v9.16b, v2.16b, #4
    ushr v1.16b, v10.16b, #4
    sdot v21.4s, v29.16b, v15.16b
    ldp q14, q15, [x2, #256]
    sdot v18.4s, v7.16b, v13.16b
    and v26.16b, v14.16b, v0.16b
    and v27.16b, v15.16b, v0.16b
    sdot v19.4s, v16.16b, v13.16b
    ldp q5, q2, [x2, #288]
    sdot v20.4s, v17.16b, v13.16b
    and v17.16b, v5.16b, v0.16b
    and v29.16b, v2.16b, v0.16b
    sdot v22.4s, v6.16b, v13.16b
    ldp q7, q6, [x2, #320]
    sdot v23.4s, v3.16b, v13.16b
    and v30.16b, v7.16b, v0.16b
    and v8.16b, v6.16b, v0.16b
    sdot v24.4s, v4.16b, v13.16b
    ldp q16, q4, [x2, #352]
    sdot v25.4s, v9.16b, v13.16b
    and v10.16b, v16.16b, v0.16b
    add x5, x17, x5
    sdot v21.4s, v1.16b, v13.16b
    prfm pldl1keep, [x5]
    prfm pldl1keep, [x5, #64]
    sdot v18.4s, v26.16b, v31.16b
    ld1r { v9.4s }, [x19]
    sdot v19.4s, v27.16b, v31.16b
    ld1r { v27.4s }, [x6]
    sdot v20.4s, v17.16b, v31.16b
    and v26.16b, v4.16b, v0.16b
    ldp q3, q13, [x2, #384]
    sdot v22.4s, v29.16b, v31.16b
    ldp q1, q17, [x2, #416]
    str q1, [sp]
    sdot v23.4s, v30.16b, v31.16b
    ldp q11, q29, [x2, #448]
    sdot v24.4s, v8.16b, v31.16b
    ldp q12, q1, [x2, #480]
    sdot v25.4s, v10.16b, v31.16b
    sdot v21.4s, v26.16b, v31.16b
    ldp q8, q31, [x2, #512]
    ldp q30, q26, [x2, #544]
    str q26, [sp, #16]
    ld1r { v26.4s }, [x16], #4
    ushr v10.16b, v14.16b, #4
    ushr v14.16b, v15.16b, #4
    sdot v18.4s, v10.16b, v28.16b
    sdot v19.4s, v14.16b, v28.16b
    ushr v5.16b, v5.16b, #4
    sdot v20.4s, v5.16b, v28.16b
    ushr v2.16b, v2.16b, #4
    ushr v5.16b, v7.16b, #4
    sdot v22.4s, v2.16b, v28.16b
    sdot v23.4s, v5.16b, v28.16b
    ushr v2.16b, v6.16b, #4
    sdot v24.4s, v2.16b, v28.16b
    ushr v2.16b, v16.16b, #4
    ushr v4.16b, v4.16b, #4
    sdot v25.4s, v2.16b, v28.16b
    sdot v21.4s, v4.16b, v28.16b
    and v2.16b, v3.16b, v0.16b
    sdot v18.4s, v2.16b, v9.16b
    and v2.16b, v13.16b, v0.16b
    ldr q5, [sp]
    and v4.16b, v5.16b, v0.16b
    sdot v19.4s, v2.16b, v9.16b
    sdot v20.4s, v4.16b, v9.16b
    and v2.16b, v17.16b, v0.16b
    sdot v22.4s, v2.16b, v9.16b
    and v2.16b, v11.16b, v0.16b
    and v4.16b, v29.16b, v0.16b
    sdot v23.4s, v2.16b, v9.16b
    sdot v24.4s, v4.16b, v9.16b
    and v2.16b, v12.16b, v0.16b
    sdot v25.4s, v2.16b, v9.16b
    and v2.16b, v1.16b, v0.16b
    ushr v3.16b, v3.16b, #4
    sdot v21.4s, v2.16b, v9.16b
    sdot v18.4s, v3.16b, v27.16b
    ushr v2.16b, v13.16b, #4
    sdot v19.4s, v2.16b, v27.16b
    ushr v2.16b, v5.16b, #4
    ushr v3.16b, v17.16b, #4
    sdot v20.4s, v2.16b, v27.16b
    ushr v2.16b, v11.16b, #4
    ushr v0.16b, v29.16b, #4
    sdot v22.4s, v3.16b, v27.16b
    ushr v3.16b, v12.16b, #4
    ushr v1.16b, v1.16b, #4
    sdot v23.4s, v2.16b, v27.16b
    ldr w5, [x15], #4
    sdot v24.4s, v0.16b, v27.16b
    sdot v25.4s, v3.16b, v27.16b
    lsl w5, w5, #3
    sdot v21.4s, v1.16b, v27.16b
    dup v0.4s, w5
    shl v1.4s, v8.4s, #16
    shl v2.4s, v31.4s, #16
    fmul v1.4s, v26.4s, v1.4s
    shl v3.4s, v30.4s, #16
    fmul v2.4s, v26.4s, v2.4s
    ldr q17, [sp, #16]
    shl v4.4s, v17.4s, #16
    fmul v3.4s, v26.4s, v3.4s
    movi v16.2d, #0xffff0000ffff0000
    and v5.16b, v8.16b, v16.16b
    fmul v4.4s, v26.4s, v4.4s
    and v6.16b, v31.16b, v16.16b
    fmul v5.4s, v26.4s, v5.4s
    and v7.16b, v30.16b, v16.16b
    fmul v6.4s, v26.4s, v6.4s
    and v16.16b, v17.16b, v16.16b
    fmul v7.4s, v26.4s, v7.4s
    sub v17.4s, v18.4s, v0.4s
    scvtf v17.4s, v17.4s
    sub v18.4s, v19.4s, v0.4s
    scvtf v18.4s, v18.4s
    sub v19.4s, v20.4s, v0.4s
    scvtf v19.4s, v19.4s
    sub v20.4s, v22.4s, v0.4s
    scvtf v20.4s, v20.4s
    sub v22.4s, v23.4s, v0.4s
    scvtf v22.4s, v22.4s
    sub v23.4s, v24.4s, v0.4s
    scvtf v23.4s, v23.4s
    sub v24.4s, v25.4s, v0.4s
    scvtf v24.4s, v24.4s
    ldr q25, [sp, #144]
    fmla v25.4s, v1.4s, v17.4s
    str q25, [sp, #144]
    ldr q17, [sp, #144]
    sub v0.4s, v21.4s, v0.4s
    ldr q1, [sp, #96]
    fmla v1.4s, v2.4s, v18.4s
    str q1, [sp, #96]
    ldp q1, q18, [sp, #80]
    scvtf v0.4s, v0.4s
    fmla v1.4s, v3.4s, v19.4s
    str q1, [sp, #80]
    ldp q3, q19, [sp, #64]
    fmul v1.4s, v26.4s, v16.4s
    ldr q16, [sp, #32]
    fmla v16.4s, v4.4s, v20.4s
    ldr q4, [sp, #48]
    ldr q2, [sp, #112]
    fmla v2.4s, v5.4s, v22.4s
    str q2, [sp, #112]
    ldp q5, q2, [sp, #112]
    add x11, x11, #144
    fmla v4.4s, v6.4s, v23.4s
    add w10, w10, w12
    add w1, w1, #8
    fmla v3.4s, v7.4s, v24.4s
    cmp x14, x11
    fmla v2.4s, v1.4s, v0.4s
    str q2, [sp, #128]
    ldr q0, [sp, #128]
    add x2, x2, #576
    b.ne .LBB0_5

4 rows, 2112 MACs:

    stp q24, q16, [sp, #128]
    stp q0, q3, [sp, #272]
    stp q7, q21, [sp, #160]
    stp q22, q20, [sp, #192]
    stp q17, q18, [sp, #304]
    str q19, [sp, #224]
    movi v27.2d, #0000000000000000
    cmp w18, #5
    csel w16, w0, w7, lt
    add w16, w16, w6
    sbfiz x16, x16, #2, #32
    add x17, x3, x16
    prfm pldl1keep, [x17]
    prfm pldl1keep, [x17, #64]
    ldur d5, [x12, #-16]
    ldur d0, [x14, #-16]
    ldur d3, [x15, #-16]
    mov v5.d[1], v0.d[0]
    ldur d0, [x13, #-16]
    mov v3.d[1], v0.d[0]
    ldp q0, q2, [x11]
    movi v24.16b, #15
    and v4.16b, v0.16b, v24.16b
    movi v26.2d, #0000000000000000
    movi v29.2d, #0000000000000000
    ushr v0.16b, v0.16b, #4
    movi v28.2d, #0000000000000000
    and v6.16b, v2.16b, v24.16b
    ushr v2.16b, v2.16b, #4
    ldp q7, q16, [x11, #32]
    and v17.16b, v7.16b, v24.16b
    ushr v7.16b, v7.16b, #4
    and v18.16b, v16.16b, v24.16b
    ushr v30.16b, v16.16b, #4
    zip1 v31.4s, v4.4s, v0.4s
    zip2 v4.4s, v4.4s, v0.4s
    zip1 v11.4s, v6.4s, v2.4s
    zip2 v19.4s, v6.4s, v2.4s
    zip1 v20.4s, v17.4s, v7.4s
    zip2 v17.4s, v17.4s, v7.4s
    zip1 v16.4s, v18.4s, v30.4s
    zip2 v7.4s, v18.4s, v30.4s
    movi v12.2d, #0000000000000000
    movi v30.2d, #0000000000000000
    smmla v27.4s, v5.16b, v31.16b
    movi v15.2d, #0000000000000000
    movi v9.2d, #0000000000000000
    smmla v26.4s, v3.16b, v31.16b
    movi v13.2d, #0000000000000000
    movi v31.2d, #0000000000000000
    smmla v29.4s, v5.16b, v4.16b
    movi v0.2d, #0000000000000000
    movi v10.2d, #0000000000000000
    smmla v28.4s, v3.16b, v4.16b
    movi v14.2d, #0000000000000000
    movi v8.2d, #0000000000000000
    smmla v12.4s, v5.16b, v11.16b
    movi v2.2d, #0000000000000000
    add x17, x20, x16
    smmla v30.4s, v3.16b, v11.16b
    prfm pldl1keep, [x17]
    prfm pldl1keep, [x17, #64]
    smmla v15.4s, v5.16b, v19.16b
    ldur d6, [x12, #-8]
    ldur d4, [x14, #-8]
    smmla v9.4s, v3.16b, v19.16b
    mov v6.d[1], v4.d[0]
    smmla v13.4s, v5.16b, v20.16b
    ldur d4, [x15, #-8]
    ldur d18, [x13, #-8]
    smmla v31.4s, v3.16b, v20.16b
    mov v4.d[1], v18.d[0]
    smmla v0.4s, v5.16b, v17.16b
    movi v11.2d, #0000000000000000
    smmla v10.4s, v3.16b, v17.16b
    ldp q18, q17, [x11, #128]
    and v19.16b, v18.16b, v24.16b
    smmla v14.4s, v5.16b, v16.16b
    ushr v18.16b, v18.16b, #4
    and v20.16b, v17.16b, v24.16b
    smmla v8.4s, v3.16b, v16.16b
    ushr v16.16b, v17.16b, #4
    smmla v2.4s, v5.16b, v7.16b
    ldp q17, q5, [x11, #160]
    and v21.16b, v17.16b, v24.16b
    smmla v11.4s, v3.16b, v7.16b
    ushr v3.16b, v17.16b, #4
    and v7.16b, v5.16b, v24.16b
    ushr v5.16b, v5.16b, #4
    zip1 v17.4s, v19.4s, v18.4s
    zip2 v18.4s, v19.4s, v18.4s
    zip1 v19.4s, v20.4s, v16.4s
    zip2 v16.4s, v20.4s, v16.4s
    zip1 v20.4s, v21.4s, v3.4s
    zip2 v21.4s, v21.4s, v3.4s
    zip1 v22.4s, v7.4s, v5.4s
    zip2 v3.4s, v7.4s, v5.4s
    smmla v27.4s, v6.16b, v17.16b
    smmla v26.4s, v4.16b, v17.16b
    smmla v29.4s, v6.16b, v18.16b
    smmla v28.4s, v4.16b, v18.16b
    add x17, x21, x16
    smmla v12.4s, v6.16b, v19.16b
    prfm pldl1keep, [x17]
    prfm pldl1keep, [x17, #64]
    smmla v30.4s, v4.16b, v19.16b
    ldr d7, [x12]
    ldr d5, [x14]
    smmla v15.4s, v6.16b, v16.16b
    mov v7.d[1], v5.d[0]
    smmla v9.4s, v4.16b, v16.16b
    ldr d5, [x15]
    ldr d16, [x13]
    smmla v13.4s, v6.16b, v20.16b
    mov v5.d[1], v16.d[0]
    smmla v31.4s, v4.16b, v20.16b
    smmla v0.4s, v6.16b, v21.16b
    ldp q16, q17, [x11, #256]
    smmla v10.4s, v4.16b, v21.16b
    and v18.16b, v16.16b, v24.16b
    smmla v14.4s, v6.16b, v22.16b
    ushr v16.16b, v16.16b, #4
    and v19.16b, v17.16b, v24.16b
    smmla v8.4s, v4.16b, v22.16b
    ushr v17.16b, v17.16b, #4
    smmla v2.4s, v6.16b, v3.16b
    ldp q20, q6, [x11, #288]
    and v21.16b, v20.16b, v24.16b
    smmla v11.4s, v4.16b, v3.16b
    ushr v3.16b, v20.16b, #4
    and v4.16b, v6.16b, v24.16b
    ushr v6.16b, v6.16b, #4
    zip1 v20.4s, v18.4s, v16.4s
    zip2 v16.4s, v18.4s, v16.4s
    zip1 v18.4s, v19.4s, v17.4s
    zip2 v17.4s, v19.4s, v17.4s
    zip1 v19.4s, v21.4s, v3.4s
    zip2 v21.4s, v21.4s, v3.4s
    zip1 v22.4s, v4.4s, v6.4s
    zip2 v6.4s, v4.4s, v6.4s
    smmla v27.4s, v7.16b, v20.16b
    smmla v26.4s, v5.16b, v20.16b
    smmla v29.4s, v7.16b, v16.16b
    smmla v28.4s, v5.16b, v16.16b
    add x16, x23, x16
    smmla v12.4s, v7.16b, v18.16b
    prfm pldl1keep, [x16]
    prfm pldl1keep, [x16, #64]
    smmla v30.4s, v5.16b, v18.16b
    ldr d3, [x12, #8]
    ldr d4, [x14, #8]
    smmla v15.4s, v7.16b, v17.16b
    mov v3.d[1], v4.d[0]
    smmla v9.4s, v5.16b, v17.16b
    ldr d4, [x15, #8]
    ldr d16, [x13, #8]
    smmla v13.4s, v7.16b, v19.16b
    mov v4.d[1], v16.d[0]
    smmla v31.4s, v5.16b, v19.16b
    smmla v0.4s, v7.16b, v21.16b
    ldp q16, q17, [x11, #384]
    smmla v10.4s, v5.16b, v21.16b
    and v18.16b, v16.16b, v24.16b
    smmla v14.4s, v7.16b, v22.16b
    ushr v16.16b, v16.16b, #4
    and v19.16b, v17.16b, v24.16b
    smmla v8.4s, v5.16b, v22.16b
    ushr v17.16b, v17.16b, #4
    smmla v2.4s, v7.16b, v6.16b
    ldp q20, q7, [x11, #416]
    and v21.16b, v20.16b, v24.16b
    smmla v11.4s, v5.16b, v6.16b
    ushr v5.16b, v20.16b, #4
    and v6.16b, v7.16b, v24.16b
    ushr v7.16b, v7.16b, #4
    zip1 v20.4s, v18.4s, v16.4s
    zip2 v16.4s, v18.4s, v16.4s
    zip1 v22.4s, v19.4s, v17.4s
    zip2 v19.4s, v19.4s, v17.4s
    mov v24.16b, v25.16b
    mov v25.16b, v1.16b
    mov v1.16b, v23.16b
    zip1 v23.4s, v21.4s, v5.4s
    zip2 v5.4s, v21.4s, v5.4s
    zip1 v17.4s, v6.4s, v7.4s
    zip2 v18.4s, v6.4s, v7.4s
    smmla v27.4s, v3.16b, v20.16b
    smmla v26.4s, v4.16b, v20.16b
    smmla v29.4s, v3.16b, v16.16b
    smmla v28.4s, v4.16b, v16.16b
    smmla v12.4s, v3.16b, v22.16b
    smmla v30.4s, v4.16b, v22.16b
    ldp q21, q22, [sp, #176]
    smmla v15.4s, v3.16b, v19.16b
    smmla v9.4s, v4.16b, v19.16b
    smmla v13.4s, v3.16b, v23.16b
    smmla v31.4s, v4.16b, v23.16b
    mov v23.16b, v1.16b
    mov v1.16b, v25.16b
    mov v25.16b, v24.16b
    ldr q24, [sp, #128]
    ldp q6, q16, [x11, #512]
    smmla v0.4s, v3.16b, v5.16b
    shl v7.4s, v6.4s, #16
    smmla v10.4s, v4.16b, v5.16b
    ldp q5, q19, [x11, #544]
    shl v16.4s, v16.4s, #16
    shl v6.4s, v5.4s, #16
    shl v5.4s, v19.4s, #16
    ldr q19, [sp, #224]
    smmla v14.4s, v3.16b, v17.16b
    ldr w16, [x29, x19]
    smmla v8.4s, v4.16b, v17.16b
    ldr s17, [x30, x19]
    lsl w16, w16, #3
    smmla v2.4s, v3.16b, v18.16b
    dup v3.4s, w16
    smmla v11.4s, v4.16b, v18.16b
    zip2 v4.2d, v27.2d, v29.2d
    sub v4.4s, v4.4s, v3.4s
    scvtf v4.4s, v4.4s
    fmul v18.4s, v7.4s, v17.s[0]
    fmla v21.4s, v18.4s, v4.4s
    zip2 v4.2d, v12.2d, v15.2d
    sub v4.4s, v4.4s, v3.4s
    scvtf v4.4s, v4.4s
    fmul v18.4s, v16.4s, v17.s[0]
    fmla v22.4s, v18.4s, v4.4s
    zip2 v4.2d, v13.2d, v0.2d
    sub v4.4s, v4.4s, v3.4s
    scvtf v4.4s, v4.4s
    fmul v18.4s, v6.4s, v17.s[0]
    fmla v23.4s, v18.4s, v4.4s
    ldr s4, [x26, x19]
    fmul v17.4s, v5.4s, v17.s[0]
    zip2 v18.2d, v14.2d, v2.2d
    ldr w16, [x25, x19]
    sub v3.4s, v18.4s, v3.4s
    lsl w16, w16, #3
    scvtf v3.4s, v3.4s
    dup v18.4s, w16
    fmla v1.4s, v17.4s, v3.4s
    zip2 v3.2d, v26.2d, v28.2d
    sub v3.4s, v3.4s, v18.4s
    scvtf v3.4s, v3.4s
    fmul v17.4s, v7.4s, v4.s[0]
    fmla v25.4s, v17.4s, v3.4s
    zip2 v3.2d, v30.2d, v9.2d
    sub v3.4s, v3.4s, v18.4s
    scvtf v3.4s, v3.4s
    fmul v17.4s, v16.4s, v4.s[0]
    fmla v24.4s, v17.4s, v3.4s
    zip2 v3.2d, v31.2d, v10.2d
    sub v3.4s, v3.4s, v18.4s
    scvtf v3.4s, v3.4s
    fmul v17.4s, v6.4s, v4.s[0]
    ldr q20, [sp, #256]
    fmla v20.4s, v17.4s, v3.4s
    zip2 v3.2d, v8.2d, v11.2d
    sub v3.4s, v3.4s, v18.4s
    ldr w16, [x4, x19]
    lsl w16, w16, #3
    scvtf v3.4s, v3.4s
    fmul v4.4s, v5.4s, v4.s[0]
    ldr q17, [sp, #240]
    fmla v17.4s, v4.4s, v3.4s
    stp q17, q20, [sp, #240]
    dup v3.4s, w16
    ldr s4, [x9, x19]
    mov v27.d[1], v29.d[0]
    sub v17.4s, v27.4s, v3.4s
    scvtf v17.4s, v17.4s
    fmul v18.4s, v7.4s, v4.s[0]
    fmla v19.4s, v18.4s, v17.4s
    mov v12.d[1], v15.d[0]
    sub v17.4s, v12.4s, v3.4s
    scvtf v17.4s, v17.4s
    fmul v18.4s, v16.4s, v4.s[0]
    ldr q20, [sp, #320]
    fmla v20.4s, v18.4s, v17.4s
    str q20, [sp, #320]
    ldp q20, q18, [sp, #304]
    mov v13.d[1], v0.d[0]
    sub v0.4s, v13.4s, v3.4s
    scvtf v0.4s, v0.4s
    fmul v17.4s, v6.4s, v4.s[0]
    fmla v20.4s, v17.4s, v0.4s
    str q20, [sp, #304]
    ldr q20, [sp, #208]
    ldr q17, [sp, #304]
    mov v14.d[1], v2.d[0]
    sub v0.4s, v14.4s, v3.4s
    scvtf v0.4s, v0.4s
    fmul v2.4s, v5.4s, v4.s[0]
    fmla v20.4s, v2.4s, v0.4s
    ldr w16, [x27, x19]
    ldr s0, [x28, x19]
    mov v26.d[1], v28.d[0]
    lsl w16, w16, #3
    dup v2.4s, w16
    sub v3.4s, v26.4s, v2.4s
    scvtf v3.4s, v3.4s
    fmul v4.4s, v7.4s, v0.s[0]
    ldr q7, [sp, #160]
    fmla v7.4s, v4.4s, v3.4s
    mov v30.d[1], v9.d[0]
    sub v3.4s, v30.4s, v2.4s
    scvtf v3.4s, v3.4s
    fmul v4.4s, v16.4s, v0.s[0]
    ldr q16, [sp, #144]
    fmla v16.4s, v4.4s, v3.4s
    mov v31.d[1], v10.d[0]
    sub v3.4s, v31.4s, v2.4s
    scvtf v3.4s, v3.4s
    fmul v4.4s, v6.4s, v0.s[0]
    ldr q6, [sp, #288]
    fmla v6.4s, v4.4s, v3.4s
    str q6, [sp, #288]
    ldp q4, q3, [sp, #272]
    mov v8.d[1], v11.d[0]
    sub v2.4s, v8.4s, v2.4s
    fmul v0.4s, v5.4s, v0.s[0]
    scvtf v2.4s, v2.4s
    fmla v4.4s, v0.4s, v2.4s
    str q4, [sp, #272]
    ldr q0, [sp, #272]
    add x19, x19, #4
    add w7, w7, w22
    add x11, x11, #576
    add w0, w0, #144
    add x12, x12, #32
    add x13, x13, #32
    add x14, x14, #32
    cmp x24, x19
    add x15, x15, #32
    b.ne .LBB0_5

4 rows, 2112 MACs:

    stp q25, q18, [sp, #80]
    stp q1, q0, [sp, #272]
    stp q4, q19, [sp, #304]
    stp q29, q28, [sp, #112]
    stp q27, q23, [sp, #144]
    stp q14, q13, [sp, #176]
    stp q26, q20, [sp, #208]
    stp q24, q22, [sp, #240]
    add x2, x3, w9, sxtw #2
    ldp q2, q4, [x2, #64]
    movi v1.16b, #15
    and v0.16b, v2.16b, v1.16b
    ushr v2.16b, v2.16b, #4
    movi v26.2d, #0000000000000000
    and v3.16b, v4.16b, v1.16b
    ushr v5.16b, v4.16b, #4
    ldp q4, q6, [x2, #96]
    and v16.16b, v4.16b, v1.16b
    ushr v18.16b, v4.16b, #4
    and v17.16b, v6.16b, v1.16b
    ushr v19.16b, v6.16b, #4
    ldp q6, q20, [x2, #192]
    and v27.16b, v6.16b, v1.16b
    ldp d7, d4, [x14, #-16]
    ushr v28.16b, v6.16b, #4
    ldp d6, d21, [x13, #-16]
    and v29.16b, v20.16b, v1.16b
    mov v7.d[1], v6.d[0]
    ushr v20.16b, v20.16b, #4
    ldp q30, q31, [x2, #224]
    and v8.16b, v30.16b, v1.16b
    ldp d22, d6, [x12, #-16]
    ushr v30.16b, v30.16b, #4
    ldp d9, d23, [x11, #-16]
    and v10.16b, v31.16b, v1.16b
    mov v22.d[1], v9.d[0]
    ushr v31.16b, v31.16b, #4
    zip1 v9.4s, v0.4s, v2.4s
    zip2 v0.4s, v0.4s, v2.4s
    zip1 v2.4s, v3.4s, v5.4s
    zip2 v3.4s, v3.4s, v5.4s
    zip1 v11.4s, v16.4s, v18.4s
    zip2 v12.4s, v16.4s, v18.4s
    zip1 v24.4s, v17.4s, v19.4s
    zip2 v25.4s, v17.4s, v19.4s
    zip1 v1.4s, v27.4s, v28.4s
    zip2 v5.4s, v27.4s, v28.4s
    zip1 v17.4s, v29.4s, v20.4s
    zip2 v20.4s, v29.4s, v20.4s
    zip1 v19.4s, v8.4s, v30.4s
    zip2 v18.4s, v8.4s, v30.4s
    zip1 v27.4s, v10.4s, v31.4s
    zip2 v16.4s, v10.4s, v31.4s
    stp q27, q16, [sp, #48]
    smmla v26.4s, v7.16b, v9.16b
    movi v27.2d, #0000000000000000
    smmla v27.4s, v22.16b, v9.16b
    movi v14.2d, #0000000000000000
    movi v28.2d, #0000000000000000
    smmla v14.4s, v7.16b, v0.16b
    smmla v28.4s, v22.16b, v0.16b
    movi v13.2d, #0000000000000000
    smmla v13.4s, v7.16b, v2.16b
    movi v29.2d, #0000000000000000
    movi v15.2d, #0000000000000000
    smmla v29.4s, v22.16b, v2.16b
    smmla v15.4s, v7.16b, v3.16b
    movi v30.2d, #0000000000000000
    smmla v30.4s, v22.16b, v3.16b
    movi v2.2d, #0000000000000000
    movi v31.2d, #0000000000000000
    smmla v2.4s, v7.16b, v11.16b
    smmla v31.4s, v22.16b, v11.16b
    movi v0.2d, #0000000000000000
    smmla v0.4s, v7.16b, v12.16b
    movi v8.2d, #0000000000000000
    movi v11.2d, #0000000000000000
    smmla v8.4s, v22.16b, v12.16b
    smmla v11.4s, v7.16b, v24.16b
    movi v9.2d, #0000000000000000
    smmla v9.4s, v22.16b, v24.16b
    movi v12.2d, #0000000000000000
    movi v10.2d, #0000000000000000
    smmla v12.4s, v7.16b, v25.16b
    mov v4.d[1], v21.d[0]
    smmla v10.4s, v22.16b, v25.16b
    mov v6.d[1], v23.d[0]
    smmla v26.4s, v4.16b, v1.16b
    smmla v27.4s, v6.16b, v1.16b
    smmla v14.4s, v4.16b, v5.16b
    smmla v28.4s, v6.16b, v5.16b
    ldp d7, d3, [x14]
    smmla v13.4s, v4.16b, v17.16b
    ldp d1, d22, [x13]
    smmla v29.4s, v6.16b, v17.16b
    mov v7.d[1], v1.d[0]
    smmla v15.4s, v4.16b, v20.16b
    ldp d21, d5, [x12]
    smmla v30.4s, v6.16b, v20.16b
    ldp d1, d20, [x11]
    smmla v2.4s, v4.16b, v19.16b
    mov v21.d[1], v1.d[0]
    smmla v31.4s, v6.16b, v19.16b
    smmla v0.4s, v4.16b, v18.16b
    ldp q1, q16, [x2, #320]
    smmla v8.4s, v6.16b, v18.16b
    movi v24.16b, #15
    and v18.16b, v1.16b, v24.16b
    ldp q17, q25, [sp, #48]
    smmla v11.4s, v4.16b, v17.16b
    ushr v1.16b, v1.16b, #4
    and v19.16b, v16.16b, v24.16b
    smmla v9.4s, v6.16b, v17.16b
    ushr v16.16b, v16.16b, #4
    smmla v12.4s, v4.16b, v25.16b
    ldp q17, q4, [x2, #352]
    and v23.16b, v17.16b, v24.16b
    smmla v10.4s, v6.16b, v25.16b
    ushr v6.16b, v17.16b, #4
    and v17.16b, v4.16b, v24.16b
    movi v25.16b, #15
    ushr v4.16b, v4.16b, #4
    zip1 v24.4s, v18.4s, v1.4s
    zip2 v1.4s, v18.4s, v1.4s
    zip1 v18.4s, v19.4s, v16.4s
    zip2 v16.4s, v19.4s, v16.4s
    zip1 v19.4s, v23.4s, v6.4s
    zip2 v6.4s, v23.4s, v6.4s
    zip1 v23.4s, v17.4s, v4.4s
    zip2 v4.4s, v17.4s, v4.4s
    smmla v26.4s, v7.16b, v24.16b
    smmla v27.4s, v21.16b, v24.16b
    ldr q24, [sp, #240]
    smmla v14.4s, v7.16b, v1.16b
    smmla v28.4s, v21.16b, v1.16b
    smmla v13.4s, v7.16b, v18.16b
    smmla v29.4s, v21.16b, v18.16b
    smmla v15.4s, v7.16b, v16.16b
    smmla v30.4s, v21.16b, v16.16b
    smmla v2.4s, v7.16b, v19.16b
    mov v3.d[1], v22.d[0]
    smmla v31.4s, v21.16b, v19.16b
    smmla v0.4s, v7.16b, v6.16b
    smmla v8.4s, v21.16b, v6.16b
    ldp q1, q6, [x2, #448]
    and v16.16b, v1.16b, v25.16b
    smmla v11.4s, v7.16b, v23.16b
    ushr v1.16b, v1.16b, #4
    and v17.16b, v6.16b, v25.16b
    smmla v9.4s, v21.16b, v23.16b
    ushr v6.16b, v6.16b, #4
    smmla v12.4s, v7.16b, v4.16b
    ldp q18, q7, [x2, #480]
    and v19.16b, v18.16b, v25.16b
    smmla v10.4s, v21.16b, v4.16b
    ushr v4.16b, v18.16b, #4
    and v18.16b, v7.16b, v25.16b
    ushr v21.16b, v7.16b, #4
    zip1 v22.4s, v16.4s, v1.4s
    zip2 v1.4s, v16.4s, v1.4s
    zip1 v23.4s, v17.4s, v6.4s
    zip2 v17.4s, v17.4s, v6.4s
    zip1 v6.4s, v19.4s, v4.4s
    zip2 v16.4s, v19.4s, v4.4s
    zip1 v7.4s, v18.4s, v21.4s
    zip2 v4.4s, v18.4s, v21.4s
    mov v5.d[1], v20.d[0]
    smmla v26.4s, v3.16b, v22.16b
    smmla v27.4s, v5.16b, v22.16b
    ldr q22, [sp, #256]
    smmla v14.4s, v3.16b, v1.16b
    smmla v28.4s, v5.16b, v1.16b
    smmla v13.4s, v3.16b, v23.16b
    smmla v29.4s, v5.16b, v23.16b
    smmla v15.4s, v3.16b, v17.16b
    smmla v30.4s, v5.16b, v17.16b
    ldr w4, [x15, x10]
    smmla v2.4s, v3.16b, v6.16b
    lsl w4, w4, #3
    smmla v31.4s, v5.16b, v6.16b
    dup v6.4s, w4
    smmla v0.4s, v3.16b, v16.16b
    smmla v8.4s, v5.16b, v16.16b
    smmla v11.4s, v3.16b, v7.16b
    smmla v9.4s, v5.16b, v7.16b
    ldp q1, q16, [x2, #512]
    smmla v12.4s, v3.16b, v4.16b
    movi v23.2d, #0xffff0000ffff0000
    and v3.16b, v1.16b, v23.16b
    ldr s7, [x1, x10]
    smmla v10.4s, v5.16b, v4.16b
    fmul v1.4s, v3.4s, v7.s[0]
    mov v5.16b, v26.16b
    and v4.16b, v16.16b, v23.16b
    mov v5.d[1], v14.d[0]
    sub v5.4s, v5.4s, v6.4s
    scvtf v5.4s, v5.4s
    fmla v22.4s, v1.4s, v5.4s
    fmul v1.4s, v4.4s, v7.s[0]
    mov v5.16b, v13.16b
    mov v5.d[1], v15.d[0]
    sub v5.4s, v5.4s, v6.4s
    scvtf v5.4s, v5.4s
    fmla v24.4s, v1.4s, v5.4s
    ldp q1, q17, [x2, #544]
    zip2 v16.2d, v26.2d, v14.2d
    ldr q26, [sp, #208]
    and v5.16b, v1.16b, v23.16b
    fmul v1.4s, v5.4s, v7.s[0]
    zip2 v18.2d, v13.2d, v15.2d
    ldp q14, q13, [sp, #176]
    zip2 v19.2d, v2.2d, v0.2d
    mov v2.d[1], v0.d[0]
    ldr w2, [x16, x10]
    sub v0.4s, v2.4s, v6.4s
    lsl w2, w2, #3
    scvtf v0.4s, v0.4s
    dup v20.4s, w2
    ldr q25, [sp, #80]
    fmla v25.4s, v1.4s, v0.4s
    ldr s1, [x6, x10]
    fmul v0.4s, v3.4s, v1.s[0]
    sub v2.4s, v16.4s, v20.4s
    scvtf v2.4s, v2.4s
    fmla v26.4s, v0.4s, v2.4s
    fmul v0.4s, v4.4s, v1.s[0]
    sub v2.4s, v18.4s, v20.4s
    scvtf v2.4s, v2.4s
    fmla v13.4s, v0.4s, v2.4s
    fmul v0.4s, v5.4s, v1.s[0]
    sub v2.4s, v19.4s, v20.4s
    scvtf v2.4s, v2.4s
    fmla v14.4s, v0.4s, v2.4s
    ldr w2, [x17, x10]
    zip2 v19.2d, v11.2d, v12.2d
    mov v11.d[1], v12.d[0]
    zip2 v18.2d, v27.2d, v28.2d
    mov v27.d[1], v28.d[0]
    ldr q28, [sp, #128]
    zip2 v16.2d, v29.2d, v30.2d
    mov v29.d[1], v30.d[0]
    zip2 v0.2d, v31.2d, v8.2d
    mov v31.d[1], v8.d[0]
    zip2 v2.2d, v9.2d, v10.2d
    mov v9.d[1], v10.d[0]
    lsl w2, w2, #3
    dup v21.4s, w2
    and v17.16b, v17.16b, v23.16b
    ldr q23, [sp, #160]
    fmul v1.4s, v17.4s, v1.s[0]
    sub v19.4s, v19.4s, v20.4s
    ldr q20, [sp, #224]
    scvtf v19.4s, v19.4s
    fmla v23.4s, v1.4s, v19.4s
    fmul v1.4s, v17.4s, v7.s[0]
    ldr w2, [x18, x10]
    sub v6.4s, v11.4s, v6.4s
    lsl w2, w2, #3
    scvtf v6.4s, v6.4s
    dup v7.4s, w2
    fmla v20.4s, v1.4s, v6.4s
    ldr s1, [x5, x10]
    fmul v6.4s, v3.4s, v1.s[0]
    sub v19.4s, v27.4s, v21.4s
    ldr q27, [sp, #144]
    scvtf v19.4s, v19.4s
    fmla v27.4s, v6.4s, v19.4s
    fmul v6.4s, v4.4s, v1.s[0]
    sub v19.4s, v29.4s, v21.4s
    ldr q29, [sp, #112]
    scvtf v19.4s, v19.4s
    fmla v28.4s, v6.4s, v19.4s
    fmul v6.4s, v5.4s, v1.s[0]
    sub v19.4s, v31.4s, v21.4s
    scvtf v19.4s, v19.4s
    fmla v29.4s, v6.4s, v19.4s
    fmul v1.4s, v17.4s, v1.s[0]
    ldr s6, [x0, x10]
    fmul v3.4s, v3.4s, v6.s[0]
    sub v19.4s, v9.4s, v21.4s
    scvtf v19.4s, v19.4s
    ldr q21, [sp, #320]
    fmla v21.4s, v1.4s, v19.4s
    str q21, [sp, #320]
    fmul v1.4s, v4.4s, v6.s[0]
    sub v4.4s, v18.4s, v7.4s
    ldr q18, [sp, #96]
    scvtf v4.4s, v4.4s
    fmla v18.4s, v3.4s, v4.4s
    fmul v3.4s, v5.4s, v6.s[0]
    sub v4.4s, v16.4s, v7.4s
    scvtf v4.4s, v4.4s
    ldp q5, q19, [sp, #304]
    fmla v5.4s, v1.4s, v4.4s
    str q5, [sp, #304]
    ldp q5, q4, [sp, #288]
    fmul v1.4s, v17.4s, v6.s[0]
    sub v0.4s, v0.4s, v7.4s
    scvtf v0.4s, v0.4s
    sub v2.4s, v2.4s, v7.4s
    scvtf v2.4s, v2.4s
    fmla v5.4s, v3.4s, v0.4s
    str q5, [sp, #288]
    ldp q3, q0, [sp, #272]
    fmla v3.4s, v1.4s, v2.4s
    str q3, [sp, #272]
    ldr q1, [sp, #272]
    add x10, x10, #4
    add w9, w9, #144
    add x14, x14, #32
    add x13, x13, #32
    add x11, x11, #32
    cmp x8, x10
    add x12, x12, #32
    b.ne .LBB0_9


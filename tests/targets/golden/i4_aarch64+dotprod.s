1 row, 1056 MACs:

    stp q19, q18, [sp, #80]
    stp q16, q4, [sp, #32]
    stp q5, q0, [sp, #112]
    str q3, [sp, #64]
    str q17, [sp, #144]
    cmp w8, #6
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

5 rows, 640 MACs:

    prfum pldl1keep, [x6, #-64]
    prfm pldl1keep, [x6]
    add x12, x4, x18
    ldp q19, q20, [x30, #-32]
    sub x8, x12, #4
    ld1r { v21.4s }, [x8]
    add x8, x15, x18
    ldp q22, q23, [x30], #128
    ld1r { v24.4s }, [x8], #4
    add x28, x9, x18
    ld1r { v25.4s }, [x28], #4
    and v26.16b, v19.16b, v1.16b
    and v27.16b, v20.16b, v1.16b
    and v28.16b, v22.16b, v1.16b
    and v29.16b, v23.16b, v1.16b
    sdot v18.4s, v26.16b, v21.16b
    sdot v16.4s, v27.16b, v21.16b
    sdot v17.4s, v28.16b, v21.16b
    sdot v7.4s, v29.16b, v21.16b
    sdot v6.4s, v26.16b, v24.16b
    sdot v5.4s, v27.16b, v24.16b
    sdot v2.4s, v28.16b, v24.16b
    sdot v3.4s, v29.16b, v24.16b
    sdot v4.4s, v26.16b, v25.16b
    sdot v0.4s, v27.16b, v25.16b
    sdot v15.4s, v28.16b, v25.16b
    add x7, x10, x18
    ld1r { v21.4s }, [x7], #4
    sdot v14.4s, v29.16b, v25.16b
    sdot v13.4s, v26.16b, v21.16b
    sdot v12.4s, v27.16b, v21.16b
    sdot v11.4s, v28.16b, v21.16b
    sdot v10.4s, v29.16b, v21.16b
    add x19, x11, x18
    ld1r { v21.4s }, [x19], #4
    sdot v9.4s, v26.16b, v21.16b
    sdot v8.4s, v27.16b, v21.16b
    sdot v31.4s, v28.16b, v21.16b
    sdot v30.4s, v29.16b, v21.16b
    ushr v19.16b, v19.16b, #4
    ushr v20.16b, v20.16b, #4
    ushr v21.16b, v22.16b, #4
    ld1r { v22.4s }, [x12]
    ushr v23.16b, v23.16b, #4
    sdot v18.4s, v19.16b, v22.16b
    sdot v16.4s, v20.16b, v22.16b
    sdot v17.4s, v21.16b, v22.16b
    ld1r { v24.4s }, [x8]
    sdot v7.4s, v23.16b, v22.16b
    sdot v6.4s, v19.16b, v24.16b
    sdot v5.4s, v20.16b, v24.16b
    sdot v2.4s, v21.16b, v24.16b
    ld1r { v22.4s }, [x28]
    sdot v3.4s, v23.16b, v24.16b
    sdot v4.4s, v19.16b, v22.16b
    sdot v0.4s, v20.16b, v22.16b
    sdot v15.4s, v21.16b, v22.16b
    ld1r { v24.4s }, [x7]
    sdot v14.4s, v23.16b, v22.16b
    sdot v13.4s, v19.16b, v24.16b
    sdot v12.4s, v20.16b, v24.16b
    sdot v11.4s, v21.16b, v24.16b
    ld1r { v22.4s }, [x19]
    sdot v10.4s, v23.16b, v24.16b
    add x18, x18, #8
    sdot v9.4s, v19.16b, v22.16b
    sdot v8.4s, v20.16b, v22.16b
    add x6, x6, x29
    sdot v31.4s, v21.16b, v22.16b
    sdot v30.4s, v23.16b, v22.16b
    cmp x18, #32
    b.ne .LBB0_6

5 rows, 640 MACs:

    add x21, x4, x7
    sub x8, x21, #4
    ld1r { v19.4s }, [x8]
    add x22, x6, x7
    sub x8, x22, #4
    ld1r { v20.4s }, [x8]
    ldp q21, q22, [x19, #-48]
    ldp q23, q24, [x19, #-16]
    add x8, x16, x7
    ld1r { v25.4s }, [x8], #4
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
    sdot v0.4s, v28.16b, v20.16b
    sdot v3.4s, v29.16b, v20.16b
    sdot v4.4s, v26.16b, v25.16b
    sdot v2.4s, v27.16b, v25.16b
    add x23, x17, x7
    ld1r { v19.4s }, [x23], #4
    sdot v15.4s, v28.16b, v25.16b
    sdot v14.4s, v29.16b, v25.16b
    sdot v13.4s, v26.16b, v19.16b
    sdot v12.4s, v27.16b, v19.16b
    sdot v11.4s, v28.16b, v19.16b
    add x24, x14, x7
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
    ld1r { v23.4s }, [x22]
    sdot v6.4s, v19.16b, v23.16b
    sdot v5.4s, v20.16b, v23.16b
    sdot v0.4s, v21.16b, v23.16b
    sdot v3.4s, v22.16b, v23.16b
    ld1r { v23.4s }, [x8]
    sdot v4.4s, v19.16b, v23.16b
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
    cmp x7, #32
    sdot v30.4s, v22.16b, v23.16b
    b.ne .LBB0_12


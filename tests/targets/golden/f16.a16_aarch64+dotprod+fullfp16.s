1 row, 512 MACs:

    ldr q8, [x14], #32
    prfum pldl1keep, [x16, #-256]
    prfum pldl1keep, [x17, #-256]
    movi v19.2d, #0000000000000000
    ldp q17, q20, [x18, #-256]
    movi v18.2d, #0000000000000000
    movi v16.2d, #0000000000000000
    fmla v19.8h, v17.8h, v8.h[0]
    ldp q21, q22, [x3, #-256]
    fmla v18.8h, v20.8h, v8.h[0]
    movi v17.2d, #0000000000000000
    prfum pldl1keep, [x16, #-224]
    fmla v16.8h, v21.8h, v8.h[0]
    prfum pldl1keep, [x17, #-224]
    ldp q20, q21, [x18, #-224]
    fmla v17.8h, v22.8h, v8.h[0]
    fmla v19.8h, v20.8h, v8.h[1]
    fmla v18.8h, v21.8h, v8.h[1]
    ldp q20, q21, [x3, #-224]
    fmla v16.8h, v20.8h, v8.h[1]
    prfum pldl1keep, [x16, #-192]
    prfum pldl1keep, [x17, #-192]
    fmla v17.8h, v21.8h, v8.h[1]
    ldp q20, q21, [x18, #-192]
    fmla v19.8h, v20.8h, v8.h[2]
    ldp q20, q22, [x3, #-192]
    fmla v18.8h, v21.8h, v8.h[2]
    prfum pldl1keep, [x16, #-160]
    prfum pldl1keep, [x17, #-160]
    fmla v16.8h, v20.8h, v8.h[2]
    ldp q20, q21, [x18, #-160]
    fmla v17.8h, v22.8h, v8.h[2]
    fmla v19.8h, v20.8h, v8.h[3]
    fmla v18.8h, v21.8h, v8.h[3]
    ldp q20, q21, [x3, #-160]
    prfum pldl1keep, [x16, #-128]
    fmla v16.8h, v20.8h, v8.h[3]
    prfum pldl1keep, [x17, #-128]
    fmla v17.8h, v21.8h, v8.h[3]
    ldp q20, q21, [x18, #-128]
    fmla v19.8h, v20.8h, v8.h[4]
    fmla v18.8h, v21.8h, v8.h[4]
    ldp q20, q21, [x3, #-128]
    fmla v16.8h, v20.8h, v8.h[4]
    prfum pldl1keep, [x16, #-96]
    prfum pldl1keep, [x17, #-96]
    fmla v17.8h, v21.8h, v8.h[4]
    ldp q20, q21, [x18, #-96]
    fmla v19.8h, v20.8h, v8.h[5]
    ldp q20, q22, [x3, #-96]
    fmla v18.8h, v21.8h, v8.h[5]
    prfum pldl1keep, [x16, #-64]
    prfum pldl1keep, [x17, #-64]
    fmla v16.8h, v20.8h, v8.h[5]
    ldp q20, q21, [x18, #-64]
    fmla v17.8h, v22.8h, v8.h[5]
    fmla v19.8h, v20.8h, v8.h[6]
    fmla v18.8h, v21.8h, v8.h[6]
    ldp q20, q21, [x3, #-64]
    prfum pldl1keep, [x16, #-32]
    fmla v16.8h, v20.8h, v8.h[6]
    prfum pldl1keep, [x17, #-32]
    fmla v17.8h, v21.8h, v8.h[6]
    ldp q20, q21, [x18, #-32]
    fmla v19.8h, v20.8h, v8.h[7]
    ldp q22, q20, [x3, #-32]
    lsl x6, x4, #1
    fmla v18.8h, v21.8h, v8.h[7]
    ldr q9, [x15, x6]
    fmla v16.8h, v22.8h, v8.h[7]
    prfm pldl1keep, [x16]
    prfm pldl1keep, [x17]
    fmla v17.8h, v20.8h, v8.h[7]
    ldp q20, q21, [x18]
    fmla v19.8h, v20.8h, v9.h[0]
    ldp q20, q22, [x3]
    fmla v18.8h, v21.8h, v9.h[0]
    prfm pldl1keep, [x16, #32]
    prfm pldl1keep, [x17, #32]
    fmla v16.8h, v20.8h, v9.h[0]
    ldp q20, q21, [x18, #32]
    fmla v17.8h, v22.8h, v9.h[0]
    fmla v19.8h, v20.8h, v9.h[1]
    fmla v18.8h, v21.8h, v9.h[1]
    ldp q20, q21, [x3, #32]
    prfm pldl1keep, [x16, #64]
    fmla v16.8h, v20.8h, v9.h[1]
    prfm pldl1keep, [x17, #64]
    fmla v17.8h, v21.8h, v9.h[1]
    ldp q20, q21, [x18, #64]
    fmla v19.8h, v20.8h, v9.h[2]
    fmla v18.8h, v21.8h, v9.h[2]
    ldp q20, q21, [x3, #64]
    fmla v16.8h, v20.8h, v9.h[2]
    prfm pldl1keep, [x16, #96]
    prfm pldl1keep, [x17, #96]
    fmla v17.8h, v21.8h, v9.h[2]
    ldp q20, q21, [x18, #96]
    fmla v19.8h, v20.8h, v9.h[3]
    ldp q20, q22, [x3, #96]
    fmla v18.8h, v21.8h, v9.h[3]
    prfm pldl1keep, [x16, #128]
    prfm pldl1keep, [x17, #128]
    fmla v16.8h, v20.8h, v9.h[3]
    ldp q20, q21, [x18, #128]
    fmla v17.8h, v22.8h, v9.h[3]
    fmla v19.8h, v20.8h, v9.h[4]
    fmla v18.8h, v21.8h, v9.h[4]
    ldp q20, q21, [x3, #128]
    prfm pldl1keep, [x16, #160]
    fmla v16.8h, v20.8h, v9.h[4]
    prfm pldl1keep, [x17, #160]
    fmla v17.8h, v21.8h, v9.h[4]
    ldp q20, q21, [x18, #160]
    fmla v19.8h, v20.8h, v9.h[5]
    fmla v18.8h, v21.8h, v9.h[5]
    ldp q20, q21, [x3, #160]
    fmla v16.8h, v20.8h, v9.h[5]
    prfm pldl1keep, [x16, #192]
    prfm pldl1keep, [x17, #192]
    fmla v17.8h, v21.8h, v9.h[5]
    ldp q20, q21, [x18, #192]
    fmla v19.8h, v20.8h, v9.h[6]
    ldp q20, q22, [x3, #192]
    fmla v18.8h, v21.8h, v9.h[6]
    prfm pldl1keep, [x16, #224]
    prfm pldl1keep, [x17, #224]
    fmla v16.8h, v20.8h, v9.h[6]
    ldp q20, q21, [x18, #224]
    fmla v17.8h, v22.8h, v9.h[6]
    fmla v19.8h, v20.8h, v9.h[7]
    fmla v18.8h, v21.8h, v9.h[7]
    ldp q20, q21, [x3, #224]
    fmla v16.8h, v20.8h, v9.h[7]
    fmla v17.8h, v21.8h, v9.h[7]
    fcvtl v20.4s, v19.4h
    fcvtl2 v19.4s, v19.8h
    fcvtl v21.4s, v18.4h
    fcvtl2 v18.4s, v18.8h
    fcvtl v22.4s, v16.4h
    fcvtl2 v16.4s, v16.8h
    fcvtl v23.4s, v17.4h
    fcvtl2 v17.4s, v17.8h
    fadd v5.4s, v5.4s, v19.4s
    fadd v0.4s, v0.4s, v20.4s
    fadd v7.4s, v7.4s, v18.4s
    fadd v6.4s, v6.4s, v21.4s
    fadd v4.4s, v4.4s, v16.4s
    subs x5, x5, #1
    fadd v3.4s, v3.4s, v22.4s
    add x4, x4, #16
    fadd v2.4s, v2.4s, v17.4s
    fadd v1.4s, v1.4s, v23.4s
    add x16, x16, #512
    add x17, x17, #512
    add x18, x18, #512
    add x3, x3, #512
    b.ne .LBB0_2

1 row, 32 MACs:

    add w15, w13, w13, lsr #31
    add w16, w8, w15, asr #1
    ldr w16, [x0, w16, sxtw #2]
    and w15, w15, #0xffffffe
    sub w15, w13, w15
    lsl w15, w15, #4
    asr w15, w16, w15
    dup v20.8h, w15
    prfm pldl1keep, [x9]
    prfm pldl1keep, [x10]
    ldp q21, q22, [x12, #-16]
    fmla v19.8h, v21.8h, v20.8h
    fmla v18.8h, v22.8h, v20.8h
    ldp q21, q22, [x11, #-16]
    fmla v17.8h, v21.8h, v20.8h
    subs x14, x14, #1
    add w13, w13, #1
    add x11, x11, #32
    add x9, x9, #32
    fmla v16.8h, v22.8h, v20.8h
    add x12, x12, #32
    add x10, x10, #32
    b.ne .LBB0_6

4 rows, 1024 MACs:

    ldr q8, [x22], #32
    movi v29.2d, #0000000000000000
    ldr q10, [x23], #32
    movi v26.2d, #0000000000000000
    ldr q11, [x24], #32
    ldr q9, [x25], #32
    prfm pldl1keep, [x18]
    ldp q25, q12, [x20, #-256]
    fmla v29.8h, v25.8h, v8.h[0]
    fmla v26.8h, v25.8h, v10.h[0]
    movi v27.2d, #0000000000000000
    fmla v27.8h, v25.8h, v11.h[0]
    movi v24.2d, #0000000000000000
    movi v31.2d, #0000000000000000
    fmla v24.8h, v25.8h, v9.h[0]
    fmla v31.8h, v12.8h, v8.h[0]
    movi v30.2d, #0000000000000000
    fmla v30.8h, v12.8h, v10.h[0]
    movi v28.2d, #0000000000000000
    movi v25.2d, #0000000000000000
    fmla v28.8h, v12.8h, v11.h[0]
    add x27, x18, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v12.8h, v9.h[0]
    ldp q12, q13, [x20, #-224]
    fmla v29.8h, v12.8h, v8.h[1]
    fmla v26.8h, v12.8h, v10.h[1]
    fmla v27.8h, v12.8h, v11.h[1]
    fmla v24.8h, v12.8h, v9.h[1]
    fmla v31.8h, v13.8h, v8.h[1]
    fmla v30.8h, v13.8h, v10.h[1]
    fmla v28.8h, v13.8h, v11.h[1]
    add x27, x27, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v13.8h, v9.h[1]
    ldp q12, q13, [x20, #-192]
    fmla v29.8h, v12.8h, v8.h[2]
    fmla v26.8h, v12.8h, v10.h[2]
    fmla v27.8h, v12.8h, v11.h[2]
    fmla v24.8h, v12.8h, v9.h[2]
    fmla v31.8h, v13.8h, v8.h[2]
    fmla v30.8h, v13.8h, v10.h[2]
    fmla v28.8h, v13.8h, v11.h[2]
    add x27, x27, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v13.8h, v9.h[2]
    ldp q12, q13, [x20, #-160]
    fmla v29.8h, v12.8h, v8.h[3]
    fmla v26.8h, v12.8h, v10.h[3]
    fmla v27.8h, v12.8h, v11.h[3]
    fmla v24.8h, v12.8h, v9.h[3]
    fmla v31.8h, v13.8h, v8.h[3]
    fmla v30.8h, v13.8h, v10.h[3]
    fmla v28.8h, v13.8h, v11.h[3]
    add x27, x27, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v13.8h, v9.h[3]
    ldp q12, q13, [x20, #-128]
    fmla v29.8h, v12.8h, v8.h[4]
    fmla v26.8h, v12.8h, v10.h[4]
    fmla v27.8h, v12.8h, v11.h[4]
    fmla v24.8h, v12.8h, v9.h[4]
    fmla v31.8h, v13.8h, v8.h[4]
    fmla v30.8h, v13.8h, v10.h[4]
    fmla v28.8h, v13.8h, v11.h[4]
    add x27, x27, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v13.8h, v9.h[4]
    ldp q12, q13, [x20, #-96]
    fmla v29.8h, v12.8h, v8.h[5]
    fmla v26.8h, v12.8h, v10.h[5]
    fmla v27.8h, v12.8h, v11.h[5]
    fmla v24.8h, v12.8h, v9.h[5]
    fmla v31.8h, v13.8h, v8.h[5]
    fmla v30.8h, v13.8h, v10.h[5]
    fmla v28.8h, v13.8h, v11.h[5]
    add x27, x27, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v13.8h, v9.h[5]
    ldp q12, q13, [x20, #-64]
    fmla v29.8h, v12.8h, v8.h[6]
    fmla v26.8h, v12.8h, v10.h[6]
    fmla v27.8h, v12.8h, v11.h[6]
    fmla v24.8h, v12.8h, v9.h[6]
    fmla v31.8h, v13.8h, v8.h[6]
    fmla v30.8h, v13.8h, v10.h[6]
    fmla v28.8h, v13.8h, v11.h[6]
    add x27, x27, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v13.8h, v9.h[6]
    ldp q13, q14, [x20, #-32]
    fmla v29.8h, v13.8h, v8.h[7]
    fmla v26.8h, v13.8h, v10.h[7]
    lsl x28, x21, #1
    fmla v27.8h, v13.8h, v11.h[7]
    ldr q12, [x14, x28]
    fmla v31.8h, v14.8h, v8.h[7]
    ldr q8, [x15, x28]
    fmla v30.8h, v14.8h, v10.h[7]
    ldr q10, [x16, x28]
    fmla v28.8h, v14.8h, v11.h[7]
    ldr q11, [x17, x28]
    fmla v24.8h, v13.8h, v9.h[7]
    add x27, x27, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v14.8h, v9.h[7]
    ldp q9, q13, [x20]
    fmla v29.8h, v9.8h, v12.h[0]
    fmla v26.8h, v9.8h, v8.h[0]
    fmla v27.8h, v9.8h, v10.h[0]
    fmla v24.8h, v9.8h, v11.h[0]
    fmla v31.8h, v13.8h, v12.h[0]
    fmla v30.8h, v13.8h, v8.h[0]
    fmla v28.8h, v13.8h, v10.h[0]
    add x27, x27, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v13.8h, v11.h[0]
    ldp q9, q13, [x20, #32]
    fmla v29.8h, v9.8h, v12.h[1]
    fmla v26.8h, v9.8h, v8.h[1]
    fmla v27.8h, v9.8h, v10.h[1]
    fmla v24.8h, v9.8h, v11.h[1]
    fmla v31.8h, v13.8h, v12.h[1]
    fmla v30.8h, v13.8h, v8.h[1]
    fmla v28.8h, v13.8h, v10.h[1]
    add x27, x27, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v13.8h, v11.h[1]
    ldp q9, q13, [x20, #64]
    fmla v29.8h, v9.8h, v12.h[2]
    fmla v26.8h, v9.8h, v8.h[2]
    fmla v27.8h, v9.8h, v10.h[2]
    fmla v24.8h, v9.8h, v11.h[2]
    fmla v31.8h, v13.8h, v12.h[2]
    fmla v30.8h, v13.8h, v8.h[2]
    fmla v28.8h, v13.8h, v10.h[2]
    add x27, x27, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v13.8h, v11.h[2]
    ldp q9, q13, [x20, #96]
    fmla v29.8h, v9.8h, v12.h[3]
    fmla v26.8h, v9.8h, v8.h[3]
    fmla v27.8h, v9.8h, v10.h[3]
    fmla v24.8h, v9.8h, v11.h[3]
    fmla v31.8h, v13.8h, v12.h[3]
    fmla v30.8h, v13.8h, v8.h[3]
    fmla v28.8h, v13.8h, v10.h[3]
    add x27, x27, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v13.8h, v11.h[3]
    ldp q9, q13, [x20, #128]
    fmla v29.8h, v9.8h, v12.h[4]
    fmla v26.8h, v9.8h, v8.h[4]
    fmla v27.8h, v9.8h, v10.h[4]
    fmla v24.8h, v9.8h, v11.h[4]
    fmla v31.8h, v13.8h, v12.h[4]
    fmla v30.8h, v13.8h, v8.h[4]
    fmla v28.8h, v13.8h, v10.h[4]
    add x27, x27, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v13.8h, v11.h[4]
    ldp q9, q13, [x20, #160]
    fmla v29.8h, v9.8h, v12.h[5]
    fmla v26.8h, v9.8h, v8.h[5]
    fmla v27.8h, v9.8h, v10.h[5]
    fmla v24.8h, v9.8h, v11.h[5]
    fmla v31.8h, v13.8h, v12.h[5]
    fmla v30.8h, v13.8h, v8.h[5]
    fmla v28.8h, v13.8h, v10.h[5]
    add x27, x27, x5
    prfm pldl1keep, [x27]
    fmla v25.8h, v13.8h, v11.h[5]
    ldp q9, q13, [x20, #192]
    fmla v29.8h, v9.8h, v12.h[6]
    fmla v26.8h, v9.8h, v8.h[6]
    fmla v27.8h, v9.8h, v10.h[6]
    fmla v24.8h, v9.8h, v11.h[6]
    fmla v31.8h, v13.8h, v12.h[6]
    fmla v30.8h, v13.8h, v8.h[6]
    fmla v28.8h, v13.8h, v10.h[6]
    prfm pldl1keep, [x27, x5]
    fmla v25.8h, v13.8h, v11.h[6]
    ldp q9, q13, [x20, #224]
    fmla v29.8h, v9.8h, v12.h[7]
    fmla v26.8h, v9.8h, v8.h[7]
    fmla v27.8h, v9.8h, v10.h[7]
    fmla v24.8h, v9.8h, v11.h[7]
    fmla v31.8h, v13.8h, v12.h[7]
    fmla v30.8h, v13.8h, v8.h[7]
    fmla v28.8h, v13.8h, v10.h[7]
    fmla v25.8h, v13.8h, v11.h[7]
    fcvtl v8.4s, v29.4h
    fcvtl2 v29.4s, v29.8h
    fcvtl v9.4s, v31.4h
    fcvtl2 v31.4s, v31.8h
    fcvtl v10.4s, v26.4h
    fcvtl2 v26.4s, v26.8h
    fcvtl v11.4s, v30.4h
    fcvtl2 v30.4s, v30.8h
    fcvtl v12.4s, v27.4h
    fcvtl2 v27.4s, v27.8h
    fcvtl v13.4s, v28.4h
    fcvtl2 v28.4s, v28.8h
    fcvtl v14.4s, v24.4h
    fcvtl2 v24.4s, v24.8h
    fcvtl v15.4s, v25.4h
    fcvtl2 v25.4s, v25.8h
    fadd v23.4s, v23.4s, v29.4s
    fadd v1.4s, v1.4s, v8.4s
    fadd v22.4s, v22.4s, v31.4s
    fadd v20.4s, v20.4s, v9.4s
    fadd v21.4s, v21.4s, v26.4s
    fadd v19.4s, v19.4s, v10.4s
    fadd v18.4s, v18.4s, v30.4s
    fadd v16.4s, v16.4s, v11.4s
    fadd v7.4s, v7.4s, v27.4s
    fadd v5.4s, v5.4s, v12.4s
    fadd v17.4s, v17.4s, v28.4s
    fadd v6.4s, v6.4s, v13.4s
    subs x26, x26, #1
    fadd v4.4s, v4.4s, v24.4s
    add x18, x18, x3
    fadd v3.4s, v3.4s, v14.4s
    add x21, x21, #16
    fadd v2.4s, v2.4s, v25.4s
    fadd v0.4s, v0.4s, v15.4s
    add x20, x20, #512
    b.ne .LBB0_5

4 rows, 64 MACs:

    add w23, w5, w5, lsr #31
    asr w24, w23, #1
    and w23, w23, #0xffffffe
    sub w23, w5, w23
    add w25, w24, w8
    lsl w23, w23, #4
    ldr w25, [x0, w25, sxtw #2]
    asr w25, w25, w23
    dup v8.8h, w25
    add w25, w24, w9
    ldr w25, [x0, w25, sxtw #2]
    asr w25, w25, w23
    dup v9.8h, w25
    add w25, w24, w10
    ldr w25, [x0, w25, sxtw #2]
    add w24, w24, w11
    ldr w24, [x0, w24, sxtw #2]
    asr w25, w25, w23
    dup v10.8h, w25
    asr w23, w24, w23
    dup v11.8h, w23
    prfm pldl1keep, [x22]
    ldp q12, q13, [x21, #-16]
    fmla v31.8h, v12.8h, v8.8h
    fmla v29.8h, v12.8h, v9.8h
    fmla v27.8h, v12.8h, v10.8h
    fmla v25.8h, v12.8h, v11.8h
    fmla v30.8h, v13.8h, v8.8h
    fmla v28.8h, v13.8h, v9.8h
    fmla v26.8h, v13.8h, v10.8h
    subs x3, x3, #1
    add x21, x21, #32
    fmla v24.8h, v13.8h, v11.8h
    add x22, x22, x20
    add w5, w5, #1
    b.ne .LBB0_9

4 rows, 1024 MACs:

    str q7, [sp, #16]
    ldr q10, [x23], #32
    ldr q11, [x24], #32
    ldr q9, [x25], #32
    ldr q8, [x26], #32
    prfm pldl1keep, [x4]
    movi v28.2d, #0000000000000000
    ldp q25, q12, [x22, #-16]
    fmla v28.8h, v25.8h, v10.h[0]
    movi v29.2d, #0000000000000000
    movi v26.2d, #0000000000000000
    fmla v29.8h, v25.8h, v11.h[0]
    fmla v26.8h, v25.8h, v9.h[0]
    movi v24.2d, #0000000000000000
    fmla v24.8h, v25.8h, v8.h[0]
    movi v31.2d, #0000000000000000
    movi v30.2d, #0000000000000000
    fmla v31.8h, v12.8h, v10.h[0]
    movi v27.2d, #0000000000000000
    movi v25.2d, #0000000000000000
    fmla v30.8h, v12.8h, v11.h[0]
    add x28, x4, x20
    prfm pldl1keep, [x28]
    fmla v27.8h, v12.8h, v9.h[0]
    sub w29, w21, #224
    add x29, x1, w29, sxtw #1
    fmla v25.8h, v12.8h, v8.h[0]
    ldp q12, q13, [x29]
    fmla v28.8h, v12.8h, v10.h[1]
    fmla v29.8h, v12.8h, v11.h[1]
    fmla v26.8h, v12.8h, v9.h[1]
    fmla v24.8h, v12.8h, v8.h[1]
    fmla v31.8h, v13.8h, v10.h[1]
    add x28, x28, x20
    fmla v30.8h, v13.8h, v11.h[1]
    prfm pldl1keep, [x28]
    sub w29, w21, #208
    fmla v27.8h, v13.8h, v9.h[1]
    add x29, x1, w29, sxtw #1
    fmla v25.8h, v13.8h, v8.h[1]
    ldp q12, q13, [x29]
    fmla v28.8h, v12.8h, v10.h[2]
    fmla v29.8h, v12.8h, v11.h[2]
    fmla v26.8h, v12.8h, v9.h[2]
    fmla v24.8h, v12.8h, v8.h[2]
    fmla v31.8h, v13.8h, v10.h[2]
    add x28, x28, x20
    prfm pldl1keep, [x28]
    fmla v30.8h, v13.8h, v11.h[2]
    sub w29, w21, #192
    add x29, x1, w29, sxtw #1
    fmla v27.8h, v13.8h, v9.h[2]
    ldp q12, q14, [x29]
    fmla v25.8h, v13.8h, v8.h[2]
    fmla v28.8h, v12.8h, v10.h[3]
    fmla v29.8h, v12.8h, v11.h[3]
    fmla v26.8h, v12.8h, v9.h[3]
    fmla v24.8h, v12.8h, v8.h[3]
    fmla v31.8h, v14.8h, v10.h[3]
    fmla v30.8h, v14.8h, v11.h[3]
    add x28, x28, x20
    prfm pldl1keep, [x28]
    fmla v27.8h, v14.8h, v9.h[3]
    sub w29, w21, #176
    add x29, x1, w29, sxtw #1
    fmla v25.8h, v14.8h, v8.h[3]
    ldp q12, q13, [x29]
    fmla v28.8h, v12.8h, v10.h[4]
    fmla v29.8h, v12.8h, v11.h[4]
    fmla v26.8h, v12.8h, v9.h[4]
    fmla v24.8h, v12.8h, v8.h[4]
    fmla v31.8h, v13.8h, v10.h[4]
    add x28, x28, x20
    fmla v30.8h, v13.8h, v11.h[4]
    prfm pldl1keep, [x28]
    sub w29, w21, #160
    fmla v27.8h, v13.8h, v9.h[4]
    add x29, x1, w29, sxtw #1
    fmla v25.8h, v13.8h, v8.h[4]
    ldp q12, q13, [x29]
    fmla v28.8h, v12.8h, v10.h[5]
    fmla v29.8h, v12.8h, v11.h[5]
    fmla v26.8h, v12.8h, v9.h[5]
    fmla v24.8h, v12.8h, v8.h[5]
    fmla v31.8h, v13.8h, v10.h[5]
    add x28, x28, x20
    prfm pldl1keep, [x28]
    fmla v30.8h, v13.8h, v11.h[5]
    sub w29, w21, #144
    add x29, x1, w29, sxtw #1
    fmla v27.8h, v13.8h, v9.h[5]
    ldp q12, q14, [x29]
    fmla v25.8h, v13.8h, v8.h[5]
    fmla v28.8h, v12.8h, v10.h[6]
    fmla v29.8h, v12.8h, v11.h[6]
    fmla v26.8h, v12.8h, v9.h[6]
    fmla v24.8h, v12.8h, v8.h[6]
    add x28, x28, x20
    fmla v31.8h, v14.8h, v10.h[6]
    prfm pldl1keep, [x28]
    sub w29, w21, #128
    fmla v30.8h, v14.8h, v11.h[6]
    add x29, x1, w29, sxtw #1
    fmla v27.8h, v14.8h, v9.h[6]
    mov v7.16b, v6.16b
    mov v6.16b, v5.16b
    mov v5.16b, v4.16b
    mov v4.16b, v3.16b
    mov v3.16b, v2.16b
    mov v2.16b, v1.16b
    mov v1.16b, v0.16b
    ldp q15, q0, [x29]
    lsl x29, x5, #1
    fmla v25.8h, v14.8h, v8.h[6]
    ldr q12, [x14, x29]
    fmla v28.8h, v15.8h, v10.h[7]
    ldr q13, [x15, x29]
    fmla v29.8h, v15.8h, v11.h[7]
    ldr q14, [x16, x29]
    fmla v31.8h, v0.8h, v10.h[7]
    ldr q10, [x17, x29]
    fmla v30.8h, v0.8h, v11.h[7]
    fmla v26.8h, v15.8h, v9.h[7]
    add x28, x28, x20
    fmla v27.8h, v0.8h, v9.h[7]
    prfm pldl1keep, [x28]
    sub w29, w21, #112
    fmla v24.8h, v15.8h, v8.h[7]
    add x29, x1, w29, sxtw #1
    fmla v25.8h, v0.8h, v8.h[7]
    ldp q9, q0, [x29]
    fmla v28.8h, v9.8h, v12.h[0]
    fmla v29.8h, v9.8h, v13.h[0]
    fmla v26.8h, v9.8h, v14.h[0]
    fmla v24.8h, v9.8h, v10.h[0]
    fmla v31.8h, v0.8h, v12.h[0]
    add x28, x28, x20
    prfm pldl1keep, [x28]
    fmla v30.8h, v0.8h, v13.h[0]
    sub w29, w21, #96
    add x29, x1, w29, sxtw #1
    fmla v27.8h, v0.8h, v14.h[0]
    ldp q8, q9, [x29]
    fmla v25.8h, v0.8h, v10.h[0]
    fmla v28.8h, v8.8h, v12.h[1]
    fmla v29.8h, v8.8h, v13.h[1]
    fmla v26.8h, v8.8h, v14.h[1]
    fmla v24.8h, v8.8h, v10.h[1]
    fmla v31.8h, v9.8h, v12.h[1]
    fmla v30.8h, v9.8h, v13.h[1]
    add x28, x28, x20
    prfm pldl1keep, [x28]
    fmla v27.8h, v9.8h, v14.h[1]
    sub w29, w21, #80
    add x29, x1, w29, sxtw #1
    fmla v25.8h, v9.8h, v10.h[1]
    ldp q0, q8, [x29]
    fmla v28.8h, v0.8h, v12.h[2]
    fmla v29.8h, v0.8h, v13.h[2]
    fmla v26.8h, v0.8h, v14.h[2]
    fmla v24.8h, v0.8h, v10.h[2]
    fmla v31.8h, v8.8h, v12.h[2]
    add x28, x28, x20
    fmla v30.8h, v8.8h, v13.h[2]
    prfm pldl1keep, [x28]
    sub w29, w21, #64
    fmla v27.8h, v8.8h, v14.h[2]
    add x29, x1, w29, sxtw #1
    fmla v25.8h, v8.8h, v10.h[2]
    ldp q0, q8, [x29]
    fmla v28.8h, v0.8h, v12.h[3]
    fmla v29.8h, v0.8h, v13.h[3]
    fmla v26.8h, v0.8h, v14.h[3]
    fmla v24.8h, v0.8h, v10.h[3]
    fmla v31.8h, v8.8h, v12.h[3]
    add x28, x28, x20
    prfm pldl1keep, [x28]
    fmla v30.8h, v8.8h, v13.h[3]
    sub w29, w21, #48
    add x29, x1, w29, sxtw #1
    fmla v27.8h, v8.8h, v14.h[3]
    ldp q0, q9, [x29]
    fmla v25.8h, v8.8h, v10.h[3]
    fmla v28.8h, v0.8h, v12.h[4]
    fmla v29.8h, v0.8h, v13.h[4]
    fmla v26.8h, v0.8h, v14.h[4]
    fmla v24.8h, v0.8h, v10.h[4]
    fmla v31.8h, v9.8h, v12.h[4]
    fmla v30.8h, v9.8h, v13.h[4]
    add x28, x28, x20
    prfm pldl1keep, [x28]
    fmla v27.8h, v9.8h, v14.h[4]
    sub w29, w21, #32
    add x29, x1, w29, sxtw #1
    fmla v25.8h, v9.8h, v10.h[4]
    ldp q0, q8, [x29]
    fmla v28.8h, v0.8h, v12.h[5]
    fmla v29.8h, v0.8h, v13.h[5]
    fmla v26.8h, v0.8h, v14.h[5]
    fmla v24.8h, v0.8h, v10.h[5]
    fmla v31.8h, v8.8h, v12.h[5]
    add x28, x28, x20
    fmla v30.8h, v8.8h, v13.h[5]
    prfm pldl1keep, [x28]
    sub w29, w21, #16
    fmla v27.8h, v8.8h, v14.h[5]
    add x29, x1, w29, sxtw #1
    fmla v25.8h, v8.8h, v10.h[5]
    ldp q0, q8, [x29]
    fmla v28.8h, v0.8h, v12.h[6]
    fmla v29.8h, v0.8h, v13.h[6]
    fmla v26.8h, v0.8h, v14.h[6]
    fmla v24.8h, v0.8h, v10.h[6]
    fmla v31.8h, v8.8h, v12.h[6]
    fmla v30.8h, v8.8h, v13.h[6]
    prfm pldl1keep, [x28, x20]
    fmla v27.8h, v8.8h, v14.h[6]
    add x28, x1, w21, sxtw #1
    fmla v25.8h, v8.8h, v10.h[6]
    ldp q0, q8, [x28]
    fmla v28.8h, v0.8h, v12.h[7]
    fmla v29.8h, v0.8h, v13.h[7]
    fmla v26.8h, v0.8h, v14.h[7]
    fmla v24.8h, v0.8h, v10.h[7]
    fmla v31.8h, v8.8h, v12.h[7]
    fmla v30.8h, v8.8h, v13.h[7]
    fmla v27.8h, v8.8h, v14.h[7]
    fmla v25.8h, v8.8h, v10.h[7]
    fcvtl v0.4s, v28.4h
    fcvtl2 v28.4s, v28.8h
    fcvtl v8.4s, v31.4h
    fcvtl2 v31.4s, v31.8h
    fcvtl v9.4s, v29.4h
    fcvtl2 v29.4s, v29.8h
    fcvtl v10.4s, v30.4h
    fcvtl2 v30.4s, v30.8h
    fcvtl v11.4s, v26.4h
    fcvtl2 v26.4s, v26.8h
    fcvtl v12.4s, v27.4h
    fcvtl2 v27.4s, v27.8h
    fcvtl v13.4s, v24.4h
    fcvtl2 v24.4s, v24.8h
    fcvtl v14.4s, v25.4h
    fcvtl2 v25.4s, v25.8h
    fadd v23.4s, v23.4s, v28.4s
    fadd v20.4s, v20.4s, v0.4s
    mov v0.16b, v1.16b
    mov v1.16b, v2.16b
    mov v2.16b, v3.16b
    mov v3.16b, v4.16b
    mov v4.16b, v5.16b
    mov v5.16b, v6.16b
    mov v6.16b, v7.16b
    ldr q7, [sp, #16]
    fadd v22.4s, v22.4s, v31.4s
    fadd v21.4s, v21.4s, v8.4s
    fadd v19.4s, v19.4s, v29.4s
    fadd v18.4s, v18.4s, v9.4s
    fadd v17.4s, v17.4s, v30.4s
    fadd v16.4s, v16.4s, v10.4s
    fadd v7.4s, v7.4s, v26.4s
    fadd v6.4s, v6.4s, v11.4s
    fadd v5.4s, v5.4s, v27.4s
    fadd v4.4s, v4.4s, v12.4s
    fadd v3.4s, v3.4s, v24.4s
    fadd v2.4s, v2.4s, v13.4s
    subs x27, x27, #1
    fadd v1.4s, v1.4s, v25.4s
    fadd v0.4s, v0.4s, v14.4s
    add x4, x4, x19
    add x22, x22, #512
    add w21, w21, #256
    add x5, x5, #16
    b.ne .LBB0_14

4 rows, 64 MACs:

    add w16, w18, w18, lsr #31
    asr w17, w16, #1
    and w16, w16, #0xffffffe
    sub w16, w18, w16
    add w3, w17, w8
    lsl w16, w16, #4
    ldr w3, [x0, w3, sxtw #2]
    asr w3, w3, w16
    dup v0.8h, w3
    add w3, w17, w9
    ldr w3, [x0, w3, sxtw #2]
    asr w3, w3, w16
    dup v8.8h, w3
    add w3, w17, w10
    add w17, w17, w11
    ldr w3, [x0, w3, sxtw #2]
    ldr w17, [x0, w17, sxtw #2]
    asr w3, w3, w16
    asr w16, w17, w16
    dup v9.8h, w3
    dup v10.8h, w16
    add x16, x1, w13, sxtw #1
    prfm pldl1keep, [x15]
    ldp q11, q12, [x16]
    fmla v31.8h, v11.8h, v0.8h
    fmla v29.8h, v11.8h, v8.8h
    fmla v27.8h, v11.8h, v9.8h
    fmla v25.8h, v11.8h, v10.8h
    fmla v30.8h, v12.8h, v0.8h
    fmla v28.8h, v12.8h, v8.8h
    fmla v26.8h, v12.8h, v9.8h
    subs x14, x14, #1
    add x15, x15, x12
    fmla v24.8h, v12.8h, v10.8h
    add w13, w13, #16
    add w18, w18, #1
    b.ne .LBB0_18


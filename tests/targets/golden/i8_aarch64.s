1 row, 128 MACs:

    prfm pldl1keep, [x11, #4096]
    prfm pldl1keep, [x11, #4160]
    ldp q26, q27, [x11]
    ldp q28, q29, [x11, #32]
    ldp q30, q31, [x11, #64]
    ldp q8, q24, [x11, #96]
    ld1r { v25.4s }, [x12], #4
    smull2 v9.8h, v25.16b, v26.16b
    sadalp v23.4s, v9.8h
    smull v26.8h, v25.8b, v26.8b
    sadalp v20.4s, v26.8h
    smull2 v26.8h, v25.16b, v27.16b
    sadalp v22.4s, v26.8h
    smull v26.8h, v25.8b, v27.8b
    sadalp v21.4s, v26.8h
    smull2 v26.8h, v25.16b, v28.16b
    sadalp v19.4s, v26.8h
    smull v26.8h, v25.8b, v28.8b
    sadalp v18.4s, v26.8h
    smull2 v26.8h, v25.16b, v29.16b
    sadalp v17.4s, v26.8h
    smull v26.8h, v25.8b, v29.8b
    smull v27.8h, v25.8b, v30.8b
    smull2 v28.8h, v25.16b, v30.16b
    smull v29.8h, v25.8b, v31.8b
    smull2 v30.8h, v25.16b, v31.16b
    sadalp v16.4s, v26.8h
    sadalp v7.4s, v28.8h
    sadalp v6.4s, v27.8h
    sadalp v5.4s, v30.8h
    sadalp v4.4s, v29.8h
    smull v26.8h, v25.8b, v8.8b
    smull2 v27.8h, v25.16b, v8.16b
    sadalp v3.4s, v27.8h
    sadalp v2.4s, v26.8h
    smull v26.8h, v25.8b, v24.8b
    subs x10, x10, #1
    add x11, x11, #128
    smull2 v24.8h, v25.16b, v24.16b
    sadalp v1.4s, v24.8h
    sadalp v0.4s, v26.8h
    b.ne .LBB0_2

3 rows, 192 MACs:

    add x21, x3, w18, sxtw #2
    prfm pldl1keep, [x21]
    prfm pldl1keep, [x21, #64]
    ldp q12, q11, [x6, #-32]
    ldp q10, q9, [x6], #128
    ld1r { v14.4s }, [x7], #4
    ld1r { v13.4s }, [x19], #4
    smull2 v15.8h, v14.16b, v12.16b
    sadalp v8.4s, v15.8h
    smull v15.8h, v14.8b, v12.8b
    sadalp v27.4s, v15.8h
    smull2 v15.8h, v14.16b, v11.16b
    sadalp v31.4s, v15.8h
    smull v15.8h, v14.8b, v11.8b
    sadalp v30.4s, v15.8h
    smull2 v15.8h, v14.16b, v10.16b
    sadalp v29.4s, v15.8h
    smull v15.8h, v14.8b, v10.8b
    sadalp v28.4s, v15.8h
    smull v15.8h, v14.8b, v9.8b
    smull2 v14.8h, v14.16b, v9.16b
    sadalp v26.4s, v14.8h
    smull v14.8h, v13.8b, v12.8b
    sadalp v25.4s, v15.8h
    smull2 v15.8h, v13.16b, v12.16b
    sadalp v24.4s, v15.8h
    smull v15.8h, v13.8b, v11.8b
    sadalp v23.4s, v14.8h
    smull2 v14.8h, v13.16b, v11.16b
    sadalp v22.4s, v14.8h
    smull v14.8h, v13.8b, v10.8b
    sadalp v21.4s, v15.8h
    smull2 v15.8h, v13.16b, v10.16b
    sadalp v20.4s, v15.8h
    sadalp v19.4s, v14.8h
    ld1r { v14.4s }, [x20], #4
    smull2 v15.8h, v13.16b, v9.16b
    sadalp v18.4s, v15.8h
    subs x0, x0, #1
    smull v13.8h, v13.8b, v9.8b
    sadalp v17.4s, v13.8h
    smull v13.8h, v14.8b, v12.8b
    add w18, w18, w2
    smull2 v12.8h, v14.16b, v12.16b
    sadalp v16.4s, v12.8h
    sadalp v7.4s, v13.8h
    smull v12.8h, v14.8b, v11.8b
    smull2 v11.8h, v14.16b, v11.16b
    sadalp v6.4s, v11.8h
    sadalp v5.4s, v12.8h
    smull v11.8h, v14.8b, v10.8b
    smull2 v10.8h, v14.16b, v10.16b
    sadalp v4.4s, v10.8h
    sadalp v3.4s, v11.8h
    smull v10.8h, v14.8b, v9.8b
    smull2 v9.8h, v14.16b, v9.16b
    sadalp v2.4s, v9.8h
    sadalp v1.4s, v10.8h
    b.ne .LBB0_5

3 rows, 192 MACs:

    ldp q14, q13, [x12, #-48]
    ldp q12, q11, [x12, #-16]
    ld1r { v1.4s }, [x8], #4
    ld1r { v15.4s }, [x9], #4
    smull2 v2.8h, v1.16b, v14.16b
    sadalp v10.4s, v2.8h
    smull v2.8h, v1.8b, v14.8b
    sadalp v0.4s, v2.8h
    smull2 v2.8h, v1.16b, v13.16b
    sadalp v9.4s, v2.8h
    smull v2.8h, v1.8b, v13.8b
    sadalp v8.4s, v2.8h
    smull2 v2.8h, v1.16b, v12.16b
    sadalp v31.4s, v2.8h
    smull v2.8h, v1.8b, v12.8b
    sadalp v30.4s, v2.8h
    smull v2.8h, v1.8b, v11.8b
    smull2 v1.8h, v1.16b, v11.16b
    sadalp v29.4s, v1.8h
    smull v1.8h, v15.8b, v14.8b
    sadalp v28.4s, v2.8h
    smull2 v2.8h, v15.16b, v14.16b
    sadalp v27.4s, v2.8h
    smull v2.8h, v15.8b, v13.8b
    sadalp v26.4s, v1.8h
    smull2 v1.8h, v15.16b, v13.16b
    sadalp v25.4s, v1.8h
    smull v1.8h, v15.8b, v12.8b
    sadalp v24.4s, v2.8h
    smull2 v2.8h, v15.16b, v12.16b
    sadalp v23.4s, v2.8h
    sadalp v22.4s, v1.8h
    smull2 v1.8h, v15.16b, v11.16b
    sadalp v21.4s, v1.8h
    ld1r { v1.4s }, [x10], #4
    subs x11, x11, #1
    add x12, x12, #128
    smull v2.8h, v15.8b, v11.8b
    sadalp v20.4s, v2.8h
    smull v2.8h, v1.8b, v14.8b
    smull2 v14.8h, v1.16b, v14.16b
    sadalp v19.4s, v14.8h
    sadalp v18.4s, v2.8h
    smull v2.8h, v1.8b, v13.8b
    smull2 v13.8h, v1.16b, v13.16b
    sadalp v17.4s, v13.8h
    sadalp v16.4s, v2.8h
    smull v2.8h, v1.8b, v12.8b
    smull2 v12.8h, v1.16b, v12.16b
    sadalp v7.4s, v12.8h
    sadalp v6.4s, v2.8h
    smull v2.8h, v1.8b, v11.8b
    smull2 v1.8h, v1.16b, v11.16b
    sadalp v5.4s, v1.8h
    sadalp v3.4s, v2.8h
    b.ne .LBB0_8



/* ---- threads of the CPU's steps: 1 after em_open ---- */

#define EM_MAX_THREADS 256

EM_API em_status em_set_threads(em_model *model, int32_t threads); /* -1: one per CPU */
EM_API int32_t em_threads(const em_model *model);

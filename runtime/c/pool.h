/* pool.h - fork and join over ranges of tasks, for hosts that have steps of the CPU. */
#ifndef EDGEMOE_POOL_H
#define EDGEMOE_POOL_H

typedef struct em_pool em_pool;
typedef void (*em_task_fn)(const void *context, int32_t begin, int32_t end);

em_pool *em_pool_start(int32_t threads); /* the caller counts as one; NULL: could not start */
void em_pool_stop(em_pool *pool);        /* NULL is allowed */
/* `even`: a thread claims its share of the tasks at once, not ever smaller ranges. */
void em_pool_run(em_pool *pool, em_task_fn fn, const void *context, int32_t tasks, int32_t even);
int32_t em_cpu_count(void); /* CPUs that this process may use */
/* Makes *pool one of `wanted` threads (0 is 1, -1 one per CPU), NULL for one; *threads says how
 * many. Where that fails, both stay. */
em_status em_pool_resize(em_pool **pool, int32_t *threads, int32_t wanted);

#endif

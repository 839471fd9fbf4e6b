/* pool.c - a small fork-join thread pool.
 *
 * Threads take ever smaller ranges of the tasks that are left (guided self-scheduling,
 * Polychronopoulos and Kuck, 1987): few claims at first, and a thread that is held up near the end
 * keeps no more than a task back. Where neighbouring tasks read the same data, a claim is a thread's
 * whole share instead. One atomic `ticket` holds (job number << 32 | next task). A worker
 * claims a range by a compare-and-swap of the whole ticket, so a worker that wakes up late finds
 * another job number or no tasks left and goes back to waiting: the caller never waits for a thread
 * that did not claim anything. Workers spin for some microseconds, then sleep; on fewer CPUs than
 * threads they do not spin at all.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#define SPIN_NANOSECONDS 50000
#define SHARES 3 /* a claim is one of so many shares per thread of what is left */
#define CLOSED 0x7fffffffu /* a ticket without tasks */

struct em_pool {
    uint64_t ticket;
    em_task_fn fn;
    const void *context;
    int32_t tasks;
    int32_t claim; /* tasks of a claim; 0: ever fewer */
    int32_t completed;
    int32_t sleepers;
    int32_t caller_waits;
    int32_t stop;
    int32_t workers;
    int64_t spin_nanoseconds;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    pthread_cond_t done;
    pthread_t threads[EM_MAX_THREADS];
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint32_t job_of(uint64_t ticket) { return (uint32_t)(ticket >> 32); }

/* Claim and run ranges of the job that `ticket` belongs to until none is left. */
static void work(em_pool *pool, uint64_t ticket)
{
    const uint32_t job = job_of(ticket);
    /* The next job may overwrite these meanwhile, but then the exchange below fails: acquire here
     * and release in em_pool_run make the closed ticket visible before any new field. */
    const em_task_fn fn = __atomic_load_n(&pool->fn, __ATOMIC_ACQUIRE);
    const void *context = __atomic_load_n(&pool->context, __ATOMIC_ACQUIRE);
    const int32_t tasks = __atomic_load_n(&pool->tasks, __ATOMIC_ACQUIRE);
    const int32_t claim = __atomic_load_n(&pool->claim, __ATOMIC_ACQUIRE);
    const int32_t shares = (pool->workers + 1) * SHARES;
    for (;;) {
        const uint32_t next = (uint32_t)ticket;
        if (job_of(ticket) != job || next == CLOSED || (int32_t)next >= tasks)
            return;
        const int32_t begin = (int32_t)next;
        const int32_t left = tasks - begin, share = claim > 0 ? claim : left / shares;
        const int32_t end = begin + (share < 1 ? 1 : share < left ? share : left);
        const uint64_t after = ((uint64_t)job << 32) | (uint32_t)end;
        if (!__atomic_compare_exchange_n(&pool->ticket, &ticket, after, 0, __ATOMIC_SEQ_CST,
                                         __ATOMIC_SEQ_CST))
            continue; /* `ticket` now holds the present value */
        fn(context, begin, end);
        const int32_t count = end - begin;
        if (__atomic_add_fetch(&pool->completed, count, __ATOMIC_SEQ_CST) == tasks &&
            __atomic_load_n(&pool->caller_waits, __ATOMIC_SEQ_CST)) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->done);
            pthread_mutex_unlock(&pool->mutex);
        }
        ticket = __atomic_load_n(&pool->ticket, __ATOMIC_SEQ_CST);
    }
}

static int news(em_pool *pool, uint32_t seen)
{
    return job_of(__atomic_load_n(&pool->ticket, __ATOMIC_SEQ_CST)) != seen ||
           __atomic_load_n(&pool->stop, __ATOMIC_SEQ_CST);
}

static void wait_for_news(em_pool *pool, uint32_t seen)
{
    if (pool->spin_nanoseconds > 0) {
        const int64_t until = now() + pool->spin_nanoseconds;
        do {
            for (int i = 0; i < 64; i++) {
                if (news(pool, seen))
                    return;
                relax();
            }
        } while (now() < until);
    }
    pthread_mutex_lock(&pool->mutex);
    __atomic_add_fetch(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
    while (!news(pool, seen))
        pthread_cond_wait(&pool->work, &pool->mutex);
    __atomic_sub_fetch(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&pool->mutex);
}

static void *worker(void *argument)
{
    em_pool *pool = argument;
    uint32_t seen = 0;
    for (;;) {
        wait_for_news(pool, seen);
        if (__atomic_load_n(&pool->stop, __ATOMIC_SEQ_CST))
            return NULL;
        const uint64_t ticket = __atomic_load_n(&pool->ticket, __ATOMIC_SEQ_CST);
        if ((uint32_t)ticket == CLOSED && job_of(ticket) != seen) {
            relax(); /* the caller is writing the job down */
            continue;
        }
        seen = job_of(ticket);
        work(pool, ticket);
    }
}

static void wait_until_completed(em_pool *pool, int32_t tasks)
{
    const int64_t until = now() + (pool->spin_nanoseconds > 0 ? SPIN_NANOSECONDS : 0);
    do {
        for (int i = 0; i < 64; i++) {
            if (__atomic_load_n(&pool->completed, __ATOMIC_SEQ_CST) == tasks)
                return;
            relax();
        }
    } while (now() < until);
    pthread_mutex_lock(&pool->mutex);
    __atomic_store_n(&pool->caller_waits, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&pool->completed, __ATOMIC_SEQ_CST) != tasks)
        pthread_cond_wait(&pool->done, &pool->mutex);
    __atomic_store_n(&pool->caller_waits, 0, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&pool->mutex);
}

void em_pool_run(em_pool *pool, em_task_fn fn, const void *context, int32_t tasks, int32_t even)
{
    if (tasks <= 0)
        return;
    if (pool == NULL || pool->workers == 0 || tasks == 1) {
        fn(context, 0, tasks);
        return;
    }
    const uint64_t old = __atomic_load_n(&pool->ticket, __ATOMIC_RELAXED);
    /* Never 0: that is what a new worker has seen. */
    const uint32_t job = job_of(old) == UINT32_MAX ? 1 : job_of(old) + 1;
    __atomic_store_n(&pool->ticket, ((uint64_t)job << 32) | CLOSED, __ATOMIC_SEQ_CST);
    __atomic_store_n(&pool->fn, fn, __ATOMIC_RELEASE);
    __atomic_store_n(&pool->context, context, __ATOMIC_RELEASE);
    __atomic_store_n(&pool->tasks, tasks, __ATOMIC_RELEASE);
    __atomic_store_n(&pool->claim, even ? (tasks + pool->workers) / (pool->workers + 1) : 0,
                     __ATOMIC_RELEASE);
    __atomic_store_n(&pool->completed, 0, __ATOMIC_RELEASE);
    const uint64_t open = (uint64_t)job << 32;
    __atomic_store_n(&pool->ticket, open, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&pool->sleepers, __ATOMIC_SEQ_CST) > 0) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->mutex);
    }
    work(pool, open);
    wait_until_completed(pool, tasks);
}

int32_t em_cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    const int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count > EM_MAX_THREADS ? EM_MAX_THREADS : count;
}

em_pool *em_pool_start(int32_t threads)
{
    em_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->ticket = CLOSED;
    pool->spin_nanoseconds = threads <= em_cpu_count() ? SPIN_NANOSECONDS : 0;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    for (int32_t i = 0; i + 1 < threads && i < EM_MAX_THREADS; i++) {
        if (pthread_create(&pool->threads[i], NULL, worker, pool) != 0) {
            em_pool_stop(pool);
            return NULL;
        }
        pool->workers = i + 1;
    }
    return pool;
}

void em_pool_stop(em_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->mutex);
    __atomic_store_n(&pool->stop, 1, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    for (int32_t i = 0; i < pool->workers; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

em_status em_pool_resize(em_pool **pool, int32_t *threads, int32_t wanted)
{
    if (wanted == 0)
        wanted = 1;
    if (wanted == -1)
        wanted = em_cpu_count();
    if (wanted < 1 || wanted > EM_MAX_THREADS)
        return em_fail(EM_ERROR_ARGUMENT,
                       "%d threads were asked for; give 1 to %d, or -1 for one per CPU",
                       (int)wanted, EM_MAX_THREADS);
    if (wanted == *threads)
        return EM_OK;
    em_pool *started = NULL;
    if (wanted > 1 && (started = em_pool_start(wanted)) == NULL)
        return em_fail(EM_ERROR_MEMORY, "cannot start %d threads; ask for fewer", (int)wanted);
    em_pool_stop(*pool);
    *pool = started;
    *threads = wanted;
    return EM_OK;
}

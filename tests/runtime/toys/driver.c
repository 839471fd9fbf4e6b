/* driver.c - what checkers watch: `driver FOLDER THREADS ROUNDS` on the toy `stress`. */
#include "edgemoe.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 6, MOST = 7 };

static int rounds;

static int check(em_status status, const char *what)
{
    if (status == EM_OK)
        return 0;
    fprintf(stderr, "%s: %s\n", what, em_last_error());
    exit(2);
}

static void use(em_model *model, int given, float *y)
{
    float x[MOST * WIDTH], sum[WIDTH] = {0}, next[WIDTH];
    for (int i = 0; i < MOST * WIDTH; i++)
        x[i] = 0.25f * (float)i;
    for (int round = 0; round < rounds; round++) {
        const int64_t n = 1 + round % MOST;
        const em_tensor in[2] = {{x, EM_FLOAT32, 2, {n, WIDTH}},
                                 {given ? sum : NULL, EM_FLOAT32, 1, {WIDTH}}};
        em_tensor out[2];
        for (int i = 0; i < 2; i++)
            check(em_output_shape(model, in, 2, i, &out[i]), "em_output_shape");
        out[0].data = y;
        out[1].data = given ? next : NULL;
        check(em_run(model, in, 2, out, 2), "em_run");
        if (given)
            memcpy(sum, next, sizeof sum);
    }
}

static void *user(void *model)
{
    float y[MOST * WIDTH];
    use(model, 1, y);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 1;
    const em_options options = {atoi(argv[2]), 1, NULL};
    rounds = atoi(argv[3]);
    em_model *model = NULL, *other = NULL;
    if (em_open("/nonexistent", &options, &model) != EM_ERROR_FILE || model != NULL)
        return 3;
    check(em_open(argv[1], &options, &model), "em_open");
    check(em_open(argv[1], NULL, &other), "em_open");

    /* a held state and a given one lead to the same numbers */
    float held[MOST * WIDTH] = {0}, given[MOST * WIDTH] = {0};
    use(model, 0, held);
    use(other, 1, given);
    if (memcmp(held, given, sizeof held) != 0)
        return 4;

    /* one handle from two threads, another at the same time */
    pthread_t threads[3];
    em_model *models[3] = {model, model, other};
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, user, models[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);

    for (int count = 1; count < (options.threads > 1 ? 5 : 2); count++) {
        check(em_set_threads(model, count), "em_set_threads");
        check(em_state_reset(model), "em_state_reset");
        use(model, 0, given);
        if (memcmp(held, given, sizeof held) != 0)
            return 5;
    }
    em_close(model);
    em_close(other);
    em_close(NULL);
    puts("ok");
    return 0;
}

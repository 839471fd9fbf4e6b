/* Times kernels: `tune machine`, or `tune ROUNDS MICROSECONDS CASE...` with cases of one problem.
 *
 * All cases run in turn, ROUNDS times, each for about MICROSECONDS; a line per case,
 * "CASE NANOSECONDS WINS HASH", has the lower quartile of the rounds (others on the machine only add
 * time), in how many of them it was faster than the first case, and a hash of the result's bits.
 * Needs libc alone.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_ROUNDS = 101, MOST_CASES = 256 };

typedef struct {
    int32_t kind; /* 0 float, 1 float rows and integer weights, 2 int8 rows, 3 16-bit floats */
    int32_t groups, rows, depth, columns, panels;
    int32_t row_words, scale_groups; /* per row */
    int32_t codes, scales;           /* words per group of a panel */
    uint32_t code_mask, scale, sixteen;
    int64_t weight_bytes;
    int32_t copies;
} problem;

typedef struct {
    void *a, *row_scales, *row_sums, *out;
    char *weights; /* this call's copy */
    int32_t *order, *offsets, *active;
} data;

typedef struct {
    int32_t problem;
    void (*run)(const problem *p, const data *d);
} test_case;


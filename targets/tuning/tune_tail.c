
static uint32_t seed = 1;

static uint32_t chance(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 16) | (seed << 16);
}

static float small(void) { return (float)(int32_t)(chance() & 0xffffu) / 65536.0f - 0.5f; }

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Room that begins at a cache line, with some more behind it for whole vectors. */
static void *room(int64_t bytes)
{
    void *found = NULL;
    if (posix_memalign(&found, 64, (size_t)bytes + 4096) != 0) {
        fprintf(stderr, "tune: no memory for %lld bytes\n", (long long)bytes);
        exit(1);
    }
    memset(found, 0, (size_t)bytes + 4096);
    return found;
}

static void fill_weights(const problem *p, char *to)
{
    const int64_t words = p->weight_bytes / 4;
    uint32_t *w = (uint32_t *)to;
    for (int64_t i = 0; i < words; i++) {
        const int64_t place = p->codes ? i % (p->codes + p->scales) : 0;
        if (p->codes)
            w[i] = place < p->codes ? chance() & p->code_mask : p->scale;
        else if (p->kind == 3) /* two numbers of the same power of two, with signs */
            w[i] = p->sixteen | (chance() & 0x803f803fu);
        else
            ((float *)to)[i] = small();
    }
}

static void fill_rows(const problem *p, data *d)
{
    const int64_t count = (int64_t)p->groups * p->rows;
    const int64_t words = count * p->row_words;
    d->a = room(words * 4);
    for (int64_t i = 0; i < words; i++) {
        if (p->kind == 2) /* in pairs: where there are two copies, they are magnitudes too */
            ((uint32_t *)d->a)[i] = i % 2 ? ((uint32_t *)d->a)[i - 1] : chance() & 0x3f3f3f3fu;
        else
            ((float *)d->a)[i] = small();
    }
    d->row_scales = room(count * p->scale_groups * 4);
    d->row_sums = room(count * p->scale_groups * 4);
    for (int64_t i = 0; i < count * p->scale_groups; i++) {
        ((float *)d->row_scales)[i] = small();
        ((int32_t *)d->row_sums)[i] = (int32_t)(chance() & 1023);
    }
    d->out = room(count * p->columns * 4);
    d->order = room(count * 4);
    for (int32_t i = 0; i < count; i++)
        d->order[i] = i;
    d->offsets = room(((int64_t)p->groups + 1) * 4);
    d->active = room(((int64_t)p->groups + 1) * 4);
    d->active[0] = p->groups;
    for (int32_t i = 0; i <= p->groups; i++)
        d->offsets[i] = i * p->rows;
    for (int32_t i = 0; i < p->groups; i++)
        d->active[i + 1] = i;
}

static int by_size(const void *one, const void *other)
{
    const int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

static uint64_t hash(const problem *p, const data *d)
{
    uint64_t h = 1469598103934665603u;
    const int64_t count = (int64_t)p->groups * p->rows * p->columns;
    for (int64_t i = 0; i < count; i++)
        h = (h ^ ((const uint32_t *)d->out)[i]) * 1099511628211u;
    return h;
}

static int machine(FILE *out)
{
    char line[4096];
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        fputs(line, out);
    if (file != NULL)
        fclose(file);
    return 0;
}

static int times(int32_t rounds, int64_t nanoseconds, int32_t count, const int32_t *which,
                 FILE *out)
{
    static int64_t taken[MOST_CASES][MOST_ROUNDS];
    uint64_t hashes[MOST_CASES];
    const problem *p = &PROBLEMS[CASES[which[0]].problem];
    data d;
    fill_rows(p, &d);
    char *first = room(p->weight_bytes * p->copies);
    fill_weights(p, first);
    for (int32_t copy = 1; copy < p->copies; copy++)
        memcpy(first + copy * p->weight_bytes, first, (size_t)p->weight_bytes);
    d.weights = first;
    int64_t calls = 1;
    for (int32_t i = 0; i < count; i++) {
        memset(d.out, 0xff, (size_t)((int64_t)p->groups * p->rows * p->columns * 4));
        CASES[which[i]].run(p, &d);
        hashes[i] = hash(p, &d);
    }
    const int64_t start = now();
    CASES[which[0]].run(p, &d);
    const int64_t one = now() - start;
    if (one < nanoseconds)
        calls = nanoseconds / (one + 1) + 1;
    int64_t turn = 0;
    for (int32_t round = 0; round < rounds; round++)
        for (int32_t n = 0; n < count; n++) {
            const int32_t i = (n + round) % count; /* nobody is always first */
            const int64_t begin = now();
            for (int64_t call = 0; call < calls; call++) {
                d.weights = first + (turn++ % p->copies) * p->weight_bytes;
                CASES[which[i]].run(p, &d);
            }
            taken[i][round] = (now() - begin) / calls;
        }
    int32_t wins[MOST_CASES] = {0};
    for (int32_t i = 0; i < count; i++)
        for (int32_t round = 0; round < rounds; round++)
            wins[i] += taken[i][round] < taken[0][round];
    for (int32_t i = 0; i < count; i++) {
        qsort(taken[i], (size_t)rounds, sizeof taken[i][0], by_size);
        fprintf(out, "%d %lld %d %016llx\n", which[i], (long long)taken[i][rounds / 4],
                wins[i], (unsigned long long)hashes[i]);
    }
    return 0;
}

static int command(int argc, char **argv, FILE *out)
{
    int32_t which[MOST_CASES];
    if (argc == 2 && strcmp(argv[1], "machine") == 0)
        return machine(out);
    const int32_t count = argc - 3;
    const int rounds = argc > 3 ? atoi(argv[1]) : 0;
    const long long nanoseconds = argc > 3 ? 1000 * atoll(argv[2]) : 0;
    if (rounds < 1 || rounds > MOST_ROUNDS || count > MOST_CASES) {
        fprintf(stderr, "usage: tune machine | tune ROUNDS MICROSECONDS CASE...\n");
        return 2;
    }
    for (int32_t i = 0; i < count; i++) {
        which[i] = atoi(argv[3 + i]);
        if (which[i] < 0 || which[i] >= CASE_COUNT ||
            CASES[which[i]].problem != CASES[which[0]].problem) {
            fprintf(stderr, "tune: case %s is not one of the same problem\n", argv[3 + i]);
            return 2;
        }
    }
    return times(rounds, nanoseconds, count, which, out);
}

int main(int argc, char **argv) { return command(argc, argv, stdout); }

/* As a library that TVM's RPC server loads: arguments come in the file tune.args, one a line, and
 * results go to tune.out, both in the folder of the session. */
typedef struct {
    int32_t type_index;
    uint32_t padding;
    int64_t value;
} tvm_ffi_any;

__attribute__((visibility("default"))) int __tvm_ffi_edgemoe_tune(void *self,
                                                                  const tvm_ffi_any *arguments,
                                                                  int32_t count,
                                                                  tvm_ffi_any *result)
{
    static char lines[MOST_CASES + 3][32];
    char *argv[MOST_CASES + 3] = {"tune"};
    int argc = 1;
    FILE *in = fopen("tune.args", "r"), *out = fopen("tune.out", "w");
    (void)self, (void)arguments, (void)count;
    while (in != NULL && argc < MOST_CASES + 3 && fgets(lines[argc], 32, in) != NULL) {
        lines[argc][strcspn(lines[argc], "\n")] = '\0';
        argv[argc] = lines[argc];
        argc++;
    }
    const int status = in == NULL || out == NULL ? 1 : command(argc, argv, out);
    if (in != NULL)
        fclose(in);
    if (out != NULL)
        fclose(out);
    const tvm_ffi_any integer = {1, 0, status};
    *result = integer;
    return 0;
}

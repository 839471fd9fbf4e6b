/* Runs functions of a shared library for another process: a test, when this runs in an emulator.
 *
 *     call_server LIBRARY
 *
 * A request on stdin is int32s in this machine's order: the length of a function's name, the name,
 * the number of arguments; then per argument its size and content. Size -1: an int32 follows;
 * -2: the number of an earlier argument, whose memory is passed again; else the bytes of an array.
 * The answer on stdout is the bytes of all arrays after the call, or exit status 3 if the function
 * wrote behind one of them.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 48, MARGIN = 64 };

static void get(void *to, size_t bytes)
{
    if (bytes > 0 && fread(to, bytes, 1, stdin) != 1)
        exit(0);
}

static int32_t integer(void)
{
    int32_t value;
    get(&value, sizeof value);
    return value;
}

/* Arguments that a function does not have do no harm: they lie behind those that it reads. */
#define EIGHT(x) x(0), x(1), x(2), x(3), x(4), x(5), x(6), x(7)
#define TYPE(i) intptr_t
typedef int function(EIGHT(TYPE), EIGHT(TYPE), EIGHT(TYPE), EIGHT(TYPE), EIGHT(TYPE), EIGHT(TYPE));

static void serve(void *library)
{
    char name[256] = {0}, margin[MARGIN];
    intptr_t a[MOST] = {0};
    int32_t sizes[MOST];
    memset(margin, 0x5a, MARGIN);
    get(name, (size_t)integer());
    const int32_t count = integer();
    if (count > MOST) {
        fprintf(stderr, "%s: %d arguments, the server passes at most %d\n", name, (int)count, MOST);
        exit(2);
    }
    for (int32_t i = 0; i < count; i++) {
        sizes[i] = integer();
        if (sizes[i] == -1) {
            a[i] = integer();
        } else if (sizes[i] == -2) {
            a[i] = a[integer()];
        } else {
            const size_t room = ((size_t)sizes[i] + 2 * MARGIN) / 64 * 64;
            char *memory = aligned_alloc(64, room);
            get(memory, (size_t)sizes[i]);
            memcpy(memory + sizes[i], margin, MARGIN);
            a[i] = (intptr_t)memory;
        }
    }
    function *f = (function *)dlsym(library, name);
    if (f == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
#define A0(i) a[i]
#define A1(i) a[8 + i]
#define A2(i) a[16 + i]
#define A3(i) a[24 + i]
#define A4(i) a[32 + i]
#define A5(i) a[40 + i]
    f(EIGHT(A0), EIGHT(A1), EIGHT(A2), EIGHT(A3), EIGHT(A4), EIGHT(A5));
    for (int32_t i = 0; i < count; i++) {
        if (sizes[i] < 0)
            continue;
        char *memory = (char *)a[i];
        if (memcmp(memory + sizes[i], margin, MARGIN) != 0) {
            fprintf(stderr, "%s wrote behind argument %d\n", name, (int)i);
            exit(3);
        }
        fwrite(memory, 1, (size_t)sizes[i], stdout);
        free(memory);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    for (;;)
        serve(library);
}

/* weights.c - maps weights.bin read-only and checks that it belongs to this build.
 *
 * The file: 64 bytes of header, then the payload, a multiple of 64 bytes. All little-endian:
 *   0 "EDGEMOEW"   8 uint32 version   12 uint32 zero   16 build id (16 bytes)
 *  32 uint64 payload bytes   40 uint64 checksum of the payload   48 zeros
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t word_at(const unsigned char *p)
{
    uint64_t w = 0;
    for (int i = 7; i >= 0; i--)
        w = (w << 8) | p[i];
    return w;
}

/* The sum of a bijective mix of every word with its place: one changed word changes the sum. */
uint64_t em_checksum(const unsigned char *data, size_t bytes)
{
    const uint64_t place = 0x9e3779b97f4a7c15u, mix = 0xbf58476d1ce4e5b9u;
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes / 8; i++) {
        uint64_t w;
        memcpy(&w, data + 8 * i, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        w = __builtin_bswap64(w);
#endif
        w += (uint64_t)(i + 1) * place;
        w = (w ^ (w >> 32)) * mix;
        sum += w ^ (w >> 29);
    }
    return sum;
}

static em_status check_header(const unsigned char *map, size_t bytes, const char *path, int verify)
{
    const uint64_t expected = em_this_model.weights_bytes;
    if (bytes < EM_WEIGHTS_HEADER_BYTES || memcmp(map, "EDGEMOEW", 8) != 0)
        return em_fail(EM_ERROR_FORMAT,
                       "%s is not a weight file of edgemoe (%zu bytes, the first 8 are not "
                       "\"EDGEMOEW\"); copy the artifact again or compile the model again",
                       path, bytes);
    const unsigned version = (unsigned)(word_at(map + 8) & 0xffffffffu);
    if (version != EM_WEIGHTS_VERSION)
        return em_fail(EM_ERROR_FORMAT,
                       "%s has weight format %u, this library reads format %d; use weights.bin and "
                       "the library of one artifact",
                       path, version, EM_WEIGHTS_VERSION);
    if (memcmp(map + 16, em_this_model.build_id, 16) != 0)
        return em_fail(EM_ERROR_FORMAT,
                       "%s belongs to another build than the library of model '%s'; use "
                       "weights.bin and the library of one artifact",
                       path, em_this_model.name);
    if (word_at(map + 32) != expected || bytes != EM_WEIGHTS_HEADER_BYTES + expected)
        return em_fail(EM_ERROR_FORMAT,
                       "%s has %zu bytes, %llu are expected (it was cut off or edited); copy the "
                       "artifact again",
                       path, bytes, (unsigned long long)(EM_WEIGHTS_HEADER_BYTES + expected));
    if (verify && em_checksum(map + EM_WEIGHTS_HEADER_BYTES, (size_t)expected) != word_at(map + 40))
        return em_fail(EM_ERROR_FORMAT,
                       "%s is damaged: the checksum of its %llu bytes of weights differs from the "
                       "one in its header; copy the artifact again",
                       path, (unsigned long long)expected);
    return EM_OK;
}

static em_status map_file(int file, const char *path, int verify, em_weights *weights)
{
    struct stat info;
    if (fstat(file, &info) != 0)
        return em_fail(EM_ERROR_FILE, "cannot read the size of %s: %s", path, strerror(errno));
    const size_t bytes = (size_t)info.st_size;
    if (bytes == 0)
        return check_header((const unsigned char *)"", 0, path, verify);
    void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED)
        return em_fail(EM_ERROR_FILE, "cannot map %s (%zu bytes): %s", path, bytes,
                       strerror(errno));
    const em_status status = check_header(map, bytes, path, verify);
    if (status != EM_OK) {
        munmap(map, bytes);
        return status;
    }
    weights->map = map;
    weights->bytes = bytes;
    weights->payload = (const unsigned char *)map + EM_WEIGHTS_HEADER_BYTES;
    return EM_OK;
}

em_status em_weights_open(const char *dir, int verify, em_weights *weights)
{
    const size_t room = strlen(dir) + sizeof "/weights.bin";
    char *path = malloc(room);
    if (path == NULL)
        return em_fail(EM_ERROR_MEMORY, "out of memory (%zu bytes)", room);
    snprintf(path, room, "%s/weights.bin", dir);
    em_status status;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        status = em_fail(EM_ERROR_FILE,
                         "cannot open %s: %s; give the folder of the artifact that this library "
                         "came with",
                         path, strerror(errno));
    } else {
        status = map_file(file, path, verify, weights);
        close(file);
    }
    free(path);
    return status;
}

void em_weights_close(em_weights *weights)
{
    if (weights->map != NULL)
        munmap(weights->map, weights->bytes);
    weights->map = NULL;
}

/* programs.c - compiles the kernels of the artifact, or takes them from a folder of binaries. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 4096

void *em_read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    char *data = NULL;
    long size = -1;
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 &&
        fseek(file, 0, SEEK_SET) == 0 && (data = malloc((size_t)size + 1)) != NULL) {
        if (fread(data, 1, (size_t)size, file) == (size_t)size) {
            data[size] = '\0';
            *bytes = (size_t)size;
        } else {
            free(data);
            data = NULL;
        }
    }
    fclose(file);
    return data;
}

/* FNV-1a, 64 bits. */
static uint64_t hash(uint64_t seed, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < bytes; i++)
        seed = (seed ^ p[i]) * 0x100000001b3u;
    return seed;
}

/* The file of a binary: its name is of the source, the device and the driver. */
static void cache_path(const em_model *model, const char *cache, const char *source, char *path)
{
    char driver[256] = "";
    clGetDeviceInfo(model->device, CL_DRIVER_VERSION, sizeof driver - 1, driver, NULL);
    uint64_t key = hash(0xcbf29ce484222325u, source, strlen(source));
    key = hash(key, model->device_name, strlen(model->device_name) + 1);
    key = hash(key, driver, strlen(driver) + 1);
    snprintf(path, PATH_BYTES, "%s/edgemoe-%016llx.bin", cache, (unsigned long long)key);
}

static cl_program from_binary(em_model *model, const char *path)
{
    size_t bytes = 0;
    cl_int status = CL_SUCCESS, code = CL_SUCCESS;
    unsigned char *data = em_read_file(path, &bytes);
    if (data == NULL)
        return NULL;
    /* The first 8 bytes are the hash of the rest: a file that was cut off is compiled anew. */
    uint64_t sum = 0;
    if (bytes > 8)
        memcpy(&sum, data, 8);
    cl_program program = NULL;
    if (bytes > 8 && sum == hash(0xcbf29ce484222325u, data + 8, bytes - 8)) {
        const unsigned char *binary = data + 8;
        const size_t length = bytes - 8;
        program = clCreateProgramWithBinary(model->context, 1, &model->device, &length, &binary,
                                            &status, &code);
    }
    free(data);
    if (program == NULL)
        return NULL;
    if (code == CL_SUCCESS && status == CL_SUCCESS &&
        clBuildProgram(program, 1, &model->device, "", NULL, NULL) == CL_SUCCESS)
        return program;
    clReleaseProgram(program);
    return NULL;
}

/* Failing to write costs nothing but the next start. */
static void keep_binary(cl_program program, const char *path)
{
    size_t bytes = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) !=
            CL_SUCCESS ||
        bytes == 0)
        return;
    unsigned char *data = malloc(bytes);
    if (data == NULL)
        return;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof data, &data, NULL) == CL_SUCCESS) {
        const uint64_t sum = hash(0xcbf29ce484222325u, data, bytes);
        FILE *file = fopen(path, "wb");
        if (file != NULL) {
            const size_t head = fwrite(&sum, 8, 1, file);
            const size_t body = fwrite(data, bytes, 1, file);
            if (fclose(file) != 0 || head != 1 || body != 1)
                remove(path);
        }
    }
    free(data);
}

static em_status refused(em_model *model, const char *kernel, cl_program program)
{
    char log[768] = "";
    size_t bytes = 0;
    clGetProgramBuildInfo(program, model->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes);
    char *whole = calloc(bytes + 1, 1);
    if (whole != NULL) {
        clGetProgramBuildInfo(program, model->device, CL_PROGRAM_BUILD_LOG, bytes, whole, NULL);
        snprintf(log, sizeof log, "%.767s", whole);
        free(whole);
    }
    return em_fail(EM_ERROR_DEVICE, "the OpenCL compiler of %s refuses kernel '%s': %s",
                   model->device_name, kernel, log);
}

static em_status build(em_model *model, int32_t k, const char *dir, const char *cache)
{
    char path[PATH_BYTES];
    size_t bytes = 0;
    cl_int code = CL_SUCCESS;
    const char *name = em_this_model.kernels[k].name;
    const int written = snprintf(path, sizeof path, "%s/kernels/%s.cl", dir, name);
    char *source = written < PATH_BYTES ? em_read_file(path, &bytes) : NULL;
    if (source == NULL)
        return em_fail(EM_ERROR_FILE,
                       "cannot read %s; give the folder of the artifact that this program came "
                       "with",
                       path);
    if (cache != NULL) {
        cache_path(model, cache, source, path);
        model->programs[k] = from_binary(model, path);
    }
    if (model->programs[k] != NULL) {
        free(source);
        return EM_OK;
    }
    const char *text = source;
    cl_program program = clCreateProgramWithSource(model->context, 1, &text, &bytes, &code);
    free(source);
    if (code != CL_SUCCESS)
        return em_cl_fail(model, code, "take a kernel");
    model->programs[k] = program;
    if (clBuildProgram(program, 1, &model->device, "", NULL, NULL) != CL_SUCCESS)
        return refused(model, name, program);
    model->kernels_built++;
    if (cache != NULL)
        keep_binary(program, path);
    return EM_OK;
}

em_status em_cl_build(em_model *model, const char *dir, const char *cache)
{
    em_status status = EM_OK;
    model->programs = calloc((size_t)em_this_model.kernel_count + 1, sizeof *model->programs);
    if (model->programs == NULL)
        return em_fail(EM_ERROR_MEMORY, "out of memory when opening model '%s'", em_this_model.name);
    for (int32_t k = 0; k < em_this_model.kernel_count && status == EM_OK; k++)
        status = build(model, k, dir, cache);
    return status;
}

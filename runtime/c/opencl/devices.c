/* devices.c - the devices of all platforms, and whether one offers what the kernels need. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PLATFORMS 16

/* Devices in the order of platforms; with `want` >= 0 that one is stored. */
static int32_t walk(int32_t want, cl_device_id *chosen, int32_t *first_gpu)
{
    cl_platform_id platforms[MOST_PLATFORMS];
    cl_uint platform_count = 0;
    int32_t total = 0;
    *first_gpu = -1;
    if (clGetPlatformIDs(MOST_PLATFORMS, platforms, &platform_count) != CL_SUCCESS)
        return 0;
    if (platform_count > MOST_PLATFORMS)
        platform_count = MOST_PLATFORMS;
    for (cl_uint p = 0; p < platform_count; p++) {
        cl_uint count = 0;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, 0, NULL, &count) != CL_SUCCESS ||
            count == 0)
            continue;
        cl_device_id *devices = calloc(count, sizeof *devices);
        if (devices == NULL)
            continue;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, count, devices, NULL) == CL_SUCCESS)
            for (cl_uint d = 0; d < count; d++, total++) {
                cl_device_type type = 0;
                clGetDeviceInfo(devices[d], CL_DEVICE_TYPE, sizeof type, &type, NULL);
                if (*first_gpu < 0 && (type & CL_DEVICE_TYPE_GPU) != 0)
                    *first_gpu = total;
                if (total == want)
                    *chosen = devices[d];
            }
        free(devices);
    }
    return total;
}

int32_t em_device_count(void)
{
    int32_t gpu;
    return walk(-1, NULL, &gpu);
}

static em_status check(const em_model *model)
{
    const em_description *m = &em_this_model;
    size_t threads = 0;
    cl_ulong local = 0;
    cl_uint bits = 0;
    clGetDeviceInfo(model->device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof threads, &threads, NULL);
    clGetDeviceInfo(model->device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof local, &local, NULL);
    clGetDeviceInfo(model->device, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof bits, &bits, NULL);
    const size_t alignment = bits < 8 ? 1 : bits / 8;
    if (m->threads > threads)
        return em_fail(EM_ERROR_DEVICE,
                       "model '%s' needs work-groups of %zu threads, %s has at most %zu; compile "
                       "it for a target with this limit, or choose another device",
                       m->name, m->threads, model->device_name, threads);
    if (m->local_bytes > local)
        return em_fail(EM_ERROR_DEVICE,
                       "model '%s' needs %zu bytes of local memory, %s has %llu; compile it for a "
                       "target with this limit, or choose another device",
                       m->name, m->local_bytes, model->device_name, (unsigned long long)local);
    if (m->alignment % alignment != 0)
        return em_fail(EM_ERROR_DEVICE,
                       "model '%s' places buffers at multiples of %zu bytes, %s needs %zu; choose "
                       "another device",
                       m->name, m->alignment, model->device_name, alignment);
    if (!m->fp16)
        return EM_OK;
    size_t bytes = 0;
    clGetDeviceInfo(model->device, CL_DEVICE_EXTENSIONS, 0, NULL, &bytes);
    char *extensions = calloc(bytes + 1, 1);
    if (extensions == NULL)
        return em_fail(EM_ERROR_MEMORY, "out of memory (%zu bytes)", bytes);
    clGetDeviceInfo(model->device, CL_DEVICE_EXTENSIONS, bytes, extensions, NULL);
    const int32_t has = strstr(extensions, "cl_khr_fp16") != NULL;
    free(extensions);
    if (has)
        return EM_OK;
    return em_fail(EM_ERROR_DEVICE,
                   "the kernels of model '%s' use 16-bit floats, which %s does not offer; compile "
                   "it for a target without them, or choose another device",
                   m->name, model->device_name);
}

em_status em_cl_open_device(em_model *model, int32_t number)
{
    int32_t gpu;
    const int32_t count = walk(-1, NULL, &gpu);
    if (count == 0)
        return em_fail(EM_ERROR_DEVICE,
                       "there is no OpenCL device: no driver is installed, or none is registered "
                       "in /etc/OpenCL/vendors; install the driver of your GPU, or PoCL for the "
                       "CPU");
    if (number < 0 || number > count)
        return em_fail(EM_ERROR_ARGUMENT, "there is no OpenCL device %d; give 1 to %d, or 0",
                       (int)number, (int)count);
    walk(number > 0 ? number - 1 : gpu >= 0 ? gpu : 0, &model->device, &gpu);
    clGetDeviceInfo(model->device, CL_DEVICE_NAME, sizeof model->device_name - 1,
                    model->device_name, NULL);
    cl_ulong largest = 0;
    clGetDeviceInfo(model->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof largest, &largest, NULL);
    model->largest = (size_t)largest;
    const em_status status = check(model);
    if (status != EM_OK)
        return status;
    cl_int code = CL_SUCCESS;
    model->context = clCreateContext(NULL, 1, &model->device, NULL, NULL, &code);
    if (code == CL_SUCCESS)
        model->queue = clCreateCommandQueue(model->context, model->device, 0, &code);
    return code == CL_SUCCESS ? EM_OK : em_cl_fail(model, code, "be opened");
}

"""Generates `example.c` of an OpenCL artifact: opens it, runs once, prints numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgemoe.plan import Plan

_TEXT = """\
/* example.c - runs model '{name}' once and prints the first numbers of every output.
 *
 *   make && ./example ..
 *
 * The arguments are the folder of the artifact, and a folder for compiled kernels. The inputs are
 * those of the self-test, or zeros; states start at zeros.
 */
#include "model_opencl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what)
{{
    fprintf(stderr, "%s: %s\\n", what, em_last_error());
    return 1;
}}

/* Read `bytes` of an input's file in `dir`/src; zeros when there is no such file. */
static void *read_input(const char *dir, int number, size_t bytes)
{{
    char path[4096];
    void *data = calloc(1, bytes ? bytes : 1);
    snprintf(path, sizeof path, "%s/src/example_input_%d.bin", dir, number);
    FILE *file = fopen(path, "rb");
    if (file != NULL) {{
        if (data != NULL && fread(data, 1, bytes, file) != bytes)
            fprintf(stderr, "%s is shorter than %lu bytes\\n", path, (unsigned long)bytes);
        fclose(file);
    }}
    return data;
}}

static void print_first(const em_tensor *tensor)
{{
    const size_t bytes = em_tensor_bytes(tensor);
    const unsigned char *p = tensor->data;
    for (size_t i = 0; i < 8; i++) {{
        if (tensor->dtype == EM_FLOAT32 && 4 * (i + 1) <= bytes) {{
            float value;
            memcpy(&value, p + 4 * i, 4);
            printf(" %.9g", (double)value);
        }} else if (tensor->dtype == EM_INT64 && 8 * (i + 1) <= bytes) {{
            int64_t value;
            memcpy(&value, p + 8 * i, 8);
            printf(" %ld", (long)value);
        }} else if (tensor->dtype != EM_FLOAT32 && tensor->dtype != EM_INT64 && i < bytes) {{
            printf(" %02x", p[i]);
        }}
    }}
    printf("\\n");
}}

int main(int argc, char **argv)
{{
    static const int64_t tokens[] = {{{tokens}}}; /* per input, where it has a token axis */
    const char *dir = argc > 1 ? argv[1] : "..";
    em_options options = {{0, 1, NULL}};
    em_model *model;
    em_tensor inputs[{inputs}], outputs[{outputs}];
    memset(inputs, 0, sizeof inputs);
    memset(outputs, 0, sizeof outputs);
    options.cache = argc > 2 ? argv[2] : NULL;
    if (em_open(dir, &options, &model) != EM_OK)
        return fail("em_open");
    printf("model %s on %s, arena %lu bytes, %ld kernels compiled\\n", em_model_name(model),
           em_device_name(model), (unsigned long)em_arena_bytes(model),
           (long)em_kernels_built(model));
    for (int i = 0; i < em_input_count(model); i++) {{
        const em_tensor_info *info = em_input_info(model, i);
        inputs[i].dtype = info->dtype;
        inputs[i].rank = info->rank;
        for (int a = 0; a < info->rank; a++)
            inputs[i].shape[a] = a == info->token_axis ? tokens[i] : info->shape[a];
        if (info->state < 0)
            inputs[i].data = read_input(dir, i, em_tensor_bytes(&inputs[i]));
    }}
    for (int i = 0; i < em_output_count(model); i++) {{
        if (em_output_shape(model, inputs, em_input_count(model), i, &outputs[i]) != EM_OK)
            return fail("em_output_shape");
        if (em_output_info(model, i)->state < 0)
            outputs[i].data = malloc(em_tensor_bytes(&outputs[i]) + 1);
    }}
    if (em_run(model, inputs, em_input_count(model), outputs, em_output_count(model)) != EM_OK)
        return fail("em_run");
    for (int i = 0; i < em_output_count(model); i++) {{
        if (outputs[i].data == NULL)
            continue;
        printf("%s:", em_output_info(model, i)->name);
        print_first(&outputs[i]);
        free(outputs[i].data);
    }}
    for (int i = 0; i < em_input_count(model); i++)
        free(inputs[i].data);
    em_close(model);
    return 0;
}}
"""


def example(plan: Plan, inputs: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """Return `example.c` and the input files that it reads.

    Args:
        plan: the model.
        inputs: an array per input that is no state; None or a missing one is zeros, with as many
            tokens as the smallest bucket.
    """
    files: dict[str, bytes] = {}
    tokens = []
    for number, info in enumerate(plan.inputs):
        array = None if inputs is None else inputs.get(info.name)
        count = plan.variants[0].tokens or 1
        if array is not None and info.state_output is None:
            files[f"example_input_{number}.bin"] = np.ascontiguousarray(array).tobytes()
            count = count if info.token_axis is None else array.shape[info.token_axis]
        tokens.append(str(count))
    text = _TEXT.format(
        name=plan.name.replace("*/", "* /"), tokens=", ".join(tokens) or "0",
        inputs=max(1, len(plan.inputs)), outputs=max(1, len(plan.outputs)),
    )  # fmt: skip
    return {"example.c": text.encode(), **files}

"""Generates `example.c` of a CPU artifact: opens it, runs the self-test input, prints numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.plan import DTYPE_BYTES, Plan, TensorInfo

SOURCE_FOLDER = "src"

_HEAD = """\
/* example.c - runs model '{name}' once and prints the first numbers of every output.
 *
 *   cc -std=c11 -O2 -o example example.c ../model.so && ./example ..
 *
 * or, all in one program, see the command at the top of model.c. The argument is the folder of the
 * artifact. The inputs are those of the self-test; states start at zeros.
 */
#include "edgemoe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what)
{{
    fprintf(stderr, "%s: %s\\n", what, em_last_error());
    return 1;
}}

/* Read `bytes` of the file `name` in `dir`/src; zeros when there is no such file. */
static void *read_input(const char *dir, const char *name, size_t bytes)
{{
    char path[4096];
    void *data = calloc(1, bytes ? bytes : 1);
    snprintf(path, sizeof path, "%s/src/%s", dir, name);
    FILE *file = fopen(path, "rb");
    if (file != NULL) {{
        if (data != NULL && fread(data, 1, bytes, file) != bytes)
            fprintf(stderr, "%s is shorter than %zu bytes\\n", path, bytes);
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
        }} else if (tensor->dtype == EM_INT32 && 4 * (i + 1) <= bytes) {{
            int32_t value;
            memcpy(&value, p + 4 * i, 4);
            printf(" %ld", (long)value);
        }} else if (tensor->dtype == EM_INT64 && 8 * (i + 1) <= bytes) {{
            int64_t value;
            memcpy(&value, p + 8 * i, 8);
            printf(" %lld", (long long)value);
        }} else if (tensor->dtype != EM_FLOAT32 && tensor->dtype != EM_INT32 &&
                   tensor->dtype != EM_INT64 && i < bytes) {{
            printf(" %02x", p[i]);
        }}
    }}
    printf("\\n");
}}

int main(int argc, char **argv)
{{
    const char *dir = argc > 1 ? argv[1] : "..";
    em_options options = {{0, 1, NULL}}; /* default threads, verify the weights, best ISA */
    em_model *model;
    if (em_open(dir, &options, &model) != EM_OK)
        return fail("em_open");
    printf("model %s, instruction set %s, arena %zu bytes\\n", em_model_name(model),
           em_isa_name(model), em_arena_bytes(model));
"""

_TAIL = """\
    for (int32_t i = 0; i < {output_count}; i++) {{
        if (em_output_shape(model, inputs, {input_count}, i, &outputs[i]) != EM_OK)
            return fail("em_output_shape");
        outputs[i].data = malloc(em_tensor_bytes(&outputs[i]) + 1);
    }}
    if (em_run(model, inputs, {input_count}, outputs, {output_count}) != EM_OK)
        return fail("em_run");
    for (int32_t i = 0; i < {output_count}; i++) {{
        printf("%s:", em_output_info(model, i)->name);
        print_first(&outputs[i]);
        free(outputs[i].data);
    }}
    for (int32_t i = 0; i < {input_count}; i++)
        free(inputs[i].data);
    em_close(model);
    return 0;
}}
"""


def write_example(
    plan: Plan, folder: Path, inputs: Mapping[str, NDArray[Any]] | None = None
) -> Path:
    """Write `src/example.c` and the raw input files that it reads; returns its path.

    Without `inputs` (or for states that they leave out) the example runs on zeros, with the
    smallest bucket of tokens.
    """
    source = folder / SOURCE_FOLDER
    source.mkdir(parents=True, exist_ok=True)
    given = dict(inputs or {})
    tokens = plan.variants[0].tokens or 1
    lines = [
        f"    em_tensor inputs[{max(1, len(plan.inputs))}] = {{{{NULL, 0, 0, {{0}}}}}};",
        f"    em_tensor outputs[{max(1, len(plan.outputs))}] = {{{{NULL, 0, 0, {{0}}}}}};",
    ]
    for number, info in enumerate(plan.inputs):
        name = f"example_input_{number}.bin"
        array = given.get(info.name)
        if array is not None:
            (source / name).write_bytes(np.ascontiguousarray(array).tobytes())
        lines += _input(number, info, name, _shape(info, array, tokens))
    text = _HEAD.format(name=plan.name.replace("*/", "* /"))
    text += "\n".join(lines) + "\n"
    text += _TAIL.format(input_count=len(plan.inputs), output_count=len(plan.outputs))
    path = source / "example.c"
    path.write_text(text, "utf-8")
    return path


def _shape(info: TensorInfo, array: NDArray[Any] | None, tokens: int) -> tuple[int, ...]:
    if array is not None:
        return tuple(array.shape)
    return tuple(tokens if extent < 0 else extent for extent in info.shape)


def _input(number: int, info: TensorInfo, name: str, shape: tuple[int, ...]) -> list[str]:
    nbytes = DTYPE_BYTES[info.dtype]
    for extent in shape:
        nbytes *= extent
    return [
        f"    inputs[{number}].dtype = EM_{info.dtype.upper()};",
        f"    inputs[{number}].rank = {len(shape)};",
        *(f"    inputs[{number}].shape[{a}] = {extent};" for a, extent in enumerate(shape)),
        f'    inputs[{number}].data = read_input(dir, "{name}", {nbytes});',
    ]

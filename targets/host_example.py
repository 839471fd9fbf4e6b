"""Generates `example.c` of an artifact with a C interface: opens it, runs once, prints numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.plan import Plan
from edgemoe.targets.c_model import comment

SOURCE_FOLDER = "src"


@dataclass(frozen=True)
class Interface:
    """What an example says that depends on the interface: pieces of C text."""

    header: str
    usage: str  # lines of a comment: how it is built, and its arguments
    options: str  # statements that set `options`
    opened: str  # a statement that prints what was opened


CPU = Interface(
    header="edgemoe.h",
    usage="""\
 *   cc -std=c11 -O2 -o example example.c ../model.so && ./example ..
 *
 * or, all in one program, see the command at the top of model.c. The argument is the folder of the
 * artifact.""",
    options="""\
    options.verify = 1; /* with default threads and the best instruction set */""",
    opened="""\
    printf("model %s, instruction set %s, arena %zu bytes\\n", em_model_name(model),
           em_isa_name(model), em_arena_bytes(model));""",
)

_TEXT = """\
/* example.c - runs model '{name}' once and prints the first numbers of every output.
 *
{usage} The inputs are those of the self-test, or zeros; states start at zeros.
 */
#include "{header}"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what)
{{
    fprintf(stderr, "%s: %s\\n", what, em_last_error());
    return 1;
}}

/* Read `bytes` of an input's file in `dir`/src; zeros when there is no such file. */
static void *read_input(const char *dir, int32_t number, size_t bytes)
{{
    char path[4096];
    void *data = calloc(1, bytes ? bytes : 1);
    snprintf(path, sizeof path, "%s/src/example_input_%d.bin", dir, (int)number);
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
    static const int64_t tokens[] = {{{tokens}}}; /* per input, where it has a token axis */
    const char *dir = argc > 1 ? argv[1] : "..";
    em_options options;
    em_model *model;
    em_tensor inputs[{inputs}], outputs[{outputs}];
    memset(&options, 0, sizeof options);
    memset(inputs, 0, sizeof inputs);
    memset(outputs, 0, sizeof outputs);
{options}
    if (em_open(dir, &options, &model) != EM_OK)
        return fail("em_open");
{opened}
    for (int32_t i = 0; i < em_input_count(model); i++) {{
        const em_tensor_info *info = em_input_info(model, i);
        inputs[i].dtype = info->dtype;
        inputs[i].rank = info->rank;
        for (int32_t a = 0; a < info->rank; a++)
            inputs[i].shape[a] = a == info->token_axis ? tokens[i] : info->shape[a];
        inputs[i].data = read_input(dir, i, em_tensor_bytes(&inputs[i]));
    }}
    for (int32_t i = 0; i < em_output_count(model); i++) {{
        if (em_output_shape(model, inputs, em_input_count(model), i, &outputs[i]) != EM_OK)
            return fail("em_output_shape");
        outputs[i].data = malloc(em_tensor_bytes(&outputs[i]) + 1);
    }}
    if (em_run(model, inputs, em_input_count(model), outputs, em_output_count(model)) != EM_OK)
        return fail("em_run");
    for (int32_t i = 0; i < em_output_count(model); i++) {{
        printf("%s:", em_output_info(model, i)->name);
        print_first(&outputs[i]);
        free(outputs[i].data);
    }}
    for (int32_t i = 0; i < em_input_count(model); i++)
        free(inputs[i].data);
    em_close(model);
    return 0;
}}
"""


def write_example(
    plan: Plan,
    folder: Path,
    inputs: Mapping[str, NDArray[Any]] | None = None,
    interface: Interface = CPU,
) -> Path:
    """Write `src/example.c` and the raw input files that it reads; returns its path.

    Args:
        plan: the model.
        folder: the artifact's folder.
        inputs: arrays by input name; what is left out is zeros, with as many tokens as the
            smallest bucket.
        interface: whose functions the example calls.
    """
    source = folder / SOURCE_FOLDER
    source.mkdir(parents=True, exist_ok=True)
    tokens = []
    for number, info in enumerate(plan.inputs):
        array = None if inputs is None else inputs.get(info.name)
        count = plan.variants[0].tokens or 1
        if array is not None:
            data = np.ascontiguousarray(array).tobytes()
            if data.count(0) < len(data):  # the example takes zeros where there is no file
                (source / f"example_input_{number}.bin").write_bytes(data)
            count = count if info.token_axis is None else array.shape[info.token_axis]
        tokens.append(str(count))
    text = _TEXT.format(
        name=comment(plan.name), usage=interface.usage, header=interface.header,
        options=interface.options, opened=interface.opened, tokens=", ".join(tokens) or "0",
        inputs=max(1, len(plan.inputs)), outputs=max(1, len(plan.outputs)),
    )  # fmt: skip
    path = source / "example.c"
    path.write_text(text, "utf-8")
    return path

/* isa_select.c - which of the model's kernels to use on this CPU. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void names(char *text, size_t room)
{
    size_t used = 0;
    text[0] = '\0';
    for (int32_t i = 0; i < em_this_model.isa_count && used < room; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%s", i ? ", " : "",
                                 em_this_model.isas[i].name);
}

em_status em_isa_select(const char *wanted, int32_t *index)
{
    char have[256];
    names(have, sizeof have);
    if (wanted == NULL || wanted[0] == '\0')
        wanted = getenv("EDGEMOE_ISA");
    if (wanted != NULL && wanted[0] != '\0') {
        for (int32_t i = 0; i < em_this_model.isa_count; i++) {
            if (strcmp(em_this_model.isas[i].name, wanted) != 0)
                continue;
            const char *lacks = em_isa_lacks(wanted);
            if (lacks != NULL)
                return em_fail(EM_ERROR_ISA,
                               "this CPU cannot run instruction set '%s': it lacks %s; the "
                               "artifact has kernels for: %s",
                               wanted, lacks, have);
            *index = i;
            return EM_OK;
        }
        return em_fail(EM_ERROR_ISA,
                       "the artifact has no kernels for instruction set '%s', only for: %s; "
                       "choose one of them or compile for it",
                       wanted, have);
    }
    const char *lacks = "any instruction set";
    for (int32_t i = em_this_model.isa_count - 1; i >= 0; i--) {
        lacks = em_isa_lacks(em_this_model.isas[i].name);
        if (lacks == NULL) {
            *index = i;
            return EM_OK;
        }
    }
    return em_fail(EM_ERROR_ISA,
                   "this CPU runs none of the artifact's instruction sets (%s): for %s it lacks "
                   "%s; compile for a smaller instruction set",
                   have, em_this_model.isa_count ? em_this_model.isas[0].name : "none", lacks);
}

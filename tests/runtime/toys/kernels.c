/* Toy kernels for the tests of the runtime; tasks are tokens unless said otherwise. */
#include <stdint.h>

#ifndef ISA
#define ISA x86_64_v3
#endif
#define JOIN(name, isa) name##__##isa
#define EXPAND(name, isa) JOIN(name, isa)
#define K(name) EXPAND(name, ISA)

/* y[t] = x[t] * w (w: [width], shared), task = token */
void K(scale)(const float *x, const float *w, float *y, int32_t width, int32_t begin, int32_t end)
{
    for (int32_t t = begin; t < end; t++)
        for (int32_t i = 0; i < width; i++)
            y[t * width + i] = x[t * width + i] * w[i];
}

/* y[t] = x[t] + b */
void K(add)(const float *x, const float *b, float *y, int32_t width, int32_t begin, int32_t end)
{
    for (int32_t t = begin; t < end; t++)
        for (int32_t i = 0; i < width; i++)
            y[t * width + i] = x[t * width + i] + b[i];
}

/* y[c][t] = 2 x[c][t] + c, token axis last; task = channel */
void K(columns)(const float *x, float *y, int32_t tokens, int32_t begin, int32_t end)
{
    for (int32_t c = begin; c < end; c++)
        for (int32_t t = 0; t < tokens; t++)
            y[c * tokens + t] = 2 * x[c * tokens + t] + (float)c;
}

/* ids[t] = largest of the first `experts` features, active = number of chosen experts, list = who */
void K(route)(const float *x, int32_t *ids, int32_t *active, int32_t *list, int32_t tokens,
              int32_t width, int32_t experts, int32_t begin, int32_t end)
{
    (void)begin, (void)end;
    int32_t seen[64] = {0};
    for (int32_t t = 0; t < tokens; t++) {
        int32_t best = 0;
        for (int32_t e = 1; e < experts; e++)
            if (x[t * width + e] > x[t * width + best])
                best = e;
        ids[t] = best;
        seen[best] = 1;
    }
    active[0] = 0;
    for (int32_t e = 0; e < experts; e++)
        if (seen[e])
            list[active[0]++] = e;
}

/* y[t] = x[t] * w[ids[t]]; tasks = active experts x 2 halves of the width */
void K(expert)(const float *x, const int32_t *ids, const int32_t *list, const float *w, float *y,
               int32_t tokens, int32_t width, int32_t begin, int32_t end)
{
    for (int32_t task = begin; task < end; task++) {
        const int32_t e = list[task / 2], half = task % 2;
        for (int32_t t = 0; t < tokens; t++)
            for (int32_t i = half * width / 2; ids[t] == e && i < (half + 1) * width / 2; i++)
                y[t * width + i] = x[t * width + i] * w[e * width + i];
    }
}

/* Running sum over tokens: y[t] = sum + x[0..t], next = sum + all; one task. */
void K(running)(const float *x, const float *sum, float *y, float *next, int32_t tokens,
                int32_t width, int32_t begin, int32_t end)
{
    (void)begin, (void)end;
    for (int32_t i = 0; i < width; i++) {
        float total = sum[i];
        for (int32_t t = 0; t < tokens; t++)
            y[t * width + i] = total += x[t * width + i];
        next[i] = total;
    }
}

/* logits[t] has its maximum at token (tokens[t] + position + t) % vocabulary; one task. */
void K(successor)(const int64_t *tokens, const int64_t *position, float *logits, int64_t *next,
                  int32_t count, int32_t vocabulary, int32_t begin, int32_t end)
{
    (void)begin, (void)end;
    for (int32_t t = 0; t < count; t++)
        for (int32_t v = 0; v < vocabulary; v++)
            logits[t * vocabulary + v] =
                v == (tokens[t] + position[0] + t) % vocabulary ? 3.0f : 0.25f * (float)v / 9.0f;
    next[0] = position[0] + count;
}

/* scores[t][e] = x[t][e] where it is positive, else an exact zero; task = token */
void K(relu)(const float *x, float *scores, int32_t width, int32_t begin, int32_t end)
{
    for (int32_t i = begin * width; i < end * width; i++)
        scores[i] = x[i] > 0 ? x[i] : 0;
}

/* Some work per task, for the thread pool. */
void K(work)(const float *x, float *y, int32_t rounds, int32_t begin, int32_t end)
{
    for (int32_t t = begin; t < end; t++) {
        float v = x[t];
        for (int32_t i = 0; i < rounds; i++)
            v = v * 0.999f + 0.001f;
        y[t] = v;
    }
}

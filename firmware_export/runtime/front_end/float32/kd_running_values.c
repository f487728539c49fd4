#include "kd_running.h"

/* Each operation is rounded by itself, as in kd_edge/base/running.py: no fused multiply-add. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

void kd_running_move(const kd_running *running, kd_running_state *state, const float *z,
                     uint32_t count)
{
    float sum = 0.0f, squares = 0.0f;
    uint32_t i;

    for (i = 0; i < count; i++) {
        sum += z[i];
        squares += z[i] * z[i];
    }
    kd_running_add(running, state, sum, squares, count);
}

void kd_running_normalise(const kd_running *running, const kd_running_state *state, float *z,
                          uint32_t count)
{
    const float mean = state->mean;
    const float variance = state->square - mean * mean;
    const float least = running->least_variance;
    const float scale = kd_inverse_root(variance > least ? variance : least);
    uint32_t i;

    for (i = 0; i < count; i++) {
        z[i] = (z[i] - mean) * scale;
    }
}

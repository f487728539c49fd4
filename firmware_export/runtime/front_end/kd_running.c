#include "kd_running.h"

#include <string.h>

/* Each operation is rounded by itself, as in kd_edge/base/running.py: no fused multiply-add. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

void kd_running_reset(kd_running_state *state)
{
    state->mean = 0.0f;
    state->square = 1.0f;
    state->windows = 0;
}

bool kd_running_is_possible(const kd_running_state *state)
{
    const float largest = 1e15f; /* its square is finite */
    const float mean = state->mean < 0.0f ? -state->mean : state->mean;
    /* A comparison with what is no number is false. */
    return mean < largest && state->square >= 0.999f * mean * mean && state->square < largest * largest;
}

void kd_running_add(const kd_running *running, kd_running_state *state, float sum, float squares,
                    uint32_t count)
{
    float total;

    /* A state from elsewhere may count more. */
    state->windows = state->windows < running->memory_windows ? state->windows + 1u : running->memory_windows;
    total = (float)(state->windows + running->weight_windows);
    state->mean += (sum / (float)count - state->mean) / total;
    state->square += (squares / (float)count - state->square) / total;
}

float kd_inverse_root(float x)
{
    const float half = x * 0.5f;
    uint32_t bits;
    float y;
    int step;

    memcpy(&bits, &x, sizeof bits);
    bits = 0x5f375a86u - (bits >> 1);
    memcpy(&y, &bits, sizeof y);
    for (step = 0; step < 4; step++) {
        y = y * (1.5f - half * y * y);
    }
    return y;
}

#include "kd_roll.h"

/* Each operation is rounded by itself, as in kd_edge/base/roll.py: no fused multiply-add. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

/* Of counts: below it gravity has no direction across the limb. */
static const float least_square = 1e-6f;

void kd_roll_move(kd_running_state *state, uint32_t memory_windows, const int16_t *sample,
                  uint32_t count, uint32_t stride)
{
    /* No training part counts: each band has a roll of its own. */
    kd_running running = {0};
    float sum = 0.0f, squares = 0.0f;
    uint32_t i;

    running.memory_windows = memory_windows;
    for (i = 0; i < count; i++) {
        const float value = (float)*sample;
        sum += value;
        squares += value * value;
        sample += stride;
    }
    kd_running_add(&running, state, sum, squares, count);
}

kd_turn kd_roll_turn(const kd_running_state *first, const kd_running_state *second)
{
    const float square = first->mean * first->mean + second->mean * second->mean;
    kd_turn turn = {1.0f, 0.0f};
    if (square > least_square) {
        const float inverse = kd_inverse_root(square);
        turn.cosine = first->mean * inverse;
        turn.sine = second->mean * inverse;
    }
    return turn;
}

uint32_t kd_roll_places(kd_turn turn, const kd_turn *directions, uint32_t size)
{
    uint32_t places = 0, i;
    float nearest = 0.0f;
    for (i = 0; i < size; i++) {
        const float near = turn.cosine * directions[i].cosine + turn.sine * directions[i].sine;
        if (i == 0u || near > nearest) {
            nearest = near;
            places = i;
        }
    }
    return places;
}

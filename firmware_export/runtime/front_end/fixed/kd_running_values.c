#include "kd_running.h"

#include <stddef.h>

/* Sums are integers; what a window makes of them is float32 in one order of operations, a few
 * operations a channel: the compiler's routines do them without a floating-point unit. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

/* Squares are summed without this many of their last bits; kd_edge/base/fixed.py has the same. */
#define SQUARE_SHIFT 10

void kd_running_move(const kd_running *running, kd_running_state *state, const int32_t *z,
                     uint32_t count)
{
    int64_t sum = 0, squares = 0;
    uint32_t i;

    for (i = 0; i < count; i++) {
        const int32_t part = z[i] >> SQUARE_SHIFT;
        sum += z[i];
        squares += (int64_t)part * part;
    }
    kd_running_add(running, state, (float)sum * running->last_bit,
                   (float)squares * running->last_square, count);
}

void kd_running_normalise(const kd_running *running, const kd_running_state *state, int32_t *z,
                          uint32_t count)
{
    const float limit = 1073741824.0f;
    const float variance = state->square - state->mean * state->mean;
    const float least = running->least_variance;
    const float root = kd_inverse_root(variance > least ? variance : least);
    const float level = state->mean * running->one;
    const int32_t mean = (int32_t)(level > limit ? limit : level < -limit ? -limit : level);
    const int32_t scale = (int32_t)(root * running->root_one);
    const int32_t shift = running->root_bits;
    const int64_t half = (int64_t)1 << (shift - 1);
    uint32_t i;

    for (i = 0; i < count; i++) {
        const int64_t value = (((int64_t)z[i] - mean) * scale + half) >> shift;
        z[i] = (int32_t)(value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : value);
    }
}

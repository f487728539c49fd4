/* The text of kd_svdf_s8() and kd_svdf_s8_s16(). Before it: KD_SVDF, KD_STATE with KD_STATE_MIN and
 * KD_STATE_MAX. */
#include <string.h>

#include "kd_dot_rows.h"
#include "kd_math.h"

/* The oldest value of each filter goes, the newest comes behind the others. */
static void remember(const kd_svdf_params *p, const int8_t *x, KD_STATE *state)
{
    const uint32_t last = (uint32_t)p->units * p->rank - 1u;
    for (uint32_t first = 0; first <= last; first += 4u) {
        const int8_t *rows[4];
        int32_t sums[4];
        for (uint32_t i = 0; i < 4u; i++) {
            /* Behind the last filter comes that one again. */
            const uint32_t filter = first + i < last ? first + i : last;
            rows[i] = p->feature + filter * p->n_input;
            sums[i] = p->feature_bias[filter];
        }
        kd_dot_rows(rows, x, p->n_input, sums);
        for (uint32_t i = 0; i < 4u && first + i <= last; i++, state += p->memory) {
            const int32_t value = kd_requant(sums[i], p->state_multiplier, p->state_shift);
            memmove(state, state + 1, (p->memory - 1u) * sizeof *state);
            /* The sum wraps, as TFLite Micro's does. */
            state[p->memory - 1u] =
                (KD_STATE)(kd_clamp(value, KD_STATE_MIN, KD_STATE_MAX) + p->state_zero);
        }
    }
}

/* A filter's weighted values, modulo 2^32. */
static uint32_t over_time(const kd_svdf_params *p, const KD_STATE *time, const KD_STATE *state)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < p->memory; i++) {
        sum += (uint32_t)time[i] * (uint32_t)(state[i] - p->state_zero);
    }
    return sum;
}

void KD_SVDF(const kd_svdf_params *p, const int8_t *x, int8_t *out, void *states)
{
    KD_STATE *state = states;
    for (uint32_t batch = p->batches; batch > 0u; batch--, x += p->n_input) {
        remember(p, x, state);
        const KD_STATE *time = p->time;
        for (uint32_t unit = 0; unit < p->units; unit++) {
            uint32_t sum = (uint32_t)p->bias[unit];
            for (uint32_t i = p->rank; i > 0u; i--, time += p->memory, state += p->memory) {
                sum += over_time(p, time, state);
            }
            const int32_t value = kd_requant((int32_t)sum, p->multiplier, p->shift);
            *out++ = (int8_t)kd_clamp(kd_wrapping_sum(value, p->zero_point), -128, 127);
        }
    }
}

#include "kd_sigmoid_s16.h"

#include "kd_math.h"
#include "kd_sigmoid_table.h"

/* Beyond it the logistic function stays the same. */
#define KD_FURTHEST 130559

void kd_sigmoid_s16(const kd_sigmoid_s16_params *p, const int16_t *in, int16_t *out)
{
    const int32_t half = (int32_t)((1u << p->right) >> 1);
    for (int32_t i = 0; i < p->count; i++) {
        const int32_t x = (in[i] * p->multiplier + half) >> p->right;
        out[i] = (int16_t)(p->tanh != 0
                               ? kd_tanh_q15(p->table, x)
                               : kd_sigmoid_q15(p->table, kd_clamp(x, -KD_FURTHEST, KD_FURTHEST)));
    }
}

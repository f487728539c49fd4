/* What the variants of kd_sum_table_s8() add to a * a_factor. */
#ifndef KD_SUM_TABLE_TERMS_H
#define KD_SUM_TABLE_TERMS_H

#include "kd_rescale.h"
#include "kd_sum_table_s8.h"

/* Times `factor` for each value of b at value + 128; below 2^29 with a factor of up to 2. */
static inline void kd_sum_table_terms(
    const kd_sum_table_s8_params *p, int32_t factor, int32_t *terms)
{
    for (int32_t b = -128; b < 128; b++) {
        const int32_t scaled = kd_high_mul((b + p->b_offset) * (1 << 20), p->b_multiplier);
        const int32_t rounded = kd_round_right(scaled, p->b_right);
        *terms++ = factor * (p->a_add + p->b_sign * rounded);
    }
}

#endif /* KD_SUM_TABLE_TERMS_H */

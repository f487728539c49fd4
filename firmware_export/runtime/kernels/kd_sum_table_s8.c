#include "kd_sum_table_s8.h"

#include <stddef.h>

#include "kd_sum_table_terms.h"

void kd_sum_table_s8(const kd_sum_table_s8_params *p, const int8_t *a, const int8_t *b,
                     int32_t *terms, int8_t *out)
{
    const int32_t factor = p->a_factor, multiplier = p->multiplier, right = p->right;
    const int32_t offset = p->offset, low = p->low, high = p->high;
    const int32_t a_step = p->rows.a_step, b_step = p->rows.b_step;
    const int8_t *table = p->table;
    kd_sum_table_terms(p, 1, terms);
    kd_walk at = {0};
    do {
        const int8_t *x = a + at.a;
        const int8_t *y = b + at.b;
        for (int32_t n = p->rows.count; n > 0; n--, x += a_step, y += b_step) {
            const int32_t sum = *x * factor + terms[*y + 128];
            const int32_t raw = kd_round_right(kd_high_mul(sum, multiplier), right) + offset;
            const int32_t value = kd_clamp(raw, low, high);
            *out++ = table != NULL ? table[value + 128] : (int8_t)value;
        }
    } while (kd_walk_next(&p->rows, &at));
}

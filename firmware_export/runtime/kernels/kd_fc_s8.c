#include "kd_fc_s8.h"

#include "kd_dot_rows.h"
#include "kd_fc_narrow.h"

void kd_fc_s8(const kd_fc_s8_params *p, const int8_t *x, int8_t *out)
{
    const kd_fc_narrow narrow = {p->scales, p->table, p->zero_point, p->low, p->high, p->by_row};
    const uint32_t last = p->rows - 1u;
    for (uint32_t batch = p->batches; batch > 0u; batch--) {
        for (uint32_t row = 0; row <= last; row += 4u) {
            const int8_t *rows[4];
            int32_t sums[4];
            for (uint32_t i = 0; i < 4u; i++) {
                /* Behind the last row comes that one again. */
                const uint32_t source = row + i < last ? row + i : last;
                rows[i] = p->weights + source * p->columns;
                sums[i] = p->bias[source];
            }
            kd_dot_rows(rows, x, p->columns, sums);
            for (uint32_t i = 0; i < 4u && row + i <= last; i++) {
                *out++ = kd_fc_to_int8(&narrow, row + i, sums[i]);
            }
        }
        x += p->columns;
    }
}

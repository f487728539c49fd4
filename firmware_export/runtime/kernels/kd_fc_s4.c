#include "kd_fc_s4.h"

#include "kd_dot_s4.h"
#include "kd_fc_narrow.h"

void kd_fc_s4(const kd_fc_s4_params *p, const int8_t *x, int8_t *out, void *scratch)
{
    const kd_fc_narrow narrow = {p->scales, p->table, p->zero_point, p->low, p->high, p->by_row};
    const uint32_t rows = p->rows;
    for (uint32_t batch = p->batches; batch > 0u; batch--) {
        const kd_s4_input input = kd_s4_prepare(x, p->columns, scratch);
        const uint8_t *weights = p->weights;
        for (uint32_t row = 0; row < rows; row += 2u, weights += p->columns) {
            int32_t sums[2];
            kd_dot_s4(weights, &input, sums);
            for (uint32_t i = 0; i < 2u && row + i < rows; i++) {
                *out++ = kd_fc_to_int8(&narrow, row + i, sums[i] + p->bias[row + i]);
            }
        }
        x += p->columns;
    }
}

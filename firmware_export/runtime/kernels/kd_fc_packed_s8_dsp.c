#include "kd_fc_packed_s8.h"

#include "kd_dot_packed.h"
#include "kd_fc_narrow.h"

void kd_fc_packed_s8(const kd_fc_packed_s8_params *p, const int8_t *x, int8_t *out,
                     uint32_t *scratch)
{
    const kd_fc_narrow narrow = {p->scales, p->table, p->zero_point, p->low, p->high, p->by_row};
    const uint32_t rows = p->rows;
    for (uint32_t batch = p->batches; batch > 0u; batch--) {
        const kd_packed_input input = kd_widen_s8(x, p->columns, scratch);
        const uint32_t *weights = p->weights;
        for (uint32_t row = 0; row < rows; row += 4u) {
            int32_t sums[4];
            weights = kd_dot_packed(weights, &input, sums);
            sums[0] >>= 8;
            sums[2] >>= 8;
            for (uint32_t i = 0; i < 4u && row + i < rows; i++) {
                *out++ = kd_fc_to_int8(&narrow, row + i, sums[i]);
            }
        }
        x += p->columns;
    }
}

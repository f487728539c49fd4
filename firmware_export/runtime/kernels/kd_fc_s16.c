#include "kd_fc_s16.h"

void kd_fc_s16(const kd_fc_s16_params *p, const int16_t *x, int16_t *out)
{
    for (uint32_t batch = p->batches; batch > 0u; batch--) {
        kd_matvec_s16(&p->matrix, 0, p->rows, x, out);
        x += p->matrix.columns;
        out += p->rows;
    }
}

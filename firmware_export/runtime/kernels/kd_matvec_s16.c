#include "kd_matvec_s16.h"

#include "kd_dot_rows_s16.h"

void kd_matvec_s16(const kd_matvec_s16_matrix *m, uint32_t first, uint32_t count, const int16_t *x,
                   int16_t *out)
{
    for (uint32_t done = 0; done < count; done += 4u) {
        /* The last four rows may have been computed in part; behind fewer than four come others. */
        const uint32_t at = count < 4u ? 0 : done < count - 4u ? done : count - 4u;
        const uint32_t row = first + at;
        int64_t sums[4] = {0, 0, 0, 0};
        kd_dot_rows_s16(m->weights + row * m->columns, m->columns, x, m->columns, sums);
        for (uint32_t i = 0; i < 4u && i < count; i++) {
            out[at + i] = kd_to_s16(&m->narrow, row + i, sums[i]);
        }
    }
}

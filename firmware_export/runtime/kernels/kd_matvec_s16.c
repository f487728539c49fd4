#include "kd_matvec_s16.h"

#include "kd_dot_rows_s16.h"

void kd_matvec_s16(const kd_matvec_s16_matrix *m, uint32_t first, uint32_t count, const int16_t *x,
                   int16_t *out)
{
    const uint32_t together = count < 4u ? 1u : 4u;
    for (uint32_t done = 0; done < count; done += together) {
        /* The last four rows may have been computed in part; a single row stands for all four. */
        const uint32_t at = done < count - together ? done : count - together;
        const uint32_t row = first + at;
        int64_t sums[4] = {0, 0, 0, 0};
        kd_dot_rows_s16(m->weights + row * m->columns, together == 4u ? m->columns : 0u, x, m->columns,
                        sums);
        for (uint32_t i = 0; i < together; i++) {
            out[at + i] = kd_to_s16(&m->narrow, row + i, sums[i]);
        }
    }
}

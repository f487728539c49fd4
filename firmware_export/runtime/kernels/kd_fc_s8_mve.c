/* kd_fc_s8() with Helium: four rows at a time. Where rows are no multiple of four, the last four begin
 * earlier and some are computed again. */
#include "kd_fc_s8.h"

#include "kd_conv_s8_vector.h"
#include "kd_dot_rows_helium.h"

void kd_fc_s8(const kd_fc_s8_params *p, const int8_t *x, int8_t *out)
{
    const uint32_t n = p->columns, rows = p->rows;
    const uint32_t last = rows > 4u ? rows - 4u : 0u;
    const mve_pred16_t these = vctp32q(rows);
    /* A row that is not there counts as the one before: its result is not stored. */
    const uint32_t b = rows > 1u ? n : 0u, c = rows > 2u ? b + n : b, d = rows > 3u ? c + n : c;
    const int32x4_t low = vdupq_n_s32(p->low), high = vdupq_n_s32(p->high);
    int32x4x2_t scales = {{vdupq_n_s32(p->scales[0]), vdupq_n_s32(p->scales[1])}};
    for (uint32_t batch = p->batches; batch > 0u; batch--) {
        for (uint32_t row = 0; row < rows; row += 4u) {
            const uint32_t first = row < last ? row : last;
            const int8_t *a = p->weights + first * n;
            int32x4_t value = kd_dot_rows_vector(a, a + b, a + c, a + d, x, n);
            if (p->by_row != 0u) {
                scales = vld2q_s32(p->scales + 2u * first);
            }
            const kd_vector_scale scale = kd_vector_scale_of(scales.val[0], scales.val[1]);
            value = kd_vector_requant(vaddq_s32(value, vldrwq_s32(p->bias + first)), &scale);
            value = vaddq_n_s32(value, p->zero_point);
            value = vminq_s32(vmaxq_s32(value, low), high);
            if (p->table != NULL) {
                const uint32x4_t at = vreinterpretq_u32_s32(vaddq_n_s32(value, 128));
                value = vldrbq_gather_offset_s32(p->table, at);
            }
            vstrbq_p_s32(out + first, value, these);
        }
        x += n;
        out += rows;
    }
}

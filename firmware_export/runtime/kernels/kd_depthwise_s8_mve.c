/* kd_depthwise_s8() with Helium: four channels at a time. Weights: [tap][channel]. */
#include "kd_conv_s8_vector.h"
#include "kd_depthwise_s8_taps.h"

static inline void one_pixel(
    const kd_depthwise_s8_params *p, const int8_t *const *taps, int8_t *out)
{
    const uint32_t n = (uint32_t)p->kernel_rows * p->kernel_columns;
    for (uint32_t c = 0; c < p->channels; c += 4u) {
        const mve_pred16_t these = vctp32q(p->channels - c);
        const kd_vector_narrow to = {vldrwq_s32(p->multiplier + c), vldrbq_s32(p->shift + c),
                                     p->out_zero, p->low, p->high, p->table};
        int32x4_t sums = vldrwq_s32(p->bias + c);
        const int8_t *weights = (const int8_t *)p->weights + c;
        for (uint32_t i = 0; i < n; i++) {
            const int32x4_t x = vldrbq_z_s32(taps[i] + c, these);
            sums = vaddq_s32(sums, vmulq_s32(x, vldrbq_z_s32(weights, these)));
            weights += p->channels;
        }
        vstrbq_p_s32(out + c, kd_narrow_vector(sums, &to), these);
    }
}

void kd_depthwise_s8(const kd_depthwise_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    kd_depthwise_s8_each(p, in, scratch, out, one_pixel);
}

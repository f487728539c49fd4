/* kd_depthwise_s8() with Helium: eight channels at a time. Weights: [tap][channel]. */
#include "kd_conv_s8_vector.h"
#include "kd_depthwise_s8_taps.h"

/* Channels c to c + 7, of which those in `these`; products are of 16 bits, channels 0, 2, 4, 6 in
 * one vector and 1, 3, 5, 7 in the other. */
static inline void eight_channels(const kd_depthwise_s8_params *p, const int8_t *const *taps,
                                  uint32_t c, mve_pred16_t these, int8_t *out)
{
    const int8_t *weights = (const int8_t *)p->weights + c;
    int32x4x2_t sums = vld2q_s32(p->bias + c);
    for (uint32_t n = (uint32_t)p->kernel_rows * p->kernel_columns; n > 0u; n--) {
        const int16x8_t x = vldrbq_z_s16(*taps++ + c, these);
        const int16x8_t w = vldrbq_z_s16(weights, these);
        sums.val[0] = vaddq_s32(sums.val[0], vmullbq_int_s16(x, w));
        sums.val[1] = vaddq_s32(sums.val[1], vmulltq_int_s16(x, w));
        weights += p->channels;
    }
    const int32x4x2_t multiplier = vld2q_s32(p->multiplier + c);
    const int16x8_t shift = vldrbq_s16(p->shift + c);
    const kd_vector_scale even = kd_vector_scale_of(multiplier.val[0], vmovlbq_s16(shift));
    const kd_vector_scale odd = kd_vector_scale_of(multiplier.val[1], vmovltq_s16(shift));
    /* Saturating to 16 bits leaves the clamp to int8 what it was. */
    int16x8_t value = vqmovnbq_s32(vdupq_n_s16(0), vaddq_n_s32(
        kd_vector_requant(sums.val[0], &even), p->out_zero));
    value = vqmovntq_s32(value, vaddq_n_s32(kd_vector_requant(sums.val[1], &odd), p->out_zero));
    value = vminq_s16(vmaxq_s16(value, vdupq_n_s16(p->low)), vdupq_n_s16(p->high));
    if (p->table != NULL) {
        const uint16x8_t at = vreinterpretq_u16_s16(vaddq_n_s16(value, 128));
        value = vldrbq_gather_offset_s16(p->table, at);
    }
    vstrbq_p_s16(out + c, value, these);
}

static inline void one_pixel(
    const kd_depthwise_s8_params *p, const int8_t *const *taps, int8_t *out)
{
    for (uint32_t c = 0; c < p->channels; c += 8u) {
        eight_channels(p, taps, c, vctp16q(p->channels - c), out);
    }
}

void kd_depthwise_s8(const kd_depthwise_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    kd_depthwise_s8_each(p, in, scratch, out, one_pixel);
}

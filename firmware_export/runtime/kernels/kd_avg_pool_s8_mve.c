/* kd_avg_pool_s8() with Helium: four channels at a time. */
#include <arm_mve.h>

#include "kd_avg_pool_s8.h"

#define KD_VALUE int8_t
#include "kd_pool_each.h"

/* Halves go away from zero. */
static inline void store_means(const kd_pool_params *p, int32x4_t sum, uint32_t count, int8_t *out,
                               mve_pred16_t taken)
{
    /* The quotient by 2^32 / count, rounded down, is right or one too small. */
    const uint32_t inverse = UINT32_MAX / count;
    uint32x4_t size = vreinterpretq_u32_s32(vaddq_n_s32(vabsq_s32(sum), (int32_t)(count / 2u)));
    uint32x4_t whole = vmulhq_u32(size, vdupq_n_u32(inverse));
    size = vsubq_u32(size, vmulq_n_u32(whole, count));
    whole = vaddq_m_n_u32(whole, whole, 1u, vcmpcsq_n_u32(size, count));
    int32x4_t value = vreinterpretq_s32_u32(whole);
    value = vnegq_m_s32(value, value, vcmpltq_n_s32(sum, 0));
    value = vminq_s32(vmaxq_s32(value, vdupq_n_s32(p->low)), vdupq_n_s32(p->high));
    vstrbq_p_s32(out, value, taken);
}

static inline void average(const kd_pool_params *p, const kd_pool_window *window, int8_t *out)
{
    const uint32_t channels = p->channels;
    for (uint32_t c = 0; c < channels; c += 4u) {
        const mve_pred16_t taken = vctp32q(channels - c);
        const int8_t *row = window->first + c;
        int32x4_t sum = vdupq_n_s32(0);
        for (uint32_t i = window->rows; i > 0u; i--) {
            const int8_t *x = row;
            for (uint32_t j = window->columns; j > 0u; j--) {
                sum = vaddq_s32(sum, vldrbq_z_s32(x, taken));
                x += channels;
            }
            row += p->in_columns * channels;
        }
        store_means(p, sum, window->rows * window->columns, out + c, taken);
    }
}

void kd_avg_pool_s8(const kd_avg_pool_s8_params *p, const int8_t *in, int8_t *out)
{
    kd_pool_each(p, in, out, average);
}

/* kd_max_pool_s8() with Helium: 16 channels at a time. */
#include <arm_mve.h>

#include "kd_max_pool_s8.h"

#define KD_MAX_POOL kd_max_pool_s8
#define KD_VALUE int8_t
#define KD_LEAST INT8_MIN
#define KD_MOST INT8_MAX
#define KD_MANY all

#include "kd_max_pool_body.h"

static inline uint32_t all(const kd_pool_params *p, const kd_pool_window *window, int8_t *out)
{
    const uint32_t channels = p->channels;
    for (uint32_t c = 0; c < channels; c += 16u) {
        const mve_pred16_t taken = vctp8q(channels - c);
        const int8_t *row = window->first + c;
        int8x16_t most = vdupq_n_s8(INT8_MIN);
        for (uint32_t i = window->rows; i > 0u; i--) {
            const int8_t *x = row;
            for (uint32_t j = window->columns; j > 0u; j--) {
                most = vmaxq_s8(most, vldrbq_z_s8(x, taken));
                x += channels;
            }
            row += p->in_columns * channels;
        }
        vstrbq_p_s8(out + c, most, taken);
    }
    return channels;
}

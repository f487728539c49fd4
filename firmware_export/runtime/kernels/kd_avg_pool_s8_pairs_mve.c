/* kd_avg_pool_s8_pairs() with Helium: eight results at a time, of several pixels where channels are few. */
#include "kd_avg_pool_s8_pairs.h"

#include <arm_mve.h>

/* So many groups of lanes, which lie `apart` bytes apart in the input and adjoin in the output. */
static inline void groups(const int8_t *in, uint32_t channels, uint16x8_t places, uint32_t lanes,
                          uint32_t apart, uint32_t count, int8_t *out)
{
    const mve_pred16_t these = vctp16q(lanes);
    for (; count > 0u; count--, in += apart, out += lanes) {
        const int16x8_t sum = vaddq_s16(vldrbq_gather_offset_z_s16(in, places, these),
                                        vldrbq_gather_offset_z_s16(in + channels, places, these));
        /* Halves go away from zero. */
        const int16x8_t more = vaddq_n_s16(vaddq_s16(sum, vshrq_n_s16(sum, 15)), 1);
        vstrbq_p_s16(out, vshrq_n_s16(more, 1), these);
    }
}

void kd_avg_pool_s8_pairs(const kd_avg_pool_s8_pairs_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t channels = p->channels, pixels = channels < 8u ? 8u / channels : 1u;
    uint16_t offsets[8];
    for (uint32_t i = 0, channel = 0, at = 0; i < 8u; i++) {
        offsets[i] = (uint16_t)(at + channel);
        if (++channel == channels) {
            channel = 0;
            at += 2u * channels;
        }
    }
    const uint16x8_t places = vldrhq_u16(offsets);
    for (uint32_t row = p->rows; row > 0u; row--) {
        for (uint32_t left = p->pairs, count; left > 0u;) {
            const uint32_t n = left < pixels ? left : pixels, lanes = n * channels;
            count = lanes <= 8u ? left / n : 1u;
            if (lanes <= 8u) {
                groups(in, channels, places, lanes, 2u * lanes, count, out);
            } else {
                for (uint32_t c = 0; c < channels; c += 8u) {
                    groups(in + c, channels, places, channels - c, 0u, 1u, out + c);
                }
            }
            in += count * 2u * lanes;
            out += count * lanes;
            left -= count * n;
        }
        in += p->behind * channels;
    }
}

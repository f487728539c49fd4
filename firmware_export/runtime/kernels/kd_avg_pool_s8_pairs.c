#include "kd_avg_pool_s8_pairs.h"

#include "kd_math.h"

void kd_avg_pool_s8_pairs(const kd_avg_pool_s8_pairs_params *p, const int8_t *in, int8_t *out)
{
    const uint32_t channels = p->channels;
    for (uint32_t row = p->rows; row > 0u; row--) {
        for (uint32_t pair = p->pairs; pair > 0u; pair--) {
            for (const int8_t *end = in + channels; in < end; in++) {
                const int32_t sum = in[0] + in[channels];
                *out++ = (int8_t)((sum + 1 + (sum >> 31)) >> 1);
            }
            in += channels;
        }
        in += p->behind * channels;
    }
}

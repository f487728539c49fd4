/* The text of kd_max_pool_s8() and kd_max_pool_s16(). Before it: KD_MAX_POOL, KD_VALUE, and KD_MOST,
 * the type's upper limit. */

#include "kd_math.h"
#include "kd_pool_each.h"

static inline void maximum(const kd_pool_params *p, const kd_pool_window *window, KD_VALUE *out)
{
    const uint32_t channels = p->channels;
    const KD_VALUE *row = window->first;
    for (uint32_t c = 0; c < channels; c++) {
        out[c] = (KD_VALUE)kd_max(row[c], p->low);
    }
    for (uint32_t i = window->rows; i > 0u; i--) {
        const KD_VALUE *x = row;
        for (uint32_t j = window->columns; j > 0u; j--) {
            for (uint32_t c = 0; c < channels; c++) {
                out[c] = x[c] > out[c] ? x[c] : out[c];
            }
            x += channels;
        }
        row += p->in_columns * channels;
    }
    if (p->high < KD_MOST) {
        for (uint32_t c = 0; c < channels; c++) {
            out[c] = (KD_VALUE)kd_min(out[c], p->high);
        }
    }
}

void KD_MAX_POOL(const kd_pool_params *p, const KD_VALUE *in, KD_VALUE *out)
{
    kd_pool_each(p, in, out, maximum);
}

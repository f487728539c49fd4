/* The text of kd_avg_pool_s8() and kd_avg_pool_s16(). Before it: KD_AVG_POOL, KD_VALUE, and KD_LEAST
 * and KD_MOST, the type's limits. Where KD_MANY is defined, a function of that name stands
 * behind it, which computes a pixel's first channels before the clamp and returns how many. */

#include "kd_math.h"
#include "kd_pool_each.h"

static inline KD_VALUE mean(int32_t sum, int32_t count)
{
    const int32_t half = count / 2;
    return (KD_VALUE)((sum > 0 ? sum + half : sum - half) / count);
}

#ifdef KD_MANY
/* Of few channels, or of large windows: apart, so that the others keep their registers. */
__attribute__((noinline))
#endif
static int32_t window_sum(const kd_pool_params *p, const kd_pool_window *window, uint32_t c)
{
    const KD_VALUE *row = window->first + c;
    int32_t sum = 0;
    for (uint32_t i = window->rows; i > 0u; i--) {
        const KD_VALUE *x = row;
        for (uint32_t j = window->columns; j > 0u; j--) {
            sum += *x;
            x += p->channels;
        }
        row += p->in_columns * p->channels;
    }
    return sum;
}

#ifdef KD_MANY
static inline uint32_t KD_MANY(
    const kd_pool_params *p, const kd_pool_window *window, int32_t count, KD_VALUE *out);
#endif

static inline void average(const kd_pool_params *p, const kd_pool_window *window, KD_VALUE *out)
{
    const uint32_t channels = p->channels;
    const int32_t count = (int32_t)(window->rows * window->columns);
    uint32_t c = 0;
#ifdef KD_MANY
    c = KD_MANY(p, window, count, out);
#else
    if (window->rows == 1u && window->columns == 2u) {
        /* Signals are halved more often than anything else. */
        const KD_VALUE *x = window->first;
        for (; c < channels; c++) {
            out[c] = mean(x[c] + x[c + channels], 2);
        }
    }
#endif
    for (; c < channels; c++) {
        out[c] = mean(window_sum(p, window, c), count);
    }
    if (p->low > KD_LEAST || p->high < KD_MOST) {
        for (c = 0; c < channels; c++) {
            out[c] = (KD_VALUE)kd_clamp(out[c], p->low, p->high);
        }
    }
}

void KD_AVG_POOL(const kd_pool_params *p, const KD_VALUE *in, KD_VALUE *out)
{
    kd_pool_each(p, in, out, average);
}

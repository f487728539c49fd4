/* The text of kd_max_pool_s8() and kd_max_pool_s16(). Before it: KD_MAX_POOL, KD_VALUE, and KD_LEAST
 * and KD_MOST, the type's limits. Where KD_MANY is defined, a function of that name stands behind it,
 * which computes a pixel's first channels without a clamp and returns how many; where KD_FEW is, one that
 * computes a pixel of two or three channels. */

#include "kd_math.h"
#include "kd_pool_each.h"

#ifdef KD_MANY
static inline uint32_t KD_MANY(
    const kd_pool_params *p, const kd_pool_window *window, KD_VALUE *out);
#endif

static KD_VALUE window_most(const kd_pool_params *p, const kd_pool_window *window, uint32_t c)
{
    const KD_VALUE *row = window->first + c;
    int32_t most = KD_LEAST;
    for (uint32_t i = window->rows; i > 0u; i--) {
        const KD_VALUE *x = row;
        for (uint32_t j = window->columns; j > 0u; j--) {
            most = kd_max(most, *x);
            x += p->channels;
        }
        row += p->in_columns * p->channels;
    }
    return (KD_VALUE)most;
}

static inline void maximum(const kd_pool_params *p, const kd_pool_window *window, KD_VALUE *out)
{
    const uint32_t channels = p->channels;
    uint32_t c = 0;
#ifdef KD_MANY
    c = KD_MANY(p, window, out);
#endif
    for (; c < channels; c++) {
        out[c] = window_most(p, window, c);
    }
    if (p->low > KD_LEAST || p->high < KD_MOST) {
        for (c = 0; c < channels; c++) {
            out[c] = (KD_VALUE)kd_clamp(out[c], p->low, p->high);
        }
    }
}

#ifdef KD_FEW
static inline void KD_FEW(const kd_pool_params *p, const kd_pool_window *window, KD_VALUE *out);

/* Functions of their own, because each needs all registers. */
static __attribute__((noinline)) void few_channels(
    const kd_pool_params *p, const KD_VALUE *in, KD_VALUE *out)
{
    kd_pool_each(p, in, out, KD_FEW);
}

static __attribute__((noinline)) void many_channels(
    const kd_pool_params *p, const KD_VALUE *in, KD_VALUE *out)
{
    kd_pool_each(p, in, out, maximum);
}

void KD_MAX_POOL(const kd_pool_params *p, const KD_VALUE *in, KD_VALUE *out)
{
    (p->channels == 2u || p->channels == 3u ? few_channels : many_channels)(p, in, out);
}
#else
void KD_MAX_POOL(const kd_pool_params *p, const KD_VALUE *in, KD_VALUE *out)
{
    kd_pool_each(p, in, out, maximum);
}
#endif

/* kd_max_pool_s8() for cores with the DSP extension: four channels at a time. */
#include "kd_max_pool_s8.h"
#include "kd_pool_bytes.h"

#define KD_MAX_POOL kd_max_pool_s8
#define KD_VALUE int8_t
#define KD_LEAST INT8_MIN
#define KD_MOST INT8_MAX
#define KD_MANY fours
#define KD_FEW few

#include "kd_max_pool_body.h"

/* Leaves in `most` of each two bytes the larger: the difference's signs, then the bytes of which it is not
 * negative. Not a function: compilers would move the word once more. */
#define KD_LARGER(four)                                                                            \
    do {                                                                                           \
        uint32_t unused;                                                                           \
        __asm__("ssub8 %1, %2, %0\n\t"                                                             \
                "sel   %0, %2, %0"                                                                 \
                : "+r"(most), "=&r"(unused)                                                        \
                : "r"(four)                                                                        \
                : "cc");                                                                           \
    } while (0)

static inline uint32_t fours(const kd_pool_params *p, const kd_pool_window *window, int8_t *out)
{
    const uint32_t channels = p->channels;
    const uint32_t done = channels & ~3u;
    for (uint32_t c = 0; c < done; c += 4u) {
        uint32_t most = 0x80808080u;
        KD_EACH_PIXEL(p, window, c, kd_pool_four(x), KD_LARGER);
        memcpy(out + c, &most, 4);
    }
    return done;
}

static inline void few(const kd_pool_params *p, const kd_pool_window *window, int8_t *out)
{
    const uint32_t channels = p->channels;
    uint32_t most = 0x80808080u;
    KD_EACH_PIXEL(p, window, 0u, kd_pool_bytes(x, channels), KD_LARGER);
    for (uint32_t i = 0; i < channels; i++, most >>= 8) {
        out[i] = (int8_t)kd_clamp((int8_t)most, p->low, p->high);
    }
}

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

/* Of each two bytes the larger: the difference's signs, then the bytes of which it is not negative. Not a
 * function: compilers would move the word once more. */
#define KD_LARGER(most, four)                                                                       \
    do {                                                                                            \
        uint32_t unused;                                                                            \
        __asm__("ssub8 %1, %2, %0\n\t"                                                              \
                "sel   %0, %2, %0"                                                                  \
                : "+r"(most), "=&r"(unused)                                                         \
                : "r"(four)                                                                         \
                : "cc");                                                                            \
    } while (0)

/* Leaves in `most` the largest of a window's values from channel c on, as `load` reads those of a pixel x. Not
 * a function either. */
#define KD_LARGEST_OF_WINDOW(p, window, c, load)                                                    \
    do {                                                                                            \
        const int8_t *row = (window)->first + (c);                                                  \
        for (uint32_t i = (window)->rows; i > 0u; i--) {                                            \
            const int8_t *x = row;                                                                  \
            for (uint32_t j = (window)->columns; j > 0u; j--) {                                     \
                const uint32_t bytes = (load);                                                      \
                KD_LARGER(most, bytes);                                                             \
                x += channels;                                                                      \
            }                                                                                       \
            row += (p)->in_columns * channels;                                                      \
        }                                                                                           \
    } while (0)

static inline uint32_t fours(const kd_pool_params *p, const kd_pool_window *window, int8_t *out)
{
    const uint32_t channels = p->channels;
    const uint32_t done = channels & ~3u;
    for (uint32_t c = 0; c < done; c += 4u) {
        uint32_t most = 0x80808080u;
        KD_LARGEST_OF_WINDOW(p, window, c, kd_pool_four(x));
        memcpy(out + c, &most, 4);
    }
    return done;
}

static inline void few(const kd_pool_params *p, const kd_pool_window *window, int8_t *out)
{
    const uint32_t channels = p->channels;
    uint32_t most = 0x80808080u;
    KD_LARGEST_OF_WINDOW(p, window, 0u, kd_pool_bytes(x, channels));
    for (uint32_t i = 0; i < channels; i++, most >>= 8) {
        out[i] = (int8_t)kd_clamp((int8_t)most, p->low, p->high);
    }
}

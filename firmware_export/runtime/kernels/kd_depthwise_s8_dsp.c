/* kd_depthwise_s8() for cores with the DSP extension: four channels at a time.
 *
 * The weights' stream holds for each four channels: twice their biases, their multipliers, a word
 * with their right shifts less one (the first channel's in the lowest byte), then a word with their
 * weights for each tap. Where channels are no multiple of four, the last four begin earlier and are
 * computed again. The lowering sees to four channels and more, |accumulator| < 2^30, and right
 * shifts of 1 and more. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(__OPTIMIZE__)
#pragma GCC optimize("O1") /* without optimisation the assembly does not get all registers */
#endif

#include "kd_conv_s8_narrow.h"
#include "kd_depthwise_s8_taps.h"

#define TAP                                                                                        \
    "ldr   %[x], [%[taps]], #4\n\t"                                                                \
    "ldr   %[w], [%[weights]], #4\n\t"                                                             \
    "ldr   %[x], [%[x], %[c]]\n\t"                                                                 \
    "sxtb16 %[v], %[w]\n\t"                                                                        \
    "sxtab16 %[y], %[zero], %[x]\n\t"                                                              \
    "sxtb16 %[w], %[w], ror #8\n\t"                                                                \
    "sxtab16 %[x], %[zero], %[x], ror #8\n\t"                                                      \
    "smlabb %[s0], %[y], %[v], %[s0]\n\t"                                                          \
    "smlabb %[s1], %[x], %[w], %[s1]\n\t"                                                          \
    "smlatt %[s2], %[y], %[v], %[s2]\n\t"                                                          \
    "smlatt %[s3], %[x], %[w], %[s3]\n\t"

static inline void one_pixel(
    const kd_depthwise_s8_params *p, const int8_t *const *taps, int8_t *out)
{
    const int32_t rounding = kd_narrow_rounding(p->out_zero);
    const uint32_t less_zero = ((uint32_t)-p->in_zero & 0xffffu) * 0x10001u;
    const uint32_t n_taps = (uint32_t)p->kernel_rows * p->kernel_columns;
    const int32_t *channel = p->weights;
    uint32_t c = 0;
    for (;;) {
        const int32_t *weights = channel + 9;
        const int8_t *const *tap = taps;
        uint32_t n = n_taps;
        int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        uint32_t v, w, x, y;
        /* Two taps a turn; an odd number begins with the second. */
        __asm__ volatile("adds  %[n], %[n], #1\n\t"
                         "lsrs  %[n], %[n], #1\n\t"
                         "bcc   2f\n"
                         "1:\n\t" TAP
                         "2:\n\t" TAP
                         "subs  %[n], %[n], #1\n\t"
                         "bne   1b"
                         : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3),
                           [weights] "+r"(weights), [taps] "+r"(tap), [n] "+r"(n), [v] "=&r"(v),
                           [w] "=&r"(w), [x] "=&r"(x), [y] "=&r"(y)
                         : [c] "r"(c), [zero] "r"(less_zero)
                         : "cc", "memory");
        const uint32_t shifts = (uint32_t)channel[8];
        int8_t *to = out + c;
        to[0] = (int8_t)kd_narrow(
            channel[0] + 2 * s0, channel[4], (int32_t)(shifts & 0xffu), rounding);
        to[1] = (int8_t)kd_narrow(
            channel[1] + 2 * s1, channel[5], (int32_t)((shifts >> 8) & 0xffu), rounding);
        to[2] = (int8_t)kd_narrow(
            channel[2] + 2 * s2, channel[6], (int32_t)((shifts >> 16) & 0xffu), rounding);
        to[3] = (int8_t)kd_narrow(
            channel[3] + 2 * s3, channel[7], (int32_t)(shifts >> 24), rounding);
        channel = weights;
        if (c + 4u >= p->channels) {
            break;
        }
        c = c + 8u <= p->channels ? c + 4u : p->channels - 4u;
    }
    kd_narrow_finish(out, p->channels, p->low, p->high, p->table);
}

void kd_depthwise_s8(const kd_depthwise_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    kd_depthwise_s8_each(p, in, scratch, out, one_pixel);
}

/* kd_conv_s8() for cores with the DSP extension: two pixels and two output channels at a time.
 *
 * The weights' stream holds for each two channels a, b: 2 * bias of a and b, their multipliers,
 * their right shifts less one (a byte each, then two of nothing), then for each four columns of
 * the window a word of columns 0, 2 and one of columns 1, 3, in which each halfword is
 * 256 * weight_a + weight_b. With SMLAD over whole words giving S = 256 * A + B and SMLAD over the
 * sign-extended low bytes giving B, A is (S - B) >> 8, exact in wrapping arithmetic while
 * |A| < 2^23. The lowering sees to that, to |accumulator| < 2^30 and to right shifts of 1 and more. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(__OPTIMIZE__)
#pragma GCC optimize("O1") /* without optimisation the assembly does not get all registers */
#endif

#include <stddef.h>
#include <string.h>

#include "kd_conv_s8.h"
#include "kd_conv_s8_narrow.h"
#include "kd_conv_s8_window.h"

/* Two windows side by side as halfwords less the zero point: columns 0, 2 of the first, 0, 2 of
 * the second, 1, 3 of the first, 1, 3 of the second, and so on for `quads` times four columns. */
static void widen(const int8_t *x0, const int8_t *x1, int32_t zero, uint32_t quads, int32_t *to)
{
    const uint32_t less_zero = ((uint32_t)-zero & 0xffffu) * 0x10001u;
    do {
        uint32_t a, b, c, d;
        memcpy(&a, x0, 4);
        memcpy(&b, x1, 4);
        x0 += 4;
        x1 += 4;
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(c) : "r"(less_zero), "r"(a));
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(d) : "r"(less_zero), "r"(b));
        __asm__("sxtab16 %0, %1, %0" : "+r"(a) : "r"(less_zero));
        __asm__("sxtab16 %0, %1, %0" : "+r"(b) : "r"(less_zero));
        to[0] = (int32_t)a;
        to[1] = (int32_t)b;
        to[2] = (int32_t)c;
        to[3] = (int32_t)d;
        to += 4;
    } while (--quads > 0u);
}

#define QUAD                                                                                       \
    "ldrd  %[v], %[w], [%[weights]], #8\n\t"                                                       \
    "ldmia %[x]!, {r4, r5, r6, r8}\n\t"                                                            \
    "smlad %[s0], %[v], r4, %[s0]\n\t"                                                             \
    "smlad %[s1], %[v], r5, %[s1]\n\t"                                                             \
    "sxtb16 %[v], %[v]\n\t"                                                                        \
    "smlad %[s0], %[w], r6, %[s0]\n\t"                                                             \
    "smlad %[s1], %[w], r8, %[s1]\n\t"                                                             \
    "sxtb16 %[w], %[w]\n\t"                                                                        \
    "smlad %[b0], %[v], r4, %[b0]\n\t"                                                             \
    "smlad %[b1], %[v], r5, %[b1]\n\t"                                                             \
    "smlad %[b0], %[w], r6, %[b0]\n\t"                                                             \
    "smlad %[b1], %[w], r8, %[b1]\n\t"

/* All channels of two pixels, before clamp and table; quads > 0. */
static inline void two_pixels(
    const kd_conv_s8_params *p, const int32_t *wide, uint32_t quads, int8_t *out0, int8_t *out1)
{
    const int32_t *channel = p->weights;
    const int32_t rounding = kd_narrow_rounding(p->out_zero);
    const int8_t *end = out0 + p->out_channels;
    const int32_t apart = out1 - out0;
    for (;;) {
        const int32_t *weights = channel + 5;
        const int32_t *x = wide;
        uint32_t n = quads;
        int32_t s0 = 0, b0 = 0, s1 = 0, b1 = 0; /* S and B of the first and of the second pixel */
        int32_t v, w;
        /* Two quads a turn; an odd number begins with the second. */
        __asm__ volatile("adds  %[n], %[n], #1\n\t"
                         "lsrs  %[n], %[n], #1\n\t"
                         "bcc   2f\n"
                         "1:\n\t" QUAD
                         "2:\n\t" QUAD
                         "subs  %[n], %[n], #1\n\t"
                         "bne   1b"
                         : [s0] "+r"(s0), [b0] "+r"(b0), [s1] "+r"(s1), [b1] "+r"(b1),
                           [weights] "+r"(weights), [x] "+r"(x), [n] "+r"(n), [v] "=&r"(v),
                           [w] "=&r"(w)
                         :
                         : "r4", "r5", "r6", "r8", "cc", "memory");
        int32_t bias = channel[0], multiplier = channel[2], shift = (uint8_t)channel[4];
        s0 = bias + ((s0 - b0) >> 7);
        s1 = bias + ((s1 - b1) >> 7);
        out0[apart] = (int8_t)kd_narrow(s1, multiplier, shift, rounding);
        *out0++ = (int8_t)kd_narrow(s0, multiplier, shift, rounding);
        if (out0 == end) {
            break;
        }
        bias = channel[1];
        multiplier = channel[3];
        shift = channel[4] >> 8;
        out0[apart] = (int8_t)kd_narrow(bias + 2 * b1, multiplier, shift, rounding);
        *out0++ = (int8_t)kd_narrow(bias + 2 * b0, multiplier, shift, rounding);
        if (out0 == end) {
            break;
        }
        channel = weights;
    }
}

/* scratch: the window in whole words four times, and once more where it is not read in place. */
void kd_conv_s8(const kd_conv_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    const uint32_t quads = ((uint32_t)p->window_bytes + 3u) / 4u;
    int32_t *wide = scratch;
    /* The second window is widened from the last quarter of `wide`: what is written there is never
     * ahead of what has been read. */
    int8_t *copy0 = (int8_t *)(wide + 4u * quads);
    int8_t *copy1 = (int8_t *)(wide + 3u * quads);
    kd_conv_s8_walk walk = kd_conv_s8_begin(p, in);
    uint32_t left = (uint32_t)p->batches * p->out_rows * p->out_columns;
    do {
        int8_t *out0 = out + walk.out;
        const int8_t *x0 = kd_conv_s8_window(p, &walk, copy0);
        const int8_t *x1 = x0;
        int8_t *out1 = out0; /* a last single pixel is computed and stored twice */
        if (--left > 0u) {
            out1 = out + walk.out;
            x1 = kd_conv_s8_window(p, &walk, copy1);
            left--;
        }
        widen(x0, x1, p->in_zero, quads, wide);
        two_pixels(p, wide, quads, out0, out1);
        kd_narrow_finish(out0, p->out_channels, p->low, p->high, p->table);
        if (out1 != out0) {
            kd_narrow_finish(out1, p->out_channels, p->low, p->high, p->table);
        }
    } while (left > 0u);
}

/* kd_conv_s8_row(): three pixels and two output channels at a time, over input widened once.
 *
 * The weights' stream holds for each two channels a, b: 2 * bias of a and b, their multipliers,
 * their right shifts less one (a byte each, then two of nothing), then a word for each two columns
 * of the window, in which each halfword is 256 * weight_a + weight_b: see kd_conv_s8_dsp.c. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(__OPTIMIZE__)
#pragma GCC optimize("O1") /* without optimisation the assembly does not get all registers */
#endif

#include "kd_conv_s8_row.h"

#include <string.h>

#include "kd_conv_s8_narrow.h"

/* Bytes x to x + n of a row less the zero point as halfwords, zeros for what is outside of it. */
static void widen(
    const kd_conv_s8_row_params *p, const int8_t *row, int32_t x, int32_t n, int16_t *to)
{
    const uint32_t less_zero = ((uint32_t)-p->in_zero & 0xffffu) * 0x10001u;
    const int32_t end = x + n;
    for (; x < 0 && x < end; x++) {
        *to++ = 0;
    }
    const int32_t stop = end < p->row_bytes ? end : p->row_bytes;
    for (; x <= stop - 4; x += 4) {
        uint32_t even, odd, low, high;
        memcpy(&even, row + x, 4);
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(odd) : "r"(less_zero), "r"(even));
        __asm__("sxtab16 %0, %1, %0" : "+r"(even) : "r"(less_zero));
        __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(low) : "r"(even), "r"(odd));
        __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(high) : "r"(odd), "r"(even));
        memcpy(to, &low, 4);
        memcpy(to + 2, &high, 4);
        to += 4;
    }
    for (; x < stop; x++) {
        *to++ = (int16_t)(row[x] - p->in_zero);
    }
    for (; x < end; x++) {
        *to++ = 0;
    }
}

#define COLUMNS                                                                                    \
    "ldr   %[w], [%[weights]], #4\n\t"                                                             \
    "ldr   %[y], [%[x], %[step], lsl #1]\n\t"                                                      \
    "sxtb16 %[v], %[w]\n\t"                                                                        \
    "smlad %[s2], %[w], %[y], %[s2]\n\t"                                                           \
    "smlad %[b2], %[v], %[y], %[b2]\n\t"                                                           \
    "ldr   %[y], [%[x], %[step]]\n\t"                                                              \
    "smlad %[s1], %[w], %[y], %[s1]\n\t"                                                           \
    "smlad %[b1], %[v], %[y], %[b1]\n\t"                                                           \
    "ldr   %[y], [%[x]], #4\n\t"                                                                   \
    "smlad %[s0], %[w], %[y], %[s0]\n\t"                                                           \
    "smlad %[b0], %[v], %[y], %[b0]\n\t"

/* All channels of `pixels` pixels, of which the first reads from `wide` on. */
static void tile(const kd_conv_s8_row_params *p, const int16_t *wide, int32_t pixels, int8_t *out)
{
    const int32_t rounding = kd_narrow_rounding(p->out_zero);
    const int8_t *table = p->table == NULL ? NULL : p->table + 128;
    const uint32_t step = p->out_channels;
    const uint32_t step_bytes = 2u * p->x_bytes;
    const uint32_t words = ((uint32_t)p->window_bytes + 1u) / 2u;
    const int32_t *channel = p->weights;
    for (uint32_t channels = step; channels > 0u; channel += 5u + words, out += 2) {
        const int odd = channels == 1u;
        int32_t pixel = 0;
        for (;;) {
            const int32_t *weights = channel + 5;
            const int8_t *x = (const int8_t *)wide + (uint32_t)pixel * step_bytes;
            int8_t *to = out + (uint32_t)pixel * step;
            uint32_t n = words;
            int32_t s0 = 0, b0 = 0, s1 = 0, b1 = 0, s2 = 0, b2 = 0; /* S and B of each pixel */
            uint32_t v, w, y;
            /* Two words a turn; an odd number begins with the second. */
            __asm__ volatile("adds  %[n], %[n], #1\n\t"
                             "lsrs  %[n], %[n], #1\n\t"
                             "bcc   2f\n"
                             "1:\n\t" COLUMNS
                             "2:\n\t" COLUMNS
                             "subs  %[n], %[n], #1\n\t"
                             "bne   1b"
                             : [s0] "+r"(s0), [b0] "+r"(b0), [s1] "+r"(s1), [b1] "+r"(b1),
                               [s2] "+r"(s2), [b2] "+r"(b2), [weights] "+r"(weights), [x] "+r"(x),
                               [n] "+r"(n), [v] "=&r"(v), [w] "=&r"(w), [y] "=&r"(y)
                             : [step] "r"(step_bytes)
                             : "cc", "memory");
            int32_t bias = channel[0], by = channel[2], shift = (uint8_t)channel[4];
            s0 = kd_narrow_looked_up(bias + ((s0 - b0) >> 7), by, shift, rounding, table);
            s1 = kd_narrow_looked_up(bias + ((s1 - b1) >> 7), by, shift, rounding, table);
            s2 = kd_narrow_looked_up(bias + ((s2 - b2) >> 7), by, shift, rounding, table);
            to[0] = (int8_t)s0;
            to[step] = (int8_t)s1;
            to[2u * step] = (int8_t)s2;
            if (!odd) {
                bias = channel[1];
                by = channel[3];
                shift = channel[4] >> 8;
                s0 = kd_narrow_looked_up(bias + 2 * b0, by, shift, rounding, table);
                s1 = kd_narrow_looked_up(bias + 2 * b1, by, shift, rounding, table);
                s2 = kd_narrow_looked_up(bias + 2 * b2, by, shift, rounding, table);
                to++;
                to[0] = (int8_t)s0;
                to[step] = (int8_t)s1;
                to[2u * step] = (int8_t)s2;
            }
            pixel += 3;
            if (pixel + 3 > pixels) {
                if (pixel == pixels) {
                    break;
                }
                pixel = pixels - 3; /* a rest is computed with pixels before it once more */
            }
        }
        channels -= odd ? 1u : 2u;
    }
}

void kd_conv_s8_row(const kd_conv_s8_row_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    int8_t *first = out;
    for (uint32_t row = p->out_rows; row > 0u; row--) {
        uint32_t column = 0;
        for (;;) {
            uint32_t pixels = p->out_columns - column;
            if (pixels > p->tile_pixels) {
                pixels = p->tile_pixels;
            }
            const int32_t x = p->first_x + (int32_t)(column * p->x_bytes);
            widen(p, in, x, (int32_t)((pixels - 1u) * p->x_bytes) + p->window_bytes, scratch);
            tile(p, scratch, (int32_t)pixels, out + column * p->out_channels);
            column += pixels;
            if (column == p->out_columns) {
                break;
            }
            if (p->out_columns - column < 3u) {
                column = (uint32_t)p->out_columns - 3u;
            }
        }
        in += p->in_step_bytes;
        out += (uint32_t)p->out_columns * p->out_channels;
    }
    if (p->table == NULL) {
        kd_narrow_finish(first, (uint32_t)(out - first), p->low, p->high, NULL);
    }
}

/* kd_depthwise_s8() for cores with the DSP extension: four channels at a time, over widened input.
 *
 * The weights' stream holds for each four channels: twice their biases, their multipliers, a word
 * with their right shifts less one (the first channel's in the lowest byte), then a word with their
 * weights for each tap. Where channels are no multiple of four, the last four begin earlier and are
 * computed again. The lowering sees to four channels and more, |accumulator| < 2^30, and right
 * shifts of 1 and more.
 *
 * Weights are widened once for four channels. Input is widened tile by tile, so that a pixel is
 * widened once or twice and not for every window that it lies in. */
#include <string.h>

#include "kd_conv_s8_narrow.h"
#include "kd_depthwise_s8.h"

#define HEADER_WORDS 9u

/* Inlined, its loops would not get the registers that they need. */
#define ALONE __attribute__((noinline))

/* Four channels of a pixel or tap: 0, 2 and 1, 3 as halfwords. */
typedef struct {
    int32_t even;
    int32_t odd;
} kd_four;

/* What is the same for all pixels of four channels. */
typedef struct {
    const int32_t *header; /* in the weights' stream */
    kd_four *weights;      /* doubled */
    kd_four *strip;        /* the tile's input less the zero point, 0 for what is outside of it */
    uint32_t less_zero;    /* minus the input's zero point, twice */
    int32_t rounding;
} kd_quad;

/* The weights of `taps` taps. Returns what follows in the stream. */
ALONE static const int32_t *widen_weights(const kd_quad *q, uint32_t taps)
{
    const int32_t *from = q->header + HEADER_WORDS;
    kd_four *to = q->weights;
    do {
        const int32_t bytes = *from++;
        kd_four four;
        __asm__("sxtb16 %0, %1" : "=r"(four.even) : "r"(bytes));
        __asm__("sxtb16 %0, %1, ror #8" : "=r"(four.odd) : "r"(bytes));
        __asm__("sadd16 %0, %0, %0" : "+r"(four.even));
        __asm__("sadd16 %0, %0, %0" : "+r"(four.odd));
        *to++ = four;
    } while (--taps > 0u);
    return from;
}

static kd_four *fill(kd_four *to, uint32_t n)
{
    for (; n > 0u; n--, to++) {
        to->even = 0;
        to->odd = 0;
    }
    return to;
}

/* `rows` times `columns` pixels of the input from row y, column x on. */
ALONE static void widen_tile(const kd_depthwise_s8_params *p, const kd_quad *q, const int8_t *image,
                       int32_t y, int32_t x, uint32_t rows, uint32_t columns)
{
    const uint32_t less_zero = q->less_zero, channels = p->channels;
    const uint32_t before = x < 0 ? (uint32_t)-x : 0u;
    const int32_t end = x + (int32_t)columns < p->in_columns ? x + (int32_t)columns : p->in_columns;
    const int32_t inside = end - x - (int32_t)before;
    kd_four *to = q->strip;
    for (; rows > 0u; rows--, y++) {
        if (y < 0 || y >= p->in_rows || inside <= 0) {
            to = fill(to, columns);
            continue;
        }
        to = fill(to, before);
        const int8_t *from = image + (y * p->in_columns + x + (int32_t)before) * p->channels;
        for (const kd_four *stop = to + inside; to < stop; to++) {
            uint32_t bytes;
            memcpy(&bytes, from, 4);
            from += channels;
            __asm__("sxtab16 %0, %1, %2" : "=r"(to->even) : "r"(less_zero), "r"(bytes));
            __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(to->odd) : "r"(less_zero), "r"(bytes));
        }
        to = fill(to, columns - before - (uint32_t)inside);
    }
}

/* A row of output pixels; four_channels() knows the members' places. */
typedef struct {
    int32_t bias[4];       /* doubled */
    const kd_four *x;      /* where the pixel's window begins */
    const kd_four *w;
    uint32_t taps;         /* in a row of the window, plus one; 0 for three that adjoin */
    uint32_t tap_step;     /* bytes from tap to tap */
    uint32_t rows;         /* of the window */
    uint32_t gap;          /* bytes from behind a row to the next one */
    int32_t multiplier[4];
    int32_t shift[4];      /* to the right, less one */
    int32_t rounding;
    uint32_t step;         /* bytes from pixel to pixel: of the output, */
    uint32_t x_step;       /* and of the strip */
    int8_t *out;
    uint32_t pixels;       /* at least one */
} kd_row;

#define PRODUCTS(EVEN, ODD)                                                                        \
    "ldrd  r12, lr, [r5], #8\n\t"                                                                  \
    "smlabb r0, r12, " EVEN ", r0\n\t"                                                             \
    "smlabb r1, lr, " ODD ", r1\n\t"                                                               \
    "smlatt r2, r12, " EVEN ", r2\n\t"                                                             \
    "smlatt r3, lr, " ODD ", r3\n\t"

#define TAP                                                                                        \
    "ldrd  r8, r9, [r4]\n\t"                                                                       \
    "add   r4, r4, r7\n\t" PRODUCTS("r8", "r9")

/* In assembler as a whole, because it needs every register. */
__attribute__((naked)) static void four_channels(kd_row *row __attribute__((unused)),
                                                 uint32_t taps __attribute__((unused)))
{
    __asm__(
        "push  {r0, r1, r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}\n\t"
        "mov   lr, r0\n"
        "1:\n\t"
        "ldm   lr, {r0, r1, r2, r3, r4, r5, r6, r7, r10, r11}\n\t"
        "cbz   r6, 5f\n"
        /* Two taps a turn; an odd number begins with the second. */
        "2:\n\t"
        "lsrs  r6, r6, #1\n\t"
        "bcc   4f\n"
        "3:\n\t" TAP
        "4:\n\t" TAP
        "subs  r6, r6, #1\n\t"
        "bne   3b\n\t"
        "add   r4, r4, r11\n\t"
        "ldr   r6, [sp, #4]\n\t"
        "subs  r10, r10, #1\n\t"
        "bne   2b\n\t"
        "b     6f\n"
        /* Three taps a turn. */
        "5:\n\t"
        "ldmia r4!, {r6, r7, r8, r9}\n\t" PRODUCTS("r6", "r7") PRODUCTS("r8", "r9")
        "ldrd  r8, r9, [r4], #8\n\t" PRODUCTS("r8", "r9")
        "add   r4, r4, r11\n\t"
        "subs  r10, r10, #1\n\t"
        "bne   5b\n"
        /* kd_narrow() */
        "6:\n\t"
        "ldr   lr, [sp]\n\t"
        "add   r4, lr, #40\n\t"
        "ldm   r4, {r4, r5, r6, r7, r8, r9, r10, r11}\n\t"
        "smmulr r0, r0, r4\n\t"
        "smmulr r1, r1, r5\n\t"
        "smmulr r2, r2, r6\n\t"
        "smmulr r3, r3, r7\n\t"
        "add   r0, r0, r0, asr #31\n\t"
        "add   r1, r1, r1, asr #31\n\t"
        "add   r2, r2, r2, asr #31\n\t"
        "add   r3, r3, r3, asr #31\n\t"
        "asr   r0, r0, r8\n\t"
        "asr   r1, r1, r9\n\t"
        "asr   r2, r2, r10\n\t"
        "asr   r3, r3, r11\n\t"
        "add   r4, lr, #72\n\t"
        "ldm   r4, {r4, r5, r6, r7, r8}\n\t"
        "add   r0, r0, r4\n\t"
        "add   r1, r1, r4\n\t"
        "add   r2, r2, r4\n\t"
        "add   r3, r3, r4\n\t"
        "ssat  r0, #8, r0, asr #1\n\t"
        "ssat  r1, #8, r1, asr #1\n\t"
        "ssat  r2, #8, r2, asr #1\n\t"
        "ssat  r3, #8, r3, asr #1\n\t"
        "strb  r0, [r7]\n\t"
        "strb  r1, [r7, #1]\n\t"
        "strb  r2, [r7, #2]\n\t"
        "strb  r3, [r7, #3]\n\t"
        "ldr   r4, [lr, #16]\n\t"
        "add   r7, r7, r5\n\t"
        "add   r4, r4, r6\n\t"
        "str   r4, [lr, #16]\n\t"
        "subs  r8, r8, #1\n\t"
        "strd  r7, r8, [lr, #84]\n\t"
        "bne   1b\n\t"
        "pop   {r0, r1, r4, r5, r6, r7, r8, r9, r10, r11, r12, pc}");
}

/* `rows` times `columns` output pixels from that of `row`, `column` on. */
static void one_tile(const kd_depthwise_s8_params *p, const kd_quad *q, const int8_t *image,
                     uint32_t row, uint32_t column, uint32_t rows, uint32_t columns, int8_t *out)
{
    const uint32_t width =
        (columns - 1u) * p->stride_columns + (p->kernel_columns - 1u) * p->column_step + 1u;
    const uint32_t height =
        (rows - 1u) * p->stride_rows + (p->kernel_rows - 1u) * p->row_step + 1u;
    widen_tile(p, q, image, (int32_t)(row * p->stride_rows) - p->pad_rows,
               (int32_t)(column * p->stride_columns) - p->pad_columns, height, width);
    const int three = p->kernel_columns == 3u && p->column_step == 1u;
    const uint32_t taps = three ? 0u : p->kernel_columns + 1u;
    const uint32_t tap_step = p->column_step * sizeof *q->strip;
    const int32_t *header = q->header;
    const uint32_t shifts = (uint32_t)header[8];
    kd_row r = {
        .bias = {header[0], header[1], header[2], header[3]},
        .w = q->weights,
        .taps = taps,
        .tap_step = tap_step,
        .rows = p->kernel_rows,
        .gap = p->row_step * width * sizeof *q->strip - p->kernel_columns * tap_step,
        .multiplier = {header[4], header[5], header[6], header[7]},
        .shift = {(int32_t)(shifts & 0xffu), (int32_t)((shifts >> 8) & 0xffu),
                  (int32_t)((shifts >> 16) & 0xffu), (int32_t)(shifts >> 24)},
        .rounding = q->rounding,
        .step = p->channels,
        .x_step = p->stride_columns * sizeof *q->strip,
    };
    const kd_four *first = q->strip;
    out += (row * p->out_columns + column) * p->channels;
    for (; rows > 0u; rows--) {
        r.x = first;
        r.out = out;
        r.pixels = columns;
        four_channels(&r, taps);
        first += p->stride_rows * width;
        out += (uint32_t)p->out_columns * p->channels;
    }
}

static void one_image(
    const kd_depthwise_s8_params *p, const kd_quad *q, const int8_t *image, int8_t *out)
{
    for (uint32_t row = 0; row < p->out_rows; row += p->tile_rows) {
        const uint32_t below = p->out_rows - row;
        const uint32_t rows = below < p->tile_rows ? below : p->tile_rows;
        for (uint32_t column = 0; column < p->out_columns; column += p->tile_columns) {
            const uint32_t right = p->out_columns - column;
            const uint32_t columns = right < p->tile_columns ? right : p->tile_columns;
            one_tile(p, q, image, row, column, rows, columns, out);
        }
    }
}

/* Four channels of an output pixel whose window is the whole input: nothing is widened twice, so that
 * nothing is kept. */
ALONE static void whole_input(
    const kd_quad *q, const int8_t *x, uint32_t channels, uint32_t taps, int8_t *out)
{
    const int32_t *header = q->header, *w = header + HEADER_WORDS;
    int32_t a = 0, b = 0, c = 0, d = 0;
    do {
        uint32_t bytes;
        int32_t even, odd, weights_even, weights_odd;
        memcpy(&bytes, x, 4);
        x += channels;
        __asm__("sxtab16 %0, %1, %2" : "=r"(even) : "r"(q->less_zero), "r"(bytes));
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(odd) : "r"(q->less_zero), "r"(bytes));
        __asm__("sxtb16 %0, %1" : "=r"(weights_even) : "r"(*w));
        __asm__("sxtb16 %0, %1, ror #8" : "=r"(weights_odd) : "r"(*w));
        w++;
        __asm__("smlabb %0, %1, %2, %0" : "+r"(a) : "r"(even), "r"(weights_even));
        __asm__("smlabb %0, %1, %2, %0" : "+r"(b) : "r"(odd), "r"(weights_odd));
        __asm__("smlatt %0, %1, %2, %0" : "+r"(c) : "r"(even), "r"(weights_even));
        __asm__("smlatt %0, %1, %2, %0" : "+r"(d) : "r"(odd), "r"(weights_odd));
    } while (--taps > 0u);
    const int32_t sums[4] = {a, b, c, d};
    uint32_t shifts = (uint32_t)header[8];
    for (uint32_t i = 0; i < 4u; i++, shifts >>= 8) {
        const int32_t doubled = header[i] + 2 * sums[i];
        out[i] = (int8_t)kd_narrow(doubled, header[4u + i], (int32_t)(shifts & 0xffu), q->rounding);
    }
}

/* scratch: kd_four for each tap and for each pixel of a tile's input. */
void kd_depthwise_s8(const kd_depthwise_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    const uint32_t taps = (uint32_t)p->kernel_rows * p->kernel_columns;
    const uint32_t in_bytes = (uint32_t)p->in_rows * p->in_columns * p->channels;
    const uint32_t out_bytes = (uint32_t)p->out_rows * p->out_columns * p->channels;
    kd_quad q = {p->weights, scratch, (kd_four *)scratch + taps,
                 ((uint32_t)-p->in_zero & 0xffffu) * 0x10001u, kd_narrow_rounding(p->out_zero)};
    const int whole = p->pad_rows == 0 && p->pad_columns == 0 && p->row_step == 1u &&
                      p->column_step == 1u && p->kernel_rows == p->in_rows &&
                      p->kernel_columns == p->in_columns && out_bytes == p->channels;
    for (uint32_t c = 0;;) {
        const int32_t *next =
            whole ? q.header + HEADER_WORDS + taps : widen_weights(&q, taps);
        for (uint32_t batch = 0; batch < p->batches; batch++) {
            const int8_t *image = in + batch * in_bytes + c;
            int8_t *to = out + batch * out_bytes + c;
            if (whole) {
                whole_input(&q, image, p->channels, taps, to);
            } else {
                one_image(p, &q, image, to);
            }
        }
        if (c + 4u >= p->channels) {
            break;
        }
        q.header = next;
        c = c + 8u <= p->channels ? c + 4u : p->channels - 4u;
    }
    kd_narrow_finish(out, p->batches * out_bytes, p->low, p->high, p->table);
}

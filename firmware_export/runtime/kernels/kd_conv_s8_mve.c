/* kd_conv_s8() with Helium: 16 bytes of the window at a time, of four pixels and one output channel; where
 * fewer than four windows are at hand, of one pixel and four output channels. Windows that the input
 * holds nowhere in one piece are collected four at a time. */
#include "kd_conv_s8.h"
#include "kd_conv_s8_vector.h"
#include "kd_conv_s8_window.h"
#include "kd_dot_rows_helium.h"

/* Four channels at a time of one pixel, whose window is x. */
static void one_pixel(const kd_conv_s8_params *p, const int8_t *x, int8_t *out)
{
    const uint32_t n = (uint32_t)p->window_bytes;
    const int8_t *a = p->weights;
    for (uint32_t c = 0; c < p->out_channels; c += 4u, a += 4u * n) {
        /* A row that is not there counts as the one before: its sum is not stored. */
        const uint32_t left = p->out_channels - c;
        const int8_t *const row1 = left > 1u ? a + n : a;
        const int8_t *const row2 = left > 2u ? row1 + n : row1;
        const int8_t *const row3 = left > 3u ? row2 + n : row2;
        const kd_vector_scale scale =
            kd_vector_scale_of(vldrwq_s32(p->multiplier + c), vldrbq_s32(p->shift + c));
        int32x4_t value = kd_dot_rows_vector(a, row1, row2, row3, x, n);
        value = kd_vector_requant(vaddq_s32(value, vldrwq_s32(p->bias + c)), &scale);
        value = vaddq_n_s32(value, p->out_zero);
        value = vminq_s32(vmaxq_s32(value, vdupq_n_s32(p->low)), vdupq_n_s32(p->high));
        vstrbq_p_s32(out + c, value, vctp32q(left));
    }
}

/* What the assembly of four_pixels() loads, in this order. */
typedef struct {
    int32_t x_bytes;    /* from one window to the next */
    int32_t bias;       /* of the channel, as the next four */
    int32_t multiplier;
    int32_t left;       /* shifts, 0 or more, */
    int32_t right;      /* 0 or less */
    int32_t rounds;     /* 1 where there is a right one */
    int32_t out_zero;
    int32_t next_x;     /* from where one window is read to its end to the fourth next one */
    int32_t back;       /* from there in the weights to their beginning */
    int32_t next_out;   /* four pixels */
    int32_t n;          /* bytes of a window */
} four;

/* Four pixels at a time of one channel after the other, `fours` times. Windows begin x_bytes apart. */
static void four_pixels(
    const kd_conv_s8_params *p, const int8_t *first, int32_t x_bytes, uint32_t fours, int8_t *out)
{
    const int32_t n = p->window_bytes, read = (n + 15) & ~15;
    const uint32x4_t lanes = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)p->out_step);
    const int32x4_t low = vdupq_n_s32(p->low), high = vdupq_n_s32(p->high);
    four k = {.x_bytes = x_bytes, .out_zero = p->out_zero, .next_x = 4 * x_bytes - read,
              .back = read, .next_out = 4 * p->out_step, .n = n};
    const int8_t *w = p->weights;
    for (uint32_t c = 0; c < p->out_channels; c++, w += n) {
        const int32_t shift = p->shift[c];
        k.bias = p->bias[c];
        k.multiplier = p->multiplier[c];
        k.left = shift > 0 ? shift : 0;
        k.right = shift < 0 ? shift : 0;
        k.rounds = shift < 0;
        const int8_t *x = first, *x1, *x2, *x3;
        int8_t *to = out + c;
        uint32_t i = fours;
        int32_t s0, s1, s2, s3;
        /* Halves go away from zero: one is taken from negative values before VRSHL. */
        __asm__ volatile("1:\n\t"
                         "ldrd %[s0], %[s1], [%[k]]\n\t"
                         "ldr  lr, [%[k], #40]\n\t"
                         "add  %[x1], %[x], %[s0]\n\t"
                         "add  %[x2], %[x1], %[s0]\n\t"
                         "add  %[x3], %[x2], %[s0]\n\t"
                         "mov  %[s0], %[s1]\n\t"
                         "mov  %[s2], %[s1]\n\t"
                         "mov  %[s3], %[s1]\n\t"
                         "dlstp.8 lr, lr\n"
                         "2:\n\t"
                         "vldrb.8 q0, [%[w]], #16\n\t"
                         "vldrb.8 q1, [%[x]], #16\n\t"
                         "vmladava.s8 %[s0], q0, q1\n\t"
                         "vldrb.8 q1, [%[x1]], #16\n\t"
                         "vmladava.s8 %[s1], q0, q1\n\t"
                         "vldrb.8 q1, [%[x2]], #16\n\t"
                         "vmladava.s8 %[s2], q0, q1\n\t"
                         "vldrb.8 q1, [%[x3]], #16\n\t"
                         "vmladava.s8 %[s3], q0, q1\n\t"
                         "letp lr, 2b\n\t"
                         "vmov q0[2], q0[0], %[s0], %[s2]\n\t"
                         "vmov q0[3], q0[1], %[s1], %[s3]\n\t"
                         "ldrd %[s0], %[s1], [%[k], #8]\n\t"
                         "ldrd %[s2], %[s3], [%[k], #16]\n\t"
                         "vshl.s32 q0, %[s1]\n\t"
                         "vqrdmulh.s32 q0, q0, %[s0]\n\t"
                         "vshr.s32 q1, q0, #31\n\t"
                         "vmla.s32 q0, q1, %[s3]\n\t"
                         "ldrd %[s0], %[s1], [%[k], #24]\n\t"
                         "vrshl.s32 q0, %[s2]\n\t"
                         "ldrd %[s2], %[s3], [%[k], #32]\n\t"
                         "vadd.i32 q0, q0, %[s0]\n\t"
                         "add  %[x], %[x], %[s1]\n\t"
                         "vmax.s32 q0, q0, %q[low]\n\t"
                         "sub  %[w], %[w], %[s2]\n\t"
                         "vmin.s32 q0, q0, %q[high]\n\t"
                         "subs %[i], %[i], #1\n\t"
                         "vstrb.32 q0, [%[to], %q[lanes]]\n\t"
                         "add  %[to], %[to], %[s3]\n\t"
                         "bne  1b"
                         : [s0] "=&Te"(s0), [s1] "=&Te"(s1), [s2] "=&Te"(s2), [s3] "=&Te"(s3),
                           [x] "+r"(x), [x1] "=&r"(x1), [x2] "=&r"(x2), [x3] "=&r"(x3), [w] "+r"(w),
                           [to] "+r"(to), [i] "+r"(i)
                         : [k] "r"(&k), [low] "w"(low), [high] "w"(high), [lanes] "w"(lanes)
                         : "lr", "q0", "q1", "cc", "memory");
    }
}

/* The values that the table has for those of a pixel. */
static inline void look_up(const kd_conv_s8_params *p, int8_t *out)
{
    const uint8x16_t sign = vdupq_n_u8(128);
    __asm__ volatile("dlstp.8 lr, %[n]\n"
                     "1:\n\t"
                     "vldrb.8 q0, [%[out]]\n\t"
                     "veor q0, q0, %q[sign]\n\t"
                     "vldrb.u8 q1, [%[table], q0]\n\t"
                     "vstrb.8 q1, [%[out]], #16\n\t"
                     "letp lr, 1b"
                     : [out] "+r"(out)
                     : [n] "r"((uint32_t)p->out_channels), [table] "r"(p->table), [sign] "w"(sign)
                     : "lr", "q0", "q1", "memory");
}

/* From the walk's pixel on, how many in its row have windows in the input. */
static uint32_t direct_pixels(const kd_conv_s8_params *p, const kd_conv_s8_walk *walk)
{
    if (walk->x < 0 || walk->x > p->last_direct) {
        return 0;
    }
    const uint32_t pixels = (uint32_t)((p->last_direct - walk->x) / p->x_bytes) + 1u;
    return pixels < walk->columns ? pixels : walk->columns;
}

/* Of the walk's pixels as many as go four at a time. Returns how many. */
static uint32_t some_fours(
    const kd_conv_s8_params *p, kd_conv_s8_walk *walk, uint32_t left, int8_t *scratch, int8_t *out)
{
    int8_t *const first = out + walk->out;
    const int8_t *x = scratch;
    uint32_t pixels;
    int32_t x_bytes = p->window_bytes;
    if (p->together > 1u) {
        pixels = p->out_row_gap == 0 || left < walk->columns ? left : walk->columns;
        pixels = (pixels < p->together ? pixels : p->together) & ~3u;
        for (uint32_t i = 0; i < pixels; i++) {
            (void)kd_conv_s8_any_window(p, walk, scratch);
            scratch += x_bytes;
        }
    } else {
        pixels = direct_pixels(p, walk) & ~3u;
        if (pixels > 0u) {
            const int32_t skipped = (int32_t)(pixels - 1u);
            x_bytes = p->x_bytes;
            walk->x += skipped * x_bytes;
            walk->out += skipped * p->out_step;
            walk->columns -= pixels - 1u;
            x = kd_conv_s8_any_window(p, walk, scratch) - skipped * x_bytes;
        }
    }
    if (pixels > 0u) {
        four_pixels(p, x, x_bytes, pixels / 4u, first);
    }
    return pixels;
}

void kd_conv_s8(const kd_conv_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    kd_conv_s8_walk walk = kd_conv_s8_begin(p, in);
    uint32_t pixels;
    for (uint32_t left = (uint32_t)p->batches * p->out_rows * p->out_columns; left > 0u;
         left -= pixels) {
        int8_t *pixel = out + walk.out;
        pixels = some_fours(p, &walk, left, scratch, out);
        if (pixels == 0u) {
            one_pixel(p, kd_conv_s8_any_window(p, &walk, scratch), pixel);
            pixels = 1;
        }
        for (uint32_t i = p->table != NULL ? pixels : 0u; i > 0u; i--, pixel += p->out_step) {
            look_up(p, pixel);
        }
    }
}

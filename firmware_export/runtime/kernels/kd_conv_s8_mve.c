/* kd_conv_s8() with Helium, for windows that lie in one row of the input: 16 bytes at a time, of four pixels
 * and one output channel; beside padding, and of a row's rest, of one pixel and four output channels. */
#include "kd_conv_s8.h"
#include "kd_conv_s8_vector.h"
#include "kd_conv_s8_window.h"
#include "kd_dot_rows_helium.h"
#include "kd_look_up.h"
#include "kd_math.h"

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
    int32_t rows;       /* left */
    int32_t fours;      /* of a row */
    int32_t x_gap;      /* from where a row of windows ends to the next, */
    int32_t out_gap;    /* and of pixels */
} four;

/* So many fours of every row of an image, of one channel after the other. */
static void four_pixels(const kd_conv_s8_params *p, const int8_t *in, int32_t fours, int8_t *out)
{
    const int32_t n = p->window_bytes, read = (n + 15) & ~15;
    const uint32x4_t lanes = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)p->out_step);
    const int32x4_t low = vdupq_n_s32(p->low), high = vdupq_n_s32(p->high);
    /* Not in one initializer: compilers would call memset(). */
    four k;
    k.x_bytes = p->x_bytes;
    k.out_zero = p->out_zero;
    k.next_x = 4 * p->x_bytes - read;
    k.back = read;
    k.next_out = 4 * p->out_step;
    k.n = n;
    k.fours = fours;
    k.x_gap = p->stride_rows * p->row_bytes - fours * 4 * p->x_bytes;
    k.out_gap = (p->out_columns - 4 * fours) * p->out_step;
    const int8_t *w = p->weights;
    for (uint32_t c = 0; c < p->out_channels; c++, w += n, out++) {
        const int32_t shift = p->shift[c];
        k.bias = p->bias[c];
        k.multiplier = p->multiplier[c];
        k.left = shift > 0 ? shift : 0;
        k.right = shift < 0 ? shift : 0;
        k.rounds = shift < 0;
        const int8_t *x = in, *x1, *x2, *x3;
        int8_t *to = out;
        int32_t i = fours, s0, s1, s2, s3;
        k.rows = p->out_rows;
        __asm__ volatile("1:\n\t"
                         "ldrd %[s0], %[s1], [%[k]]\n\t"
                         "ldr  lr, [%[k], #40]\n\t"
                         "add  %[x1], %[x], %[s0]\n\t"
                         "add  %[x2], %[x1], %[s0]\n\t"
                         "add  %[x3], %[x2], %[s0]\n\t"
                         "mov  %[s0], %[s1]\n\t"
                         "mov  %[s2], %[s1]\n\t"
                         "mov  %[s3], %[s1]\n\t"
                         KD_DOT_FOUR("lr", "w", "x", "x1", "x2", "x3")
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
                         "bne  1b\n\t"
                         "ldrd %[s0], %[i], [%[k], #44]\n\t"
                         "ldrd %[s1], %[s2], [%[k], #52]\n\t"
                         "add  %[x], %[x], %[s1]\n\t"
                         "add  %[to], %[to], %[s2]\n\t"
                         "subs %[s0], %[s0], #1\n\t"
                         "str  %[s0], [%[k], #44]\n\t"
                         "bne  1b"
                         : [s0] "=&Te"(s0), [s1] "=&Te"(s1), [s2] "=&Te"(s2), [s3] "=&Te"(s3),
                           [x] "+r"(x), [x1] "=&r"(x1), [x2] "=&r"(x2), [x3] "=&r"(x3), [w] "+r"(w),
                           [to] "+r"(to), [i] "+r"(i)
                         : [k] "r"(&k), [low] "w"(low), [high] "w"(high), [lanes] "w"(lanes)
                         : "lr", "q0", "q1", "cc", "memory");
    }
}

/* What is left of every row beside so many pixels from x on. */
static void each_pixel(
    const kd_conv_s8_params *p, const int8_t *in, int32_t x, int32_t pixels, void *scratch, int8_t *out)
{
    kd_conv_s8_walk walk = kd_conv_s8_begin(p, in);
    for (int32_t left = p->batches * p->out_rows * p->out_columns; left > 0; left--) {
        int8_t *const pixel = out + walk.out;
        const int skips = pixels > 0 && walk.x == x;
        if (skips) {
            const int32_t skipped = pixels - 1;
            walk.x += skipped * p->x_bytes;
            walk.out += skipped * p->out_step;
            walk.columns -= (uint32_t)skipped;
            left -= skipped;
        }
        const int8_t *const window = kd_conv_s8_any_window(p, &walk, scratch);
        if (!skips) {
            one_pixel(p, window, pixel);
        }
    }
}

void kd_conv_s8(const kd_conv_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    const int32_t columns = p->out_columns, all = p->out_rows * columns * p->out_channels;
    /* The first window of a row that has no padding before it, and how many have none behind. */
    const int32_t first = p->first_x < 0 ? (p->x_bytes - 1 - p->first_x) / p->x_bytes : 0;
    const int32_t x = p->first_x + first * p->x_bytes;
    const int32_t direct = x > p->last_direct ? 0 : (p->last_direct - x) / p->x_bytes + 1;
    const int32_t fours = kd_min(direct, columns - first) / 4;
    for (int32_t i = fours > 0 ? p->batches : 0, at = first * p->out_step; i > 0; i--, at += all) {
        four_pixels(p, in + (p->batches - i) * p->in_rows * p->row_bytes + x, fours, out + at);
    }
    if (4 * fours < columns) {
        each_pixel(p, in, x, 4 * fours, scratch, out);
    }
    if (p->table != NULL) {
        kd_look_up(p->table, out, p->batches * all);
    }
}

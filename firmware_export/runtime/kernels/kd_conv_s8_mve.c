/* kd_conv_s8() with Helium: four output channels at a time, 16 bytes of the window at a time. */
#include "kd_conv_s8.h"
#include "kd_conv_s8_vector.h"
#include "kd_conv_s8_window.h"

/* Products of n > 0 bytes with four rows of the weights. */
static inline int32x4_t four_sums(const int8_t *x, const int8_t *const weights[4], int32_t n)
{
    const int8_t *w0 = weights[0], *w1 = weights[1], *w2 = weights[2], *w3 = weights[3];
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    __asm__ volatile("dlstp.8 lr, %[n]\n"
                     "1:\n\t"
                     "vldrb.8 q0, [%[x]], #16\n\t"
                     "vldrb.8 q1, [%[w0]], #16\n\t"
                     "vmladava.s8 %[s0], q0, q1\n\t"
                     "vldrb.8 q1, [%[w1]], #16\n\t"
                     "vmladava.s8 %[s1], q0, q1\n\t"
                     "vldrb.8 q1, [%[w2]], #16\n\t"
                     "vmladava.s8 %[s2], q0, q1\n\t"
                     "vldrb.8 q1, [%[w3]], #16\n\t"
                     "vmladava.s8 %[s3], q0, q1\n\t"
                     "letp  lr, 1b"
                     : [s0] "+Te"(s0), [s1] "+Te"(s1), [s2] "+Te"(s2), [s3] "+Te"(s3),
                       [x] "+r"(x), [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3)
                     : [n] "r"(n)
                     : "lr", "q0", "q1", "memory");
    int32x4_t sums = vdupq_n_s32(s0);
    sums = vsetq_lane_s32(s1, sums, 1);
    sums = vsetq_lane_s32(s2, sums, 2);
    return vsetq_lane_s32(s3, sums, 3);
}

/* Channels c to c + 3 of `pixels` pixels whose windows begin x_bytes apart. */
static void four_channels(
    const kd_conv_s8_params *p, const int8_t *x, uint32_t pixels, uint32_t c, int8_t *out)
{
    const int32_t n = p->window_bytes;
    const mve_pred16_t these = vctp32q(p->out_channels - c);
    const int8_t *rows[4];
    rows[0] = (const int8_t *)p->weights + (int32_t)c * n;
    for (uint32_t i = 1; i < 4u; i++) {
        /* A row that is not there counts as the one before: its sum is not stored. */
        rows[i] = rows[i - 1u] + (c + i < p->out_channels ? n : 0);
    }
    const kd_vector_scale scale =
        kd_vector_scale_of(vldrwq_s32(p->multiplier + c), vldrbq_s32(p->shift + c));
    const int32x4_t bias = vldrwq_s32(p->bias + c);
    const int32x4_t low = vdupq_n_s32(p->low), high = vdupq_n_s32(p->high);
    for (; pixels > 0u; pixels--) {
        int32x4_t value = vaddq_s32(four_sums(x, rows, n), bias);
        value = vaddq_n_s32(kd_vector_requant(value, &scale), p->out_zero);
        value = vminq_s32(vmaxq_s32(value, low), high);
        if (p->table != NULL) {
            const uint32x4_t at = vreinterpretq_u32_s32(vaddq_n_s32(value, 128));
            value = vldrbq_gather_offset_s32(p->table, at);
        }
        vstrbq_p_s32(out + c, value, these);
        x += p->x_bytes;
        out += p->out_step;
    }
}

/* From the walk's pixel on, how many in its row have windows in the input; 1 if it has none. */
static uint32_t direct_pixels(const kd_conv_s8_params *p, const kd_conv_s8_walk *walk)
{
    if (walk->x < 0 || walk->x > p->last_direct) {
        return 1u;
    }
    const uint32_t pixels = (uint32_t)((p->last_direct - walk->x) / p->x_bytes) + 1u;
    return pixels < walk->columns ? pixels : walk->columns;
}

void kd_conv_s8(const kd_conv_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    kd_conv_s8_walk walk = kd_conv_s8_begin(p, in);
    uint32_t left = (uint32_t)p->batches * p->out_rows * p->out_columns;
    while (left > 0u) {
        const uint32_t pixels = direct_pixels(p, &walk);
        int8_t *first = out + walk.out;
        const int32_t skipped = (int32_t)(pixels - 1u) * p->x_bytes;
        walk.x += skipped;
        walk.out += (int32_t)(pixels - 1u) * p->out_step;
        walk.columns -= pixels - 1u;
        left -= pixels;
        const int8_t *x = kd_conv_s8_window(p, &walk, scratch) - skipped;
        for (uint32_t c = 0; c < p->out_channels; c += 4u) {
            four_channels(p, x, pixels, c, first);
        }
    }
}

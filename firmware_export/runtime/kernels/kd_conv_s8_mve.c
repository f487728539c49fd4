/* kd_conv_s8() with Helium: four output channels at a time, 16 bytes of the window at a time. */
#include "kd_conv_s8.h"
#include "kd_conv_s8_vector.h"
#include "kd_conv_s8_window.h"

/* bias + products of n > 0 bytes with rows c to c + 3 of the weights; a row that is not there
 * counts as the last one. */
static inline int32x4_t four_sums(
    const kd_conv_s8_params *p, const int8_t *x, uint32_t c, int32x4_t bias)
{
    const int32_t last = (int32_t)p->out_channels - 1 - (int32_t)c; /* row, seen from the first */
    const int32_t n = p->window_bytes;
    const int8_t *w0 = (const int8_t *)p->weights + (int32_t)c * n;
    const int8_t *w1 = w0 + (last < 1 ? last : 1) * n;
    const int8_t *w2 = w0 + (last < 2 ? last : 2) * n;
    const int8_t *w3 = w0 + (last < 3 ? last : 3) * n;
    int32_t s0 = vgetq_lane_s32(bias, 0), s1 = vgetq_lane_s32(bias, 1);
    int32_t s2 = vgetq_lane_s32(bias, 2), s3 = vgetq_lane_s32(bias, 3);
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
    const int32_t sums[4] = {s0, s1, s2, s3};
    return vldrwq_s32(sums);
}

void kd_conv_s8(const kd_conv_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    kd_conv_s8_walk walk = kd_conv_s8_begin(p, in);
    for (uint32_t left = (uint32_t)p->batches * p->out_rows * p->out_columns; left > 0u; left--) {
        int8_t *pixel = out + walk.out;
        const int8_t *x = kd_conv_s8_window(p, &walk, scratch);
        for (uint32_t c = 0; c < p->out_channels; c += 4u) {
            const kd_vector_narrow to = {vldrwq_s32(p->multiplier + c), vldrbq_s32(p->shift + c),
                                         p->out_zero, p->low, p->high, p->table};
            const int32x4_t sums = four_sums(p, x, c, vldrwq_s32(p->bias + c));
            vstrbq_p_s32(pixel + c, kd_narrow_vector(sums, &to), vctp32q(p->out_channels - c));
        }
    }
}

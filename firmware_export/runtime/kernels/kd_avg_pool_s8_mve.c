/* kd_avg_pool_s8() with Helium: eight channels at a time where sums of 16 bits hold a window, else four. */
#include <arm_mve.h>

#include "kd_avg_pool_s8.h"

#define KD_VALUE int8_t
#include "kd_pool_each.h"

/* Sums of 16 bits hold this many values. */
#define KD_MOST_VALUES 255u

/* The sums of a window's values from x on, of as many channels as `taken` says, in lanes of either width. */
#define KD_SUM_WINDOW(load, add)                                                                    \
    __asm__ volatile("vmsr p0, %[taken]\n"                                                          \
                     "1:\n\t"                                                                       \
                     "dls lr, %[columns]\n"                                                         \
                     "2:\n\t"                                                                       \
                     "vpst\n\t" load " q0, [%[x]]\n\t"                                              \
                     "add %[x], %[x], %[channels]\n\t" add " %q[sum], %q[sum], q0\n\t"              \
                     "le lr, 2b\n\t"                                                                \
                     "subs %[rows], %[rows], #1\n\t"                                                \
                     "add %[x], %[x], %[gap]\n\t"                                                   \
                     "bne 1b"                                                                       \
                     : [x] "+l"(x), [rows] "+r"(rows), [sum] "+w"(sum)                              \
                     : [columns] "r"(window->columns), [channels] "r"(p->channels), [gap] "r"(gap), \
                       [taken] "r"(taken)                                                           \
                     : "lr", "q0", "cc", "memory")

/* Halves go away from zero. The quotient by 2^16 / count, rounded down, is right or one too small. */
static inline void eight(const kd_pool_params *p, const kd_pool_window *window, const int8_t *x,
                         uint32_t gap, uint32_t left, int8_t *out)
{
    const uint32_t taken = vctp16q(left), count = window->rows * window->columns;
    uint32_t rows = window->rows;
    int16x8_t sum = vdupq_n_s16(0);
    KD_SUM_WINDOW("vldrbt.s16", "vadd.i16");
    const uint16_t inverse = (uint16_t)(UINT16_MAX / count), divisor = (uint16_t)count;
    const int16x8_t half = vaddq_n_s16(vabsq_s16(sum), (int16_t)(count / 2u));
    const uint16x8_t size = vreinterpretq_u16_s16(half);
    uint16x8_t whole = vmulhq_u16(size, vdupq_n_u16(inverse));
    const uint16x8_t rest = vsubq_u16(size, vmulq_n_u16(whole, divisor));
    whole = vaddq_m_n_u16(whole, whole, 1u, vcmpcsq_n_u16(rest, divisor));
    int16x8_t value = vreinterpretq_s16_u16(whole);
    value = vnegq_m_s16(value, value, vcmpltq_n_s16(sum, 0));
    value = vminq_s16(vmaxq_s16(value, vdupq_n_s16(p->low)), vdupq_n_s16(p->high));
    vstrbq_p_s16(out, value, (mve_pred16_t)taken);
}

/* The same by 2^32 / count. */
static inline void four(const kd_pool_params *p, const kd_pool_window *window, const int8_t *x,
                        uint32_t gap, uint32_t left, int8_t *out)
{
    const uint32_t taken = vctp32q(left), count = window->rows * window->columns;
    uint32_t rows = window->rows;
    int32x4_t sum = vdupq_n_s32(0);
    KD_SUM_WINDOW("vldrbt.s32", "vadd.i32");
    const uint32x4_t size =
        vreinterpretq_u32_s32(vaddq_n_s32(vabsq_s32(sum), (int32_t)(count / 2u)));
    uint32x4_t whole = vmulhq_u32(size, vdupq_n_u32(UINT32_MAX / count));
    const uint32x4_t rest = vsubq_u32(size, vmulq_n_u32(whole, count));
    whole = vaddq_m_n_u32(whole, whole, 1u, vcmpcsq_n_u32(rest, count));
    int32x4_t value = vreinterpretq_s32_u32(whole);
    value = vnegq_m_s32(value, value, vcmpltq_n_s32(sum, 0));
    value = vminq_s32(vmaxq_s32(value, vdupq_n_s32(p->low)), vdupq_n_s32(p->high));
    vstrbq_p_s32(out, value, (mve_pred16_t)taken);
}

static inline void average(const kd_pool_params *p, const kd_pool_window *window, int8_t *out)
{
    const uint32_t channels = p->channels, gap = (p->in_columns - window->columns) * channels;
    if (window->rows * window->columns <= KD_MOST_VALUES) {
        for (uint32_t c = 0; c < channels; c += 8u) {
            eight(p, window, window->first + c, gap, channels - c, out + c);
        }
    } else {
        for (uint32_t c = 0; c < channels; c += 4u) {
            four(p, window, window->first + c, gap, channels - c, out + c);
        }
    }
}

void kd_avg_pool_s8(const kd_avg_pool_s8_params *p, const int8_t *in, int8_t *out)
{
    kd_pool_each(p, in, out, average);
}

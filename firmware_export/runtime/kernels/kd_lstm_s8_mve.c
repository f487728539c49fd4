/* Four units at a time: their gates' sums one after the other, then everything else in vectors, one unit
 * a lane. */
#include "kd_lstm_s8.h"

#include <arm_mve.h>
#include <string.h>

#include "kd_math.h"

/* x * multiplier * 2^(shift - 31), rounded twice as TFLite does. */
static inline int32x4_t requant(int32x4_t x, int32_t multiplier, int32_t shift)
{
    const int32_t right = kd_min(shift, 0);
    const int32x4_t high = vqrdmulhq_n_s32(vshlq_r_s32(x, kd_max(shift, 0)), multiplier);
    /* VRSHL rounds halves up: take one from negative numbers, where there is a shift. */
    const int32x4_t one = vshrq_n_s32(vandq_s32(high, vdupq_n_s32(right)), 31);
    return vrshlq_n_s32(vaddq_s32(high, one), right);
}

/* x * 2^-(right + 1) in two roundings, as requant() by 2^30 and -right; right is 1 to 30. */
static inline int32x4_t halve(int32x4_t x, int32_t right)
{
    const int32x4_t half = vrshrq_n_s32(x, 1);
    return vrshlq_n_s32(vaddq_s32(half, vshrq_n_s32(half, 31)), -right);
}

/* The upper halves hold x saturated to 16 bits; of such, VQADD adds and saturates the same way. */
static inline int32x4_t upper_int16(int32x4_t x)
{
    return vqshlq_n_s32(x, 16);
}

/* Interpolated table entry of a in steps of 2^bits. */
#define LOOK_UP(TABLE, A, BITS)                                                                  \
    interpolate(TABLE, vshrq_n_u32(A, BITS), vandq_u32(A, vdupq_n_u32((1u << (BITS)) - 1u)),     \
                1 << (BITS))

static inline int32x4_t interpolate(const int16_t *table, uint32x4_t at, uint32x4_t part,
                                    int32_t whole)
{
    const int32x4_t low = vldrhq_gather_shifted_offset_s32(table, at);
    const int32x4_t high = vldrhq_gather_shifted_offset_s32(table + 1, at);
    return vmlaq_n_s32(vmulq_s32(vsubq_s32(high, low), vreinterpretq_s32_u32(part)), low, whole);
}

/* kd_sigmoid_q15() and kd_tanh_q15(). */
static inline int32x4_t sigmoid(const int16_t *table, int32x4_t x)
{
    const uint32x4_t a = vreinterpretq_u32_s32(vabsq_s32(x));
    const int32x4_t above_half = veorq_s32(LOOK_UP(table, a, 9), vshrq_n_s32(x, 31));
    return vaddq_n_s32(vrshrq_n_s32(above_half, 10), 1 << 14);
}

static inline int32x4_t tanh_q15(const int16_t *table, int32x4_t x)
{
    const uint32x4_t a = vminq_u32(vreinterpretq_u32_s32(vabsq_s32(x)), vdupq_n_u32(65535u));
    return vrshrq_n_s32(veorq_s32(LOOK_UP(table, a, 8), vshrq_n_s32(x, 31)), 8);
}

/* sums[i] = bias[i] + row i . x of four gate rows of n columns. Returns what follows the rows. */
static inline const int8_t *add_rows(const int8_t *rows, const int8_t *x, uint32_t n,
                                     const int32_t bias[4], int32_t sums[4])
{
    const int8_t *a = rows, *b, *c, *d;
    int32_t s0, s1, s2, s3;
    __asm__ volatile("ldrd %[s0], %[s1], [%[bias]]\n\t"
                     "ldrd %[s2], %[s3], [%[bias], #8]\n\t"
                     "add %[b], %[a], %[n]\n\t"
                     "add %[c], %[b], %[n]\n\t"
                     "add %[d], %[c], %[n]\n\t"
                     "dlstp.8 lr, %[n]\n"
                     "1:\n\t"
                     "vldrb.8 q0, [%[x]], #16\n\t"
                     "vldrb.8 q1, [%[a]], #16\n\t"
                     "vmladava.s8 %[s0], q0, q1\n\t"
                     "vldrb.8 q1, [%[b]], #16\n\t"
                     "vmladava.s8 %[s1], q0, q1\n\t"
                     "vldrb.8 q1, [%[c]], #16\n\t"
                     "vmladava.s8 %[s2], q0, q1\n\t"
                     "vldrb.8 q1, [%[d]], #16\n\t"
                     "vmladava.s8 %[s3], q0, q1\n\t"
                     "letp lr, 1b\n\t"
                     "strd %[s0], %[s1], [%[sums]]\n\t"
                     "strd %[s2], %[s3], [%[sums], #8]"
                     : [a] "+&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [x] "+&r"(x),
                       [s0] "=&Te"(s0), [s1] "=&Te"(s1), [s2] "=&Te"(s2), [s3] "=&Te"(s3)
                     : [n] "r"(n), [bias] "r"(bias), [sums] "r"(sums)
                     : "lr", "q0", "q1", "memory");
    return rows + 4u * n;
}

/* A gate of four units, in 2^-12 / 3, from its sums over the input and over the hidden state. */
static inline int32x4_t gate_of(int32x4_t x, int32x4_t h, const int32_t *scale)
{
    x = upper_int16(requant(x, scale[0], scale[1]));
    h = upper_int16(requant(h, scale[8], scale[9]));
    return vmulq_n_s32(vshrq_n_s32(vqaddq_s32(x, h), 16), 3);
}

/* The arithmetic of up to four units behind their sums, [part][unit][gate]; what `live` excludes is not
 * stored. */
static void finish(const kd_lstm_s8_params *p, const int32_t *sums, int16_t *cell, int8_t *out,
                   mve_pred16_t live)
{
    const int32x4x4_t x = vld4q_s32(sums);
    const int32x4x4_t h = vld4q_s32(sums + 16);
    const int32_t *scales = p->scales;
    const int16_t *table = p->sigmoid;
    const int32_t exponent = p->cell_exponent;
    const int32x4_t input = sigmoid(table, gate_of(x.val[0], h.val[0], scales));
    const int32x4_t update = tanh_q15(table, gate_of(x.val[2], h.val[2], scales + 4));
    const int32x4_t product = halve(vmulq_s32(input, update), 29 + exponent);
    const int32x4_t added = vshrq_n_s32(upper_int16(product), 16);
    const int32x4_t forget = sigmoid(table, gate_of(x.val[1], h.val[1], scales + 2));
    const int32x4_t kept = halve(vmulq_s32(forget, vldrhq_z_s32(cell, live)), 14);
    int32x4_t state = vshrq_n_s32(upper_int16(vaddq_s32(kept, added)), 16);
    if (p->cell_clip >= 0) {
        state = vmaxq_s32(vminq_s32(state, vdupq_n_s32(p->cell_clip)), vdupq_n_s32(-p->cell_clip));
    }
    vstrhq_p_s32(cell, state, live);

    const int32x4_t zoomed = vmulq_n_s32(state, 3 * (1 << kd_max(12 + exponent, 0)));
    const int32x4_t squashed = tanh_q15(table, vrshlq_n_s32(zoomed, kd_min(12 + exponent, 0)));
    const int32x4_t output = sigmoid(table, gate_of(x.val[3], h.val[3], scales + 6));
    const int32x4_t hidden =
        requant(vmulq_s32(squashed, output), p->hidden_multiplier, p->hidden_shift);
    const int32x4_t shifted = vqshlq_n_s32(vaddq_n_s32(hidden, p->zero_point), 24);
    vstrbq_p_s32(out, vshrq_n_s32(shifted, 24), live);
}

void kd_lstm_s8(const kd_lstm_s8_params *p, const int8_t *x, int8_t *out, int8_t *hidden,
                int16_t *cell)
{
    const int8_t *rows = p->weights;
    const int32_t *bias = p->bias;
    const uint32_t n_input = p->n_input;
    const uint32_t units = p->units;
    int32_t sums[2][4][4] = {{{0}}};
    for (uint32_t unit = 0; unit < units; unit += 4u) {
        const uint32_t left = units - unit;
        for (uint32_t lane = 0; lane < 4u && lane < left; lane++) {
            rows = add_rows(rows, x, n_input, bias, sums[0][lane]);
            rows = add_rows(rows, hidden, units, bias + 4, sums[1][lane]);
            bias += 8;
        }
        finish(p, &sums[0][0][0], cell + unit, out + unit, vctp32q(left));
    }
    memcpy(hidden, out, units);
}

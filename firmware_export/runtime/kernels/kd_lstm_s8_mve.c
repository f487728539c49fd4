/* Four units at a time: their gates one unit after the other, one gate a lane; then everything else, one
 * unit a lane. */
#include "kd_lstm_s8.h"

#include <arm_mve.h>
#include <string.h>

#include "kd_dot_rows_helium.h"
#include "kd_math.h"

/* x * 2^shift with halves away from zero; shift is 0 or negative. */
static inline int32x4_t shift_right(int32x4_t x, int32x4_t shift)
{
    /* VRSHL rounds halves up: take one from negative numbers, where there is a shift. */
    const int32x4_t one = vshrq_n_s32(vandq_s32(x, shift), 31);
    return vrshlq_s32(vaddq_s32(x, one), shift);
}

/* x * 2^-(right + 1) in two roundings, the second as shift_right(); right is 1 to 30. */
static inline int32x4_t halve(int32x4_t x, int32_t right)
{
    const int32x4_t half = vrshrq_n_s32(x, 1);
    return vrshlq_n_s32(vaddq_s32(half, vshrq_n_s32(half, 31)), -right);
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

/* How four gates' sums become 16 bits, one gate a lane. */
typedef struct {
    int32x4_t multiplier;
    int32x4_t left;
    int32x4_t right; /* 0 or negative */
} gate_scales;

static inline gate_scales scales_of(const int32_t *scales)
{
    const int32x4x2_t pairs = vld2q_s32(scales);
    const int32x4_t none = vdupq_n_s32(0);
    const gate_scales made = {pairs.val[0], vmaxq_s32(pairs.val[1], none),
                              vminq_s32(pairs.val[1], none)};
    return made;
}

/* bias[i] + row i . x of four gate rows of n columns. */
static inline int32x4_t row_sums(const int8_t *rows, const int8_t *x, uint32_t n, const int32_t bias[4])
{
    const int8_t *b, *c, *d;
    int32_t s0, s1, s2, s3;
    int32x4_t sums;
    __asm__ volatile("ldrd %[s0], %[s1], [%[bias]]\n\t"
                     "ldrd %[s2], %[s3], [%[bias], #8]\n\t"
                     "add %[b], %[a], %[n]\n\t"
                     "add %[c], %[b], %[n]\n\t"
                     "add %[d], %[c], %[n]\n\t"
                     KD_DOT_FOUR("%[n]", "x", "a", "b", "c", "d")
                     "vmov %q[sums][2], %q[sums][0], %[s0], %[s2]\n\t"
                     "vmov %q[sums][3], %q[sums][1], %[s1], %[s3]"
                     : [a] "+&r"(rows), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [x] "+&r"(x),
                       [s0] "=&Te"(s0), [s1] "=&Te"(s1), [s2] "=&Te"(s2), [s3] "=&Te"(s3),
                       [sums] "=&w"(sums)
                     : [n] "r"(n), [bias] "r"(bias)
                     : "lr", "q0", "q1", "memory");
    return sums;
}

/* One part of a unit's gates, saturated to 16 bits in the upper halves; of such, VQADD adds and
 * saturates the same way. */
static inline int32x4_t upper_gates(int32x4_t sums, const gate_scales *by)
{
    const int32x4_t high = vqrdmulhq_s32(vshlq_s32(sums, by->left), by->multiplier);
    return vqshlq_n_s32(shift_right(high, by->right), 16);
}

/* The arithmetic of up to four units behind their gates, [unit][gate] in 2^-12 / 3; what `live` excludes
 * is not stored. */
static inline void finish(const kd_lstm_s8_params *p, const int32_t *gates, int16_t *cell, int8_t *out,
                          mve_pred16_t live)
{
    const int32x4x4_t gate = vld4q_s32(gates);
    const int16_t *table = p->sigmoid;
    const int32_t exponent = p->cell_exponent;
    const int32x4_t input = sigmoid(table, gate.val[0]);
    const int32x4_t update = tanh_q15(table, gate.val[2]);
    const int32x4_t product = halve(vmulq_s32(input, update), 29 + exponent);
    const int32x4_t added = vshrq_n_s32(vqshlq_n_s32(product, 16), 16);
    const int32x4_t forget = sigmoid(table, gate.val[1]);
    const int32x4_t kept = halve(vmulq_s32(forget, vldrhq_z_s32(cell, live)), 14);
    int32x4_t state = vshrq_n_s32(vqshlq_n_s32(vaddq_s32(kept, added), 16), 16);
    if (p->cell_clip >= 0) {
        state = vmaxq_s32(vminq_s32(state, vdupq_n_s32(p->cell_clip)), vdupq_n_s32(-p->cell_clip));
    }
    vstrhq_p_s32(cell, state, live);

    const int32x4_t zoomed = vmulq_n_s32(state, 3 * (1 << kd_max(12 + exponent, 0)));
    const int32x4_t squashed = tanh_q15(table, vrshlq_n_s32(zoomed, kd_min(12 + exponent, 0)));
    const int32x4_t scaled = vmulq_s32(squashed, sigmoid(table, gate.val[3]));
    const int32x4_t high = vqrdmulhq_n_s32(scaled, p->hidden_multiplier);
    const int32x4_t hidden = shift_right(high, vdupq_n_s32(p->hidden_shift));
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
    const gate_scales of_input = scales_of(p->scales);
    const gate_scales of_hidden = scales_of(p->scales + 8);
    int32_t gates[4][4] = {{0}};
    for (uint32_t unit = 0; unit < units; unit += 4u) {
        const uint32_t left = units - unit;
        for (uint32_t lane = 0; lane < 4u && lane < left; lane++) {
            const int32x4_t from_x = upper_gates(row_sums(rows, x, n_input, bias), &of_input);
            rows += 4u * n_input;
            const int32x4_t from_h = upper_gates(row_sums(rows, hidden, units, bias + 4), &of_hidden);
            rows += 4u * units;
            bias += 8;
            /* Times 3 on the way from the upper halves to the lower. */
            vst1q_s32(gates[lane], vmulhq_s32(vqaddq_s32(from_x, from_h), vdupq_n_s32(3 << 16)));
        }
        finish(p, &gates[0][0], cell + unit, out + unit, vctp32q(left));
    }
    memcpy(hidden, out, units);
}

/* Fixed-point arithmetic shared by the kernels, bit-exact with TFLite Micro's reference kernels. */
#ifndef KD_MATH_H
#define KD_MATH_H

#include <stdint.h>

/* A right shift of a negative value is arithmetic on every compiler this is meant for. */
typedef char kd_signal_arithmetic_shift[((-2) >> 1) == -1 ? 1 : -1];

static inline int32_t kd_min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t kd_max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static inline int32_t kd_clamp(int32_t value, int32_t low, int32_t high)
{
    return kd_min(kd_max(value, low), high);
}

/* a + b, as two's complement wraps. */
static inline int32_t kd_wrapping_sum(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* x * 2^left, as two's complement wraps. */
static inline int32_t kd_shift_left(int32_t x, uint32_t left)
{
    return (int32_t)((uint32_t)x << left);
}

/* Rounded a * b / 2^31; b is a multiplier, hence never INT32_MIN. */
static inline int32_t kd_high_mul(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* x / 2^right, halves away from zero; right is 0 to 31. */
static inline int32_t kd_divide_by_pot(int32_t x, uint32_t right)
{
    if (right == 0u) {
        return x;
    }
    const int32_t half = (int32_t)(1u << (right - 1u));
    /* In 64 bits, because x + half may pass INT32_MAX. */
    return (int32_t)(((int64_t)x + half - (x < 0 ? 1 : 0)) >> right);
}

/* x * multiplier * 2^(shift - 31), rounded twice as TFLite does; shift is -31 to 30. */
static inline int32_t kd_requant(int32_t x, int32_t multiplier, int32_t shift)
{
    if (shift > 0) {
        return kd_high_mul(kd_shift_left(x, (uint32_t)shift), multiplier);
    }
    return kd_divide_by_pot(kd_high_mul(x, multiplier), (uint32_t)-shift);
}

#endif /* KD_MATH_H */

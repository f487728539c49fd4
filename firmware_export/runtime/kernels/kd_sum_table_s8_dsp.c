/* kd_sum_table_s8() for cores with the DSP extension. */
#include "kd_conv_s8_narrow.h"
#include "kd_sum_table_s8.h"
#include "kd_sum_table_terms.h"

/* From a doubled sum to int8: `half` of 2^right goes in with the product, halves away from zero by
 * taking one from negative sums; right is at least 1. */
static inline int8_t narrowed(
    int32_t doubled, int32_t multiplier, int32_t half, int32_t right, int32_t offset)
{
    int32_t value;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(value) : "r"(doubled), "r"(multiplier), "r"(half));
    value = ((value + (doubled >> 31)) >> right) + offset;
    __asm__("ssat %0, #8, %0" : "+r"(value));
    return (int8_t)value;
}

void kd_sum_table_s8(const kd_sum_table_s8_params *p, const int8_t *a, const int8_t *b,
                     int32_t *terms, int8_t *out)
{
    const int32_t multiplier = p->multiplier, offset = p->offset;
    /* Without a shift to the right the sum gets a bit more, so that there is one. */
    const int32_t more = p->right == 0 ? 4 : 2;
    const int32_t right = p->right == 0 ? 1 : p->right;
    const int32_t half = (int32_t)(1u << (right - 1));
    const int32_t factor = more * p->a_factor;
    const int32_t a_step = p->rows.a_step, b_step = p->rows.b_step;
    const int32_t *of_zero = terms + 128;
    int8_t *first = out;
    kd_sum_table_terms(p, more, terms);
    kd_walk at = {0};
    do {
        const int8_t *x = a + at.a;
        const int8_t *y = b + at.b;
        const int8_t *end = out + p->rows.count;
        if (a_step == 1 && b_step == 1) {
            while (out < end) {
                *out++ = narrowed(*x++ * factor + of_zero[*y++], multiplier, half, right, offset);
            }
        }
        for (; out < end; x += a_step, y += b_step) {
            *out++ = narrowed(*x * factor + of_zero[*y], multiplier, half, right, offset);
        }
    } while (kd_walk_next(&p->rows, &at));
    kd_narrow_finish(first, (uint32_t)(out - first), p->low, p->high, p->table);
}

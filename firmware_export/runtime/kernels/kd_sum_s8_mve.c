/* kd_sum_s8() with Helium: four values at a time. */
#include <arm_mve.h>
#include <stddef.h>

#include "kd_math.h"
#include "kd_sum_s8.h"

/* Values that do not adjoin are brought together before, so many at a time; a multiple of four. */
#define TOGETHER 16

/* What an operand's values go through before they are added. */
typedef struct {
    int32x4_t scale; /* a power of two */
    int32_t add;     /* the offset, times that */
    int32_t multiplier;
    int32_t right;   /* to the left, hence negative */
} operand;

/* Only the operand with the larger scale is not shifted right: it is halved, and exactly. It gets a bit
 * more and is shifted, so that both round alike. */
static inline operand operand_of(int32_t offset, int32_t multiplier, int32_t right)
{
    const int32_t scale = 1 << (right > 0 ? 20 : 21);
    const operand of = {vdupq_n_s32(scale), offset * scale, multiplier, right > 0 ? -right : -1};
    return of;
}

/* Halves go away from zero: one is taken from negative values before VRSHL rounds them up. */
static inline int32x4_t rescaled(const int8_t *x, const operand *by)
{
    int32x4_t value = vmlasq_n_s32(vldrbq_s32(x), by->scale, by->add);
    value = vqrdmulhq_n_s32(value, by->multiplier);
    return vrshlq_n_s32(vaddq_s32(value, vshrq_n_s32(value, 31)), by->right);
}

/* n values, a multiple of four. */
static void add(const kd_sum_params *p, const int8_t *x, const int8_t *y, int8_t *out, int32_t n)
{
    const operand a = operand_of(p->a_offset, p->a_multiplier, p->a_right);
    const operand b = operand_of(p->b_offset, p->b_multiplier, p->b_right);
    const int32x4_t low = vdupq_n_s32(p->low), high = vdupq_n_s32(p->high);
    const int32_t sign = p->sign, multiplier = p->multiplier, right = -p->right;
    const int32_t offset = p->offset, rounds = right < 0;
    const int8_t *const table = p->table, *const end = x + n;
    for (; x < end; x += 4, y += 4, out += 4) {
        int32x4_t value = vmlaq_n_s32(rescaled(x, &a), rescaled(y, &b), sign);
        value = vqrdmulhq_n_s32(value, multiplier);
        value = vmlaq_n_s32(value, vshrq_n_s32(value, 31), rounds);
        value = vaddq_n_s32(vrshlq_n_s32(value, right), offset);
        value = vminq_s32(vmaxq_s32(value, low), high);
        if (table != NULL) {
            const uint32x4_t at = vreinterpretq_u32_s32(vaddq_n_s32(value, 128));
            value = vldrbq_gather_offset_s32(table, at);
        }
        vstrbq_s32(out, value);
    }
}

void kd_sum_s8(const kd_sum_params *p, const int8_t *a, const int8_t *b, int8_t *out)
{
    const int32_t count = p->rows.count, a_step = p->rows.a_step, b_step = p->rows.b_step;
    const int32_t adjoining = a_step == 1 && b_step == 1 ? count & ~3 : 0;
    kd_walk at = {0};
    do {
        const int8_t *x = a + at.a, *y = b + at.b;
        add(p, x, y, out, adjoining);
        x += adjoining;
        y += adjoining;
        out += adjoining;
        for (int32_t left = count - adjoining; left > 0; left -= TOGETHER) {
            int8_t pairs[2][TOGETHER] = {{0}};
            const int32_t n = kd_min(left, TOGETHER);
            for (int32_t i = 0; i < n; i++, x += a_step, y += b_step) {
                pairs[0][i] = *x;
                pairs[1][i] = *y;
            }
            add(p, pairs[0], pairs[1], pairs[0], (n + 3) & ~3);
            for (int32_t i = 0; i < n; i++) {
                *out++ = pairs[0][i];
            }
        }
    } while (kd_walk_next(&p->rows, &at));
}

#include "kd_rule.h"

#define FACTOR_BITS 20
/* Added before the shift: what is shifted is never negative, of which C99 leaves the result open. */
#define BELOW 256

static int32_t steps(int32_t product)
{
    const int32_t shifted = product + BELOW * (1 << FACTOR_BITS) + (1 << (FACTOR_BITS - 1));
    return (shifted >> FACTOR_BITS) - BELOW;
}

static int8_t within_int8(int32_t value)
{
    if (value > 127) {
        return 127;
    }
    return (int8_t)(value < -128 ? -128 : value);
}

int32_t kd_rule_margin(const int8_t *scores, uint32_t n, uint32_t classes)
{
    int32_t smallest = 255;
    for (uint32_t place = 0; place < n; place += classes) {
        int32_t best = -129;
        int32_t next = -129;
        for (uint32_t i = place; i < place + classes; i++) {
            if (scores[i] > best) {
                next = best;
                best = scores[i];
            } else if (scores[i] > next) {
                next = scores[i];
            }
        }
        smallest = best - next < smallest ? best - next : smallest;
    }
    return smallest;
}

uint32_t kd_rule_pick(const int8_t *scores, uint32_t n, int32_t threshold)
{
    if (n == 1u) {
        return scores[0] >= threshold ? 1u : 0u;
    }
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++) {
        best = scores[i] > scores[best] ? i : best;
    }
    return best;
}

/* One place; see kd_rule_rescale. */
static void rescale_place(const int8_t *scores, uint32_t classes, kd_rule_scale scale,
                          int32_t answer_zero, int8_t *out)
{
    int32_t best = scores[0];
    int32_t least = scores[0];
    for (uint32_t i = 1; i < classes; i++) {
        best = scores[i] > best ? scores[i] : best;
        least = scores[i] < least ? scores[i] : least;
    }
    int32_t top = within_int8(steps((best - scale.zero_point) * scale.factor) + answer_zero);
    if (least < best && top < -127) {
        top = -127;
    }
    for (uint32_t i = 0; i < classes; i++) {
        if (scores[i] == best) {
            out[i] = (int8_t)top;
        } else {
            const int32_t own = (scores[i] - scale.zero_point) * scale.factor;
            const int32_t value = within_int8(steps(own) + answer_zero);
            out[i] = (int8_t)(value < top ? value : top - 1);
        }
    }
}

void kd_rule_rescale(const int8_t *scores, uint32_t n, uint32_t classes, kd_rule_scale scale,
                     int32_t answer_zero, int8_t *out)
{
    for (uint32_t place = 0; place < n; place += classes) {
        rescale_place(scores + place, classes, scale, answer_zero, out + place);
    }
}

void kd_rule_add(const int8_t *scores, uint32_t n, kd_rule_scale scale, int32_t *sums)
{
    for (uint32_t i = 0; i < n; i++) {
        sums[i] += (scores[i] - scale.zero_point) * scale.factor;
    }
}

void kd_rule_mean(const int32_t *sums, uint32_t n, int32_t answer_zero, int8_t *out)
{
    for (uint32_t i = 0; i < n; i++) {
        out[i] = within_int8(steps(sums[i]) + answer_zero);
    }
}

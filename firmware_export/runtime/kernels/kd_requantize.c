#include "kd_requantize.h"

#include "kd_integer.h"
#include "kd_math.h"

void kd_requantize(const kd_requantize_params *p, const void *in, void *out)
{
    for (int32_t i = 0; i < p->count; i++) {
        const int32_t x = kd_wrapping_sum(kd_integer_at(in, i, p->in_type), p->in_offset);
        const int32_t value = kd_wrapping_sum(kd_requant(x, p->multiplier, p->shift), p->offset);
        kd_integer_put(out, i, p->out_type, value);
    }
}

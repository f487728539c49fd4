#include "kd_arg_max_s8.h"

void kd_arg_max_s8(const kd_arg_max_s8_params *p, const int8_t *in, int32_t *out)
{
    for (int32_t outer = 0; outer < p->outer; outer++) {
        for (int32_t inner = 0; inner < p->inner; inner++) {
            const int8_t *x = in + inner;
            int32_t most = -129;
            int32_t place = 0;
            for (int32_t i = 0; i < p->count; i++) {
                if (*x > most) {
                    most = *x;
                    place = i;
                }
                x += p->inner;
            }
            *out++ = place;
        }
        in += p->count * p->inner;
    }
}

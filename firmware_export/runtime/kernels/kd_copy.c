#include "kd_copy.h"

#include <stddef.h>
#include <string.h>

/* Below this a call of memcpy() costs more than the bytes. */
#define KD_SHORT_RUN 8

void kd_copy(const kd_copy_params *p, const void *in, void *out)
{
    kd_walk at = {0};
    do {
        const uint8_t *from = (const uint8_t *)in + p->in_start + at.a;
        uint8_t *to = (uint8_t *)out + p->out_start + at.b;
        for (int32_t i = 0; i < p->rows.count; i++) {
            if (p->run < KD_SHORT_RUN) {
                for (int32_t k = 0; k < p->run; k++) {
                    to[k] = from[k];
                }
            } else {
                memcpy(to, from, (size_t)p->run);
            }
            from += p->rows.a_step;
            to += p->rows.b_step;
        }
    } while (kd_walk_next(&p->rows, &at));
}

#include "kd_shift.h"

#include <string.h>

void kd_shift(const kd_shift_params *p, const void *in, void *out)
{
    memmove((uint8_t *)out + p->first, (const uint8_t *)in + p->first + p->by, p->n_bytes);
}

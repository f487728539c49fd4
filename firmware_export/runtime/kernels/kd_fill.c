#include "kd_fill.h"

void kd_fill(const kd_fill_params *p, void *out)
{
    uint8_t *to = out;
    uint32_t pattern = p->pattern;
    for (int32_t i = 0; i < p->n_bytes; i++) {
        to[i] = (uint8_t)pattern;
        pattern = (pattern >> 8) | (pattern << 24);
    }
}

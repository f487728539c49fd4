#include "kd_resize_nearest.h"

#include <stddef.h>
#include <string.h>

void kd_resize_nearest(const kd_resize_nearest_params *p, const void *in, void *out)
{
    uint8_t *to = out;
    for (int32_t y = 0; y < p->out_rows; y++) {
        const uint8_t *row = (const uint8_t *)in + p->rows[y] * p->row_bytes;
        for (int32_t x = 0; x < p->out_columns; x++) {
            memcpy(to, row + p->columns[x] * p->pixel_bytes, (size_t)p->pixel_bytes);
            to += p->pixel_bytes;
        }
    }
}

/* From the sums of FULLY_CONNECTED to int8. */
#ifndef KD_FC_NARROW_H
#define KD_FC_NARROW_H

#include <stdint.h>

#include "kd_math.h"

/* Members as in kd_fc_s8_params. */
typedef struct {
    const int32_t *scales;
    const int8_t *table;
    int32_t zero_point;
    int32_t low;
    int32_t high;
    uint32_t by_row;
} kd_fc_narrow;

/* The result of a row from its sum. */
static inline int8_t kd_fc_to_int8(const kd_fc_narrow *n, uint32_t row, int32_t sum)
{
    const int32_t *scale = n->scales + 2u * row * n->by_row;
    const int32_t value = kd_requant(sum, scale[0], scale[1]) + n->zero_point;
    const int32_t clamped = kd_clamp(value, n->low, n->high);
    return n->table != 0 ? n->table[clamped + 128] : (int8_t)clamped;
}

#endif /* KD_FC_NARROW_H */

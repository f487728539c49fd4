/* kd_fc_s8 for cores with the DSP extension, with weights packed for kd_dot_packed.h. */
#ifndef KD_FC_PACKED_S8_H
#define KD_FC_PACKED_S8_H

#include <stdint.h>

/* As kd_fc_s8_params, but for the form of weights, bias and scales. */
typedef struct {
    const uint32_t *weights; /* bias and weights of four rows after four, packed */
    const int32_t *scales;   /* multiplier of 2^31 and right shift less one */
    const int8_t *table;
    uint32_t columns;
    uint16_t rows;
    uint16_t batches;
    int16_t zero_point;
    int8_t low;
    int8_t high;
    uint8_t by_row;
} kd_fc_packed_s8_params;

/* As kd_fc_s8. scratch: 8-aligned, KD_WIDENED_WORDS(columns) words. Never fails. Stack: 160 bytes. */
void kd_fc_packed_s8(const kd_fc_packed_s8_params *p, const int8_t *x, int8_t *out,
                     uint32_t *scratch);

#endif /* KD_FC_PACKED_S8_H */

/* FULLY_CONNECTED, int8 values and int4 weights, bit-exact with TFLite Micro. */
#ifndef KD_FC_S4_H
#define KD_FC_S4_H

#include <stdint.h>

/* As kd_fc_s8_params, but for the form of the weights. */
typedef struct {
    const uint8_t *weights; /* pairs of rows for kd_dot_s4(), the last one perhaps half empty */
    const int32_t *bias;    /* [rows] */
    const int32_t *scales;
    const int8_t *table;
    uint32_t columns;
    uint16_t rows;
    uint16_t batches;
    int16_t zero_point;
    int8_t low;
    int8_t high;
    uint8_t by_row;
} kd_fc_s4_params;

/* As kd_fc_s8. scratch: as kd_s4_prepare() takes it. Never fails. Stack: 190 bytes. */
void kd_fc_s4(const kd_fc_s4_params *p, const int8_t *x, int8_t *out, void *scratch);

#endif /* KD_FC_S4_H */

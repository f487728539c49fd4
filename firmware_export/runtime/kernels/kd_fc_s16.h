/* FULLY_CONNECTED, int16 values and int8 weights. */
#ifndef KD_FC_S16_H
#define KD_FC_S16_H

#include "kd_matvec_s16.h"

typedef struct {
    kd_matvec_s16_matrix matrix;
    uint16_t rows;    /* at least 1 */
    uint16_t batches; /* at least 1 */
} kd_fc_s16_params;

/* out[batch] = matrix * x[batch], narrowed, bit-exact with TFLite Micro.
 * x: batches of columns; out: batches of rows. Never fails. Stack: 250 bytes. */
void kd_fc_s16(const kd_fc_s16_params *p, const int16_t *x, int16_t *out);

#endif /* KD_FC_S16_H */

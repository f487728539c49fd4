/* FULLY_CONNECTED, int8, bit-exact with TFLite Micro. */
#ifndef KD_FC_S8_H
#define KD_FC_S8_H

#include <stdint.h>

typedef struct {
    const int8_t *weights; /* [rows][columns] */
    const int32_t *bias;   /* [rows], the input's zero point folded in; Helium: at least 4 */
    const int32_t *scales; /* multiplier and shift (-31 to 30), once or for each row; as bias */
    const int8_t *table;   /* 256 values that replace value + 128 after clamping; or NULL */
    uint32_t columns;      /* at least 1 */
    uint16_t rows;         /* at least 1 */
    uint16_t batches;      /* at least 1 */
    int16_t zero_point;    /* of the output, before the table */
    int8_t low;            /* clamp, both ends included */
    int8_t high;
    uint8_t by_row; /* 1 where each row has scales of its own, else 0 */
} kd_fc_s8_params;

/* out[batch][r] = clamp(requant(bias[r] + weights[r] . x[batch]) + zero_point), then the table.
 * x: batches of columns; out: batches of rows. Never fails. Stack: under 250 bytes. */
void kd_fc_s8(const kd_fc_s8_params *p, const int8_t *x, int8_t *out);

#endif /* KD_FC_S8_H */

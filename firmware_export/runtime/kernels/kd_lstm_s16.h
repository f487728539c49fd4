/* One step of UNIDIRECTIONAL_SEQUENCE_LSTM, int16 values and int8 weights. */
#ifndef KD_LSTM_S16_H
#define KD_LSTM_S16_H

#include <stdint.h>

/* Everywhere the gates stand in the order input, forget, cell, output. */
typedef struct {
    const int8_t *weights;  /* for each unit 4 rows of n_input, then 4 recurrent rows of units */
    const int64_t *bias;    /* [units][4] */
    const int32_t *scales;  /* [2][4][2]: of x's and the hidden gates, as kd_requant_wide() has them */
    const int16_t *sigmoid; /* see kd_sigmoid_table.h */
    int32_t hidden_multiplier;
    int32_t hidden_shift; /* -31 to 0 */
    int32_t cell_clip;    /* 0 to 32767 in units of the cell; negative: no clipping */
    int8_t cell_exponent; /* the cell's scale is 2^cell_exponent; -24 to 0 */
    uint16_t n_input;     /* at least 1 */
    uint16_t units;       /* at least 1 */
} kd_lstm_s16_params;

/* x: n_input values of this step. out: units values, memory of its own. hidden and cell: units values,
 * 0 at the start, carried to the next step. Bit-exact with TFLite Micro.
 * Never fails. Stack: 370 bytes. */
void kd_lstm_s16(const kd_lstm_s16_params *p, const int16_t *x, int16_t *out, int16_t *hidden,
                 int16_t *cell);

#endif /* KD_LSTM_S16_H */

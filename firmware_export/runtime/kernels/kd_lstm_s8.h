/* One step of UNIDIRECTIONAL_SEQUENCE_LSTM, int8 with 16-bit cell, bit-exact with TFLite Micro. */
#ifndef KD_LSTM_S8_H
#define KD_LSTM_S8_H

#include <stdint.h>

/* Everywhere the gates stand in the order input, forget, cell, output. */
typedef struct {
    const int8_t *weights;  /* for each unit 4 rows of n_input, then 4 recurrent rows of units */
    const int32_t *bias;    /* [units][2][4]: for x, for the hidden state; zero points folded in */
    const int32_t *scales;  /* [2][4][2]: multiplier and shift (-31 to 30) of x's and hidden gates */
    const int16_t *sigmoid; /* see kd_sigmoid_table.h */
    int32_t hidden_multiplier;
    int32_t hidden_shift; /* -31 to 0 */
    int32_t zero_point;   /* of the hidden state and the output */
    int32_t cell_clip;    /* 0 to 32767 in units of the cell; negative: no clipping */
    int8_t cell_exponent; /* the cell's scale is 2^cell_exponent; -24 to 0 */
    uint16_t n_input;     /* at least 1 */
    uint16_t units;       /* at least 1 */
} kd_lstm_s8_params;

/* x: n_input values of this step. out: units values, memory of its own. hidden: units values, the
 * zero point at the start; cell: units values, 0 at the start; both are carried to the next step.
 * Never fails. Stack: 210 bytes; with Helium 500. */
void kd_lstm_s8(const kd_lstm_s8_params *p, const int8_t *x, int8_t *out, int8_t *hidden,
                int16_t *cell);

#endif /* KD_LSTM_S8_H */

/* kd_lstm_s8 for cores with the DSP extension, with weights packed for kd_dsp.h. */
#ifndef KD_LSTM_PACKED_S8_H
#define KD_LSTM_PACKED_S8_H

#include <stdint.h>

/* As kd_lstm_s8_params, but for the form of weights and bias. */
typedef struct {
    const uint32_t *weights; /* for each unit the packed gate rows for x, then for the hidden state */
    const int32_t *scales;   /* [2][4][4]: of x's and hidden gates, as the lowering makes them */
    const int16_t *sigmoid;
    int32_t hidden_multiplier;
    int32_t hidden_shift; /* -31 to -1 */
    int32_t zero_point;
    int32_t cell_clip;
    int8_t cell_exponent;
    uint16_t n_input;
    uint16_t units;
} kd_lstm_packed_s8_params;

/* As kd_lstm_s8. scratch: 8-aligned, KD_WIDENED_WORDS() of n_input and of units. Never fails.
 * Stack: 230 bytes. */
void kd_lstm_packed_s8(const kd_lstm_packed_s8_params *p, const int8_t *x, int8_t *out,
                       int8_t *hidden, int16_t *cell, uint32_t *scratch);

#endif /* KD_LSTM_PACKED_S8_H */

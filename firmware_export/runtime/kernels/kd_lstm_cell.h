/* From the four gates of an LSTM's unit to its cell and output, bit-exact with TFLite Micro. */
#ifndef KD_LSTM_CELL_H
#define KD_LSTM_CELL_H

#include "kd_math.h"
#include "kd_sigmoid_table.h"

typedef struct {
    const int16_t *sigmoid; /* see kd_sigmoid_table.h */
    int32_t exponent;       /* the cell's scale is 2^exponent; -24 to 0 */
    int32_t clip;           /* 0 to 32767 in units of the cell; negative: no clipping */
    /* tanh takes the cell in units of 2^-12 / 3, rounded where those are coarser: */
    int32_t factor;
    int32_t round;
    uint32_t coarser;
} kd_lstm_cell;

static inline kd_lstm_cell kd_lstm_cell_of(const int16_t *sigmoid, int32_t exponent, int32_t clip)
{
    const uint32_t coarser = (uint32_t)kd_max(-12 - exponent, 0);
    const kd_lstm_cell cell = {
        .sigmoid = sigmoid,
        .exponent = exponent,
        .clip = clip,
        .factor = 3 * (1 << kd_max(12 + exponent, 0)),
        .round = (1 << coarser) >> 1,
        .coarser = coarser,
    };
    return cell;
}

static inline int32_t kd_to_int16(int32_t value)
{
    return kd_clamp(value, -32768, 32767);
}

/* gate: input, forget, cell, output in 2^-12, 16 bits each. state: the unit's cell, updated.
 * Returns tanh of it times the output gate, in 2^-30. */
static inline int32_t kd_lstm_update(const kd_lstm_cell *cell, const int32_t gate[4], int16_t *state)
{
    const int32_t input = kd_sigmoid_q15(cell->sigmoid, 3 * gate[0]);
    const int32_t forget = kd_sigmoid_q15(cell->sigmoid, 3 * gate[1]);
    const int32_t update = kd_tanh_q15(cell->sigmoid, 3 * gate[2]);
    const int32_t output = kd_sigmoid_q15(cell->sigmoid, 3 * gate[3]);
    /* Both multipliers are 2^30, powers of two as the cell's scale is one; what is kept never
     * passes 16 bits, what is added may where the scale is below 2^-15. */
    const int32_t kept = kd_requant(forget * *state, 1 << 30, -14);
    const int32_t added = kd_to_int16(kd_requant(input * update, 1 << 30, -29 - cell->exponent));
    int32_t value = kd_to_int16(kept + added);
    if (cell->clip >= 0) {
        value = kd_clamp(value, -cell->clip, cell->clip);
    }
    *state = (int16_t)value;
    return kd_tanh_q15(cell->sigmoid, (value * cell->factor + cell->round) >> cell->coarser) * output;
}

#endif /* KD_LSTM_CELL_H */

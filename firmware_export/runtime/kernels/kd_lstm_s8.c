/* Portable form: the four gates of a unit share each load of the input. */
#include "kd_lstm_s8.h"

#include <string.h>

#include "kd_dot_rows.h"
#include "kd_math.h"
#include "kd_sigmoid_table.h"

static int32_t to_int16(int32_t value)
{
    return kd_clamp(value, -32768, 32767);
}

/* gate[g] = saturated sum of both parts, in 2^-12. */
static void gates(const kd_lstm_s8_params *p, uint32_t unit, const int8_t *x, const int8_t *hidden,
                  int32_t gate[4])
{
    const uint32_t n_input = p->n_input;
    const uint32_t units = p->units;
    const int8_t *first = p->weights + (size_t)unit * 4u * (n_input + units);
    const int8_t *const rows[4] = {first, first + n_input, first + 2u * n_input,
                                   first + 3u * n_input};
    first += 4u * n_input;
    const int8_t *const recurrent[4] = {first, first + units, first + 2u * units,
                                        first + 3u * units};
    int32_t sums[8];
    memcpy(sums, p->bias + (size_t)unit * 8u, sizeof sums);
    kd_dot_rows(rows, x, n_input, sums);
    kd_dot_rows(recurrent, hidden, units, sums + 4);
    for (uint32_t i = 0; i < 8u; i++) {
        sums[i] = to_int16(kd_requant(sums[i], p->scales[2u * i], p->scales[2u * i + 1u]));
    }
    for (uint32_t i = 0; i < 4u; i++) {
        gate[i] = to_int16(sums[i] + sums[4u + i]);
    }
}

void kd_lstm_s8(const kd_lstm_s8_params *p, const int8_t *x, int8_t *out, int8_t *hidden,
                int16_t *cell)
{
    const int32_t exponent = p->cell_exponent;
    /* tanh takes the cell in units of 2^-12 / 3, rounded where those are coarser. */
    const uint32_t coarser = (uint32_t)kd_max(-12 - exponent, 0);
    const int32_t factor = 3 * (1 << kd_max(12 + exponent, 0));
    const int32_t round = (1 << coarser) >> 1;
    for (uint32_t u = 0; u < p->units; u++) {
        int32_t gate[4];
        gates(p, u, x, hidden, gate);
        const int32_t input = kd_sigmoid_q15(p->sigmoid, 3 * gate[0]);
        const int32_t forget = kd_sigmoid_q15(p->sigmoid, 3 * gate[1]);
        const int32_t update = kd_tanh_q15(p->sigmoid, 3 * gate[2]);
        const int32_t output = kd_sigmoid_q15(p->sigmoid, 3 * gate[3]);
        /* Both multipliers are 2^30, powers of two as the cell's scale is one; no product of the
         * two passes 16 bits. */
        const int32_t kept = kd_requant(forget * cell[u], 1 << 30, -14);
        const int32_t added = kd_requant(input * update, 1 << 30, -29 - exponent);
        int32_t state = to_int16(kept + added);
        if (p->cell_clip >= 0) {
            state = kd_clamp(state, -p->cell_clip, p->cell_clip);
        }
        cell[u] = (int16_t)state;
        const int32_t squashed = kd_tanh_q15(p->sigmoid, (state * factor + round) >> coarser);
        const int32_t value =
            kd_requant(squashed * output, p->hidden_multiplier, p->hidden_shift) + p->zero_point;
        out[u] = (int8_t)kd_clamp(value, -128, 127);
    }
    memcpy(hidden, out, p->units);
}

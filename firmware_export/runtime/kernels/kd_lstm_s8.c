/* Portable form: the four gates of a unit share each load of the input. */
#include "kd_lstm_s8.h"

#include <string.h>

#include "kd_dot_rows.h"
#include "kd_lstm_cell.h"

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
        sums[i] = kd_to_int16(kd_requant(sums[i], p->scales[2u * i], p->scales[2u * i + 1u]));
    }
    for (uint32_t i = 0; i < 4u; i++) {
        gate[i] = kd_to_int16(sums[i] + sums[4u + i]);
    }
}

void kd_lstm_s8(const kd_lstm_s8_params *p, const int8_t *x, int8_t *out, int8_t *hidden,
                int16_t *cell)
{
    const kd_lstm_cell update = kd_lstm_cell_of(p->sigmoid, p->cell_exponent, p->cell_clip);
    for (uint32_t u = 0; u < p->units; u++) {
        int32_t gate[4];
        gates(p, u, x, hidden, gate);
        const int32_t product = kd_lstm_update(&update, gate, &cell[u]);
        const int32_t value = kd_requant(product, p->hidden_multiplier, p->hidden_shift) + p->zero_point;
        out[u] = (int8_t)kd_clamp(value, -128, 127);
    }
    memcpy(hidden, out, p->units);
}

#include "kd_lstm_s16.h"

#include <string.h>

#include "kd_dot_rows_s16.h"
#include "kd_lstm_cell.h"
#include "kd_narrow_s16.h"

/* gate[g] = saturated sum of both parts, in 2^-12. */
static void gates(const kd_lstm_s16_params *p, uint32_t unit, const int16_t *x, const int16_t *hidden,
                  int32_t gate[4])
{
    const uint32_t n_input = p->n_input;
    const int8_t *weights = p->weights + (size_t)unit * 4u * (n_input + p->units);
    int64_t sums[8] = {0};
    memcpy(sums, p->bias + (size_t)unit * 4u, 4u * sizeof *sums);
    kd_dot_rows_s16(weights, n_input, x, n_input, sums);
    kd_dot_rows_s16(weights + 4u * n_input, p->units, hidden, p->units, sums + 4);
    int32_t parts[8];
    for (uint32_t i = 0; i < 8u; i++) {
        const int32_t *scale = p->scales + 2u * i;
        parts[i] = kd_to_int16(kd_requant_wide(sums[i], scale[0], scale[1]));
    }
    for (uint32_t i = 0; i < 4u; i++) {
        gate[i] = kd_to_int16(parts[i] + parts[4u + i]);
    }
}

void kd_lstm_s16(const kd_lstm_s16_params *p, const int16_t *x, int16_t *out, int16_t *hidden,
                 int16_t *cell)
{
    const kd_lstm_cell update = kd_lstm_cell_of(p->sigmoid, p->cell_exponent, p->cell_clip);
    for (uint32_t u = 0; u < p->units; u++) {
        int32_t gate[4];
        gates(p, u, x, hidden, gate);
        const int32_t product = kd_lstm_update(&update, gate, &cell[u]);
        out[u] = (int16_t)kd_to_int16(kd_requant(product, p->hidden_multiplier, p->hidden_shift));
    }
    memcpy(hidden, out, p->units * sizeof *hidden);
}

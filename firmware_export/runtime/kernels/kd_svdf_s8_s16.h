/* SVDF, int8 values with int16 state. */
#ifndef KD_SVDF_S8_S16_H
#define KD_SVDF_S8_S16_H

#include "kd_svdf.h"

typedef kd_svdf_params kd_svdf_s8_s16_params;

/* One window: x, batches of n_input values, to out, batches of units. states: batches of units * rank *
 * memory int16_t, 0 at the start, carried to the next window. Bit-exact with TFLite
 * Micro. Never fails. Stack: 200 bytes. */
void kd_svdf_s8_s16(const kd_svdf_params *p, const int8_t *x, int8_t *out, void *states);

#endif /* KD_SVDF_S8_S16_H */

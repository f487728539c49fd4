/* SOFTMAX of an int16 tensor whose zero points are 0. */
#ifndef KD_SOFTMAX_S16_H
#define KD_SOFTMAX_S16_H

#include <stdint.h>

typedef struct {
    int32_t rows;
    int32_t depth;            /* values in a row, up to 65535 */
    int32_t multiplier;       /* of 2^31: brings a difference to 65535 / 10 units, together with */
    int32_t shift;            /* left where positive; -31 to 14 */
    const int16_t *exp;       /* 513 points of exp over [-10, 0] */
    const int16_t *one_over;  /* 513 points of 1 / (1 + x) over [0, 1] */
} kd_softmax_s16_params;

/* Each row as shares of 32768, bit-exact with TFLite Micro's SOFTMAX. in and out may be the same.
 * Never fails. Stack: under 64 bytes. */
void kd_softmax_s16(const kd_softmax_s16_params *p, const int16_t *in, int16_t *out);

#endif /* KD_SOFTMAX_S16_H */

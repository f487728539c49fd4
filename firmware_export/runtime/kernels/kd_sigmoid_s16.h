/* LOGISTIC and TANH of an int16 tensor whose zero points are 0. */
#ifndef KD_SIGMOID_S16_H
#define KD_SIGMOID_S16_H

#include <stdint.h>

typedef struct {
    int32_t count;
    int32_t multiplier;   /* 1 to 32767; brings a value to 12288ths, together with */
    int32_t right;        /* bits to shift right after it, rounded; 0 to 31 */
    int32_t tanh;         /* 1: TANH, 0: LOGISTIC */
    const int16_t *table; /* as kd_sigmoid_table.h says */
} kd_sigmoid_s16_params;

/* out = 32768 * sigmoid or tanh, bit-exact with TFLite Micro. in and out may be the same.
 * Never fails. Stack: under 64 bytes. */
void kd_sigmoid_s16(const kd_sigmoid_s16_params *p, const int16_t *in, int16_t *out);

#endif /* KD_SIGMOID_S16_H */

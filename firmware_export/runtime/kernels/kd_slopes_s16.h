/* RELU, RELU6 and LEAKY_RELU of an int16 tensor whose zero points are 0. */
#ifndef KD_SLOPES_S16_H
#define KD_SLOPES_S16_H

#include <stdint.h>

typedef struct {
    int32_t count;
    int32_t multiplier;       /* of 2^31, for values of 0 and above */
    int32_t shift;            /* left where positive; -31 to 15 */
    int32_t below_multiplier; /* for values below 0 */
    int32_t below_shift;
    int32_t below_sign;       /* -1 where that slope is negative, else 1 */
    int32_t high;             /* no result is above this */
} kd_slopes_s16_params;

/* out = in times its side's slope, clamped, bit-exact with TFLite Micro. in and out may be the same.
 * Never fails. Stack: under 64 bytes. */
void kd_slopes_s16(const kd_slopes_s16_params *p, const int16_t *in, int16_t *out);

#endif /* KD_SLOPES_S16_H */

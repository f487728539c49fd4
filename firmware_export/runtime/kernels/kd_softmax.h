/* Parameters of SOFTMAX over int8, whatever its result's type. */
#ifndef KD_SOFTMAX_H
#define KD_SOFTMAX_H

#include <stdint.h>

typedef struct {
    int32_t rows;
    int32_t depth;      /* values in a row, up to 4095 */
    int32_t multiplier; /* of 2^31: brings a difference to 5 integer bits, together with */
    int32_t left;       /* bits to shift left before it, 0 to 30 */
    int32_t least;      /* differences below this have no share */
} kd_softmax_params;

#endif /* KD_SOFTMAX_H */

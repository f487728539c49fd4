/* Parameters of SVDF, int8 values. */
#ifndef KD_SVDF_H
#define KD_SVDF_H

#include <stdint.h>

typedef struct {
    const int8_t *feature;       /* [units * rank][n_input] */
    const int32_t *feature_bias; /* [units * rank]: the input's zero point, folded in */
    const void *time;            /* [units * rank][memory], of the state's type */
    const int32_t *bias;         /* [units] */
    int32_t state_multiplier;    /* from the feature's sums to the state; shift -31 to 30 */
    int32_t state_shift;
    int32_t state_zero;
    int32_t multiplier;          /* from the sums over time to the result */
    int32_t shift;
    int32_t zero_point;          /* of the result */
    uint16_t batches;            /* these are at least 1 */
    uint16_t n_input;
    uint16_t units;
    uint16_t rank;
    uint16_t memory;             /* values of a filter that are kept */
} kd_svdf_params;

#endif /* KD_SVDF_H */

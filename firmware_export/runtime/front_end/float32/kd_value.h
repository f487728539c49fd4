/* What the front end computes in: IEEE 754 float32. */
#ifndef KD_VALUE_H
#define KD_VALUE_H

#include <stdint.h>

#define KD_FIXED 0

typedef float kd_value;       /* what goes through the front end */
typedef float kd_coefficient; /* what it is multiplied with */

/* A sensor's count as a value. */
#define KD_VALUE(count) ((float)(count))

/* Values that a biquad remembers. */
#define KD_BIQUAD_VALUES 2u

/* From a channel's last values to a model's input: what kd_quantize_input takes. */
typedef struct kd_narrowing {
    float scale;
    int32_t zero_point;
} kd_narrowing;

#endif /* KD_VALUE_H */

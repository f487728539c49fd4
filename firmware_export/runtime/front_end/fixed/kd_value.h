/* What the front end computes in: integers, for cores without a floating-point unit. The sums of
 * products have 64 bits. Bit for bit what kd_edge/base/fixed_running.py computes. */
#ifndef KD_VALUE_H
#define KD_VALUE_H

#include <stdint.h>

#define KD_FIXED 1

typedef int32_t kd_value;       /* what goes through the front end */
typedef int32_t kd_coefficient; /* what it is multiplied with */

/* A sensor's count as a value: 14 bits behind the point. */
#define KD_VALUE(count) ((int32_t)(count) * 16384)

/* Values that a biquad remembers. */
#define KD_BIQUAD_VALUES 5u

/* From a channel's last values to a model's input: clamp(((z * multiplier / 2^32) + half) / 2^shift +
 * zero_point), both rounded down. multiplier: above 0. shift: 1 to 30. */
typedef struct kd_narrowing {
    int32_t multiplier;
    int32_t shift;
    int32_t zero_point;
} kd_narrowing;

#endif /* KD_VALUE_H */

#include "kd_dot_s4.h"

kd_s4_input kd_s4_prepare(const int8_t *x, uint32_t n, void *scratch)
{
    (void)scratch; /* x is multiplied as it is */
    int32_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += x[i];
    }
    const kd_s4_input input = {x, n, 8 * sum};
    return input;
}

void kd_dot_s4(const uint8_t *pair, const kd_s4_input *input, int32_t sums[2])
{
    const int8_t *x = input->values;
    int32_t first = -input->surplus, second = first;
    for (uint32_t i = 0; i < input->n; i++) {
        first += (pair[i] & 15) * x[i];
        second += (pair[i] >> 4) * x[i];
    }
    sums[0] = first;
    sums[1] = second;
}

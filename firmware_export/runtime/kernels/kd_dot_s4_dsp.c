/* kd_dot_s4() with the DSP extension, four columns at a time: values are halfwords in the order of columns
 * 0 and 2, 1 and 3, as SXTB16 gives them, and a mask takes two weights of one row out of a word just so.
 * Needs a little-endian core that loads words from any address. */
#include "kd_dot_s4.h"

#include <arm_acle.h>
#include <string.h>

#define PAIR 0x000F000Fu
#define ONES 0x00010001u

kd_s4_input kd_s4_prepare(const int8_t *x, uint32_t n, void *scratch)
{
    int16x2_t *out = scratch;
    int32_t sum = 0;
    for (uint32_t left = n; left > 0u;) {
        uint32_t four = 0; /* columns that are not there count 0 */
        if (left >= 4u) {
            memcpy(&four, x, 4);
            left -= 4u;
        } else {
            memcpy(&four, x, left);
            left = 0;
        }
        x += 4;
        out[0] = __sxtb16((int8x4_t)four);
        out[1] = __sxtb16((int8x4_t)((four >> 8) | (four << 24)));
        sum = __smlad(out[1], (int16x2_t)ONES, __smlad(out[0], (int16x2_t)ONES, sum));
        out += 2;
    }
    const kd_s4_input input = {scratch, n, 8 * sum};
    return input;
}

void kd_dot_s4(const uint8_t *pair, const kd_s4_input *input, int32_t sums[2])
{
    const int16x2_t *x = input->values;
    const uint8_t *end = pair + input->n;
    int32_t first = -input->surplus, second = first;
    for (; pair < end; pair += 4, x += 2) {
        uint32_t w;
        memcpy(&w, pair, 4);
        first = __smlad((int16x2_t)(w & PAIR), x[0], first);
        second = __smlad((int16x2_t)((w >> 4) & PAIR), x[0], second);
        first = __smlad((int16x2_t)((w >> 8) & PAIR), x[1], first);
        second = __smlad((int16x2_t)((w >> 12) & PAIR), x[1], second);
    }
    sums[0] = first;
    sums[1] = second;
}

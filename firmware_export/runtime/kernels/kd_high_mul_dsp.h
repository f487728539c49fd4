/* Rounded high multiplication in one instruction, for sources built for the DSP extension alone. */
#ifndef KD_HIGH_MUL_DSP_H
#define KD_HIGH_MUL_DSP_H

#include <stdint.h>

/* As kd_high_mul(); |a| is below 2^30, because twice a must fit. */
static inline int32_t kd_high_mul_dsp(int32_t a, int32_t b)
{
    int32_t result;
    __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(a * 2), "r"(b));
    return result;
}

/* As kd_high_mul(); b is at least 2^30. Twice b is 2^32 too small as a signed number, which adding a
 * mends. */
static inline int32_t kd_high_mul_upper_dsp(int32_t a, int32_t b)
{
    int32_t result;
    __asm__("smmlar %0, %1, %2, %1" : "=r"(result) : "r"(a), "r"((uint32_t)b * 2u));
    return result;
}

#endif /* KD_HIGH_MUL_DSP_H */

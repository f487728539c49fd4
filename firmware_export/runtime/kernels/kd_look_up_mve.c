#include "kd_look_up.h"

#include <arm_mve.h>

void kd_look_up(const int8_t *table, int8_t *at, int32_t n)
{
    const uint8x16_t sign = vdupq_n_u8(128);
    __asm__ volatile("dlstp.8 lr, %[n]\n"
                     "1:\n\t"
                     "vldrb.8 q0, [%[at]]\n\t"
                     "veor q0, q0, %q[sign]\n\t"
                     "vldrb.u8 q1, [%[table], q0]\n\t"
                     "vstrb.8 q1, [%[at]], #16\n\t"
                     "letp lr, 1b"
                     : [at] "+r"(at)
                     : [n] "r"(n), [table] "r"(table), [sign] "w"(sign)
                     : "lr", "q0", "q1", "memory");
}

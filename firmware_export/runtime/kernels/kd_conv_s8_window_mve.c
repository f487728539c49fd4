/* kd_conv_s8_any_window() with Helium: 16 bytes at a time. */
#include "kd_conv_s8_window.h"

#include <arm_mve.h>

#include "kd_math.h"

static int8_t *fill(int8_t *to, int32_t n, int32_t value)
{
    int8_t *at = to;
    __asm__ volatile("vdup.8 q0, %[value]\n\t"
                     "wlstp.8 lr, %[n], 2f\n"
                     "1:\n\t"
                     "vstrb.8 q0, [%[at]], #16\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [at] "+r"(at)
                     : [n] "r"(n), [value] "r"(value)
                     : "lr", "q0", "memory");
    return to + n;
}

static int8_t *copy(int8_t *to, const int8_t *from, int32_t n)
{
    int8_t *at = to;
    __asm__ volatile("wlstp.8 lr, %[n], 2f\n"
                     "1:\n\t"
                     "vldrb.8 q0, [%[from]], #16\n\t"
                     "vstrb.8 q0, [%[at]], #16\n\t"
                     "letp lr, 1b\n"
                     "2:"
                     : [at] "+r"(at), [from] "+r"(from)
                     : [n] "r"(n)
                     : "lr", "q0", "memory");
    return to + n;
}

#include "kd_conv_s8_window_body.h"

#include "kd_dot_rows_s16.h"

/* 8 columns a round: 9 instructions for 32 multiply-accumulates, the last round with what is left. */
static inline void kd_dot_part(const int8_t *weights, uint32_t pitch, const int16_t *x, uint32_t n,
                               int32_t sums[4])
{
    const int8_t *a = weights, *b = a + pitch, *c = b + pitch, *d = c + pitch;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    /* VMLADAVA takes even registers only, "Te"; VLDRB that widens the lower ones, "l". */
    __asm__("dlstp.16 lr, %[n]\n"
            "1:\n\t"
            "vldrh.16 q0, [%[x]], #16\n\t"
            "vldrb.s16 q1, [%[a]], #8\n\t"
            "vmladava.s16 %[s0], q0, q1\n\t"
            "vldrb.s16 q2, [%[b]], #8\n\t"
            "vmladava.s16 %[s1], q0, q2\n\t"
            "vldrb.s16 q3, [%[c]], #8\n\t"
            "vmladava.s16 %[s2], q0, q3\n\t"
            "vldrb.s16 q1, [%[d]], #8\n\t"
            "vmladava.s16 %[s3], q0, q1\n\t"
            "letp lr, 1b"
            : [a] "+l"(a), [b] "+l"(b), [c] "+l"(c), [d] "+l"(d), [x] "+r"(x), [s0] "+Te"(s0),
              [s1] "+Te"(s1), [s2] "+Te"(s2), [s3] "+Te"(s3)
            : [n] "r"(n)
            : "lr", "q0", "q1", "q2", "q3", "memory");
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

#include "kd_dot_rows_s16_parts.h"

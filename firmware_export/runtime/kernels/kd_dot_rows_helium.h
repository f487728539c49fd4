/* Dot products of four rows with Helium, to be inlined; for `_mve.c` files. */
#ifndef KD_DOT_ROWS_HELIUM_H
#define KD_DOT_ROWS_HELIUM_H

#include <arm_mve.h>
#include <stdint.h>

/* Adds to [s0] to [s3] the products of a shared row and of four others over n (at least 1) columns, all by
 * names of the assembly's operands. 16 columns a round: 10 instructions for 64 multiply-accumulates, the last
 * round with as many columns as are left. Rows end behind the last round. VMLADAVA takes even registers
 * only: "Te". Changes lr, q0 and q1. */
#define KD_DOT_FOUR(n, shared, a, b, c, d)                                                          \
    "dlstp.8 lr, " n "\n"                                                                          \
    "2:\n\t"                                                                                       \
    "vldrb.8 q0, [%[" shared "]], #16\n\t"                                                         \
    "vldrb.8 q1, [%[" a "]], #16\n\t"                                                              \
    "vmladava.s8 %[s0], q0, q1\n\t"                                                                \
    "vldrb.8 q1, [%[" b "]], #16\n\t"                                                              \
    "vmladava.s8 %[s1], q0, q1\n\t"                                                                \
    "vldrb.8 q1, [%[" c "]], #16\n\t"                                                              \
    "vmladava.s8 %[s2], q0, q1\n\t"                                                                \
    "vldrb.8 q1, [%[" d "]], #16\n\t"                                                              \
    "vmladava.s8 %[s3], q0, q1\n\t"                                                                \
    "letp lr, 2b\n\t"

/* sums[i] = bias[i] + row . x for the rows a, b, c, d, over n (at least 1) columns. */
static inline void kd_dot_rows_helium(const int8_t *a, const int8_t *b, const int8_t *c,
                                      const int8_t *d, const int8_t *x, uint32_t n,
                                      const int32_t bias[4], int32_t sums[4])
{
    int32_t s0 = bias[0], s1 = bias[1], s2 = bias[2], s3 = bias[3];
    __asm__(KD_DOT_FOUR("%[n]", "x", "a", "b", "c", "d")
            : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [x] "+r"(x), [s0] "+Te"(s0),
              [s1] "+Te"(s1), [s2] "+Te"(s2), [s3] "+Te"(s3)
            : [n] "r"(n)
            : "lr", "q0", "q1", "memory");
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

/* The same four sums without biases, in a vector. */
static inline int32x4_t kd_dot_rows_vector(const int8_t *a, const int8_t *b, const int8_t *c,
                                           const int8_t *d, const int8_t *x, uint32_t n)
{
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    int32x4_t sums;
    __asm__(KD_DOT_FOUR("%[n]", "x", "a", "b", "c", "d")
            "vmov %q[sums][2], %q[sums][0], %[s0], %[s2]\n\t"
            "vmov %q[sums][3], %q[sums][1], %[s1], %[s3]"
            : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [x] "+r"(x), [s0] "+Te"(s0),
              [s1] "+Te"(s1), [s2] "+Te"(s2), [s3] "+Te"(s3), [sums] "=w"(sums)
            : [n] "r"(n)
            : "lr", "q0", "q1", "memory");
    return sums;
}

#endif /* KD_DOT_ROWS_HELIUM_H */

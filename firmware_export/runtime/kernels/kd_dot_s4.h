/* Products of packed int4 weights with int8 values, two rows at a time.
 *
 * A byte holds the weights of two rows for one column: w + 8, 0 to 15, the first row's in the lower half.
 * So a mask takes a weight out, without a look at its sign. What that adds to a sum, 8 for each value,
 * is the same in every row and taken off once. aot/layout.py packs. */
#ifndef KD_DOT_S4_H
#define KD_DOT_S4_H

#include <stdint.h>

/* Values as a variant of kd_dot_s4() reads them. */
typedef struct {
    const void *values;
    uint32_t n;
    int32_t surplus; /* 8 times the sum of all values */
} kd_s4_input;

/* n (at least 1) values, ready to be multiplied; x stays as it is until the last kd_dot_s4().
 * scratch: 8-aligned, as many bytes as aot/layout.py's s4_input_bytes() says. Stack: 40 bytes. */
kd_s4_input kd_s4_prepare(const int8_t *x, uint32_t n, void *scratch);

/* sums[i] = row i . x for the two rows of a pair, n bytes; sums stay within 32 bits.
 * Reads up to 3 bytes behind the pair. Stack: 40 bytes. */
void kd_dot_s4(const uint8_t *pair, const kd_s4_input *x, int32_t sums[2]);

#endif /* KD_DOT_S4_H */

/* Products of four rows of int8 weights with int8 values: each load of the values serves four times. */
#ifndef KD_DOT_ROWS_H
#define KD_DOT_ROWS_H

#include <stdint.h>

/* sums[i] += rows[i] . x for i from 0 to 3, over n (at least 1) columns; sums stay within 32 bits.
 * Stack: 48 bytes. */
void kd_dot_rows(const int8_t *const rows[4], const int8_t *x, uint32_t n, int32_t sums[4]);

#endif /* KD_DOT_ROWS_H */

/* Products of four rows of int8 weights with int16 values: each load of the values serves four times. */
#ifndef KD_DOT_ROWS_S16_H
#define KD_DOT_ROWS_S16_H

#include <stdint.h>

/* Columns whose products, each up to 2^22, surely add up in 32 bits. */
#define KD_COLUMNS_OF_32_BITS 256u

/* sums[i] += row i . x for i from 0 to 3, over n (at least 1) columns; sums stay within 48 bits.
 * Row i begins at weights + i * pitch. Stack: 80 bytes. */
void kd_dot_rows_s16(const int8_t *weights, uint32_t pitch, const int16_t *x, uint32_t n,
                     int64_t sums[4]);

#endif /* KD_DOT_ROWS_S16_H */

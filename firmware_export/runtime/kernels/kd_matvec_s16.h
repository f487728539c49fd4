/* Rows of int8 weights times int16 values: what dense layers and convolutions share. */
#ifndef KD_MATVEC_S16_H
#define KD_MATVEC_S16_H

#include "kd_narrow_s16.h"

typedef struct {
    const int8_t *weights; /* [rows][columns], with rows behind up to four from any `first` */
    uint32_t columns;      /* at least 1 */
    kd_narrow_s16 narrow;  /* by row */
} kd_matvec_s16_matrix;

/* out[i] = narrowed(weights[first + i] . x) for i below count (at least 1). x: columns values.
 * Reads four rows at least. Never fails. Stack: 220 bytes. */
void kd_matvec_s16(const kd_matvec_s16_matrix *m, uint32_t first, uint32_t count, const int16_t *x,
                   int16_t *out);

#endif /* KD_MATVEC_S16_H */

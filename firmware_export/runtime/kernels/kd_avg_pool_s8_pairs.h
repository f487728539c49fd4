/* AVERAGE_POOL_2D, int8, of two adjoining pixels of a row: what halves a signal. */
#ifndef KD_AVG_POOL_S8_PAIRS_H
#define KD_AVG_POOL_S8_PAIRS_H

#include <stdint.h>

typedef struct {
    uint16_t rows;
    uint16_t pairs;    /* in a row */
    uint16_t channels;
    uint16_t behind;   /* pixels of a row behind the last pair */
} kd_avg_pool_s8_pairs_params;

/* out[pair][c] = mean of the pair, halves away from zero, bit-exact with TFLite Micro's
 * AVERAGE_POOL_2D. out may be in. Never fails. Stack: under 100 bytes. */
void kd_avg_pool_s8_pairs(const kd_avg_pool_s8_pairs_params *p, const int8_t *in, int8_t *out);

#endif /* KD_AVG_POOL_S8_PAIRS_H */

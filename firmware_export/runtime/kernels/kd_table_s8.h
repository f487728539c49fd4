/* Any element-wise int8 operator, as a table. */
#ifndef KD_TABLE_S8_H
#define KD_TABLE_S8_H

#include <stdint.h>

typedef struct {
    int32_t count;
    const int8_t *table; /* 256 results, for the input value - 128 first */
} kd_table_s8_params;

/* out[i] = table[in[i] + 128]; in and out may be the same. Never fails. Stack: under 32 bytes. */
void kd_table_s8(const kd_table_s8_params *p, const int8_t *in, int8_t *out);

#endif /* KD_TABLE_S8_H */

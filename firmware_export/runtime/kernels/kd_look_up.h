/* A table of 256 values, for kernels with Helium. */
#ifndef KD_LOOK_UP_H
#define KD_LOOK_UP_H

#include <stdint.h>

/* In place of each of n > 0 values the table's for value + 128. */
void kd_look_up(const int8_t *table, int8_t *at, int32_t n);

#endif /* KD_LOOK_UP_H */

/* A tensor of one value: what a padding stands in. */
#ifndef KD_FILL_H
#define KD_FILL_H

#include <stdint.h>

typedef struct {
    int32_t n_bytes;
    uint32_t pattern; /* four bytes, the lowest first: the value as often as it fits */
} kd_fill_params;

/* out = the pattern over and over; the last one may be cut. Never fails. Stack: under 32 bytes. */
void kd_fill(const kd_fill_params *p, void *out);

#endif /* KD_FILL_H */

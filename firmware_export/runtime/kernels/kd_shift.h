/* Moves what is kept to the front, where a window has moved on: from hop to hop. */
#ifndef KD_SHIFT_H
#define KD_SHIFT_H

#include <stdint.h>

typedef struct {
    uint32_t first;   /* where they are to lie */
    uint32_t by;      /* bytes to the front */
    uint32_t n_bytes; /* that move */
} kd_shift_params;

/* out[first + i] = in[first + by + i] for i below n_bytes; in and out are the same memory, or lie apart.
 * The other bytes stay as they are. Never fails. Stack: under 16 bytes. */
void kd_shift(const kd_shift_params *p, const void *in, void *out);

#endif /* KD_SHIFT_H */

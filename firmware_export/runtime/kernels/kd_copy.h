/* Copies between tensors in any order: all operators that only move values. */
#ifndef KD_COPY_H
#define KD_COPY_H

#include "kd_walk.h"

typedef struct {
    kd_rows rows;      /* of runs: a is the input, b the output, in bytes; steps may be negative */
    int32_t run;       /* bytes that lie together in both */
    int32_t in_start;  /* where the first run is */
    int32_t out_start;
} kd_copy_params;

/* out[run by run] = in[run by run]; both may have holes, which stay as they are. in and out do not
 * overlap. Never fails. Stack: under 96 bytes. */
void kd_copy(const kd_copy_params *p, const void *in, void *out);

#endif /* KD_COPY_H */

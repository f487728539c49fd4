/* Parameters of AVERAGE_POOL_2D and MAX_POOL_2D, of either type. */
#ifndef KD_POOL_H
#define KD_POOL_H

#include <stdint.h>

typedef struct {
    uint16_t batches;
    uint16_t in_rows;
    uint16_t in_columns;
    uint16_t channels;
    uint16_t kernel_rows;
    uint16_t kernel_columns;
    uint16_t stride_rows;
    uint16_t stride_columns;
    uint16_t pad_rows;    /* above and left of the first input pixel */
    uint16_t pad_columns;
    uint16_t out_rows;
    uint16_t out_columns;
    int16_t low;          /* clamp, both ends included */
    int16_t high;
} kd_pool_params;

/* From `at`, in the padding where negative, `kernel` pixels, of which those in 0 to `size` are kept.
 * Returns how many; *first is the first of them. */
static inline uint32_t kd_pool_clip(int32_t at, int32_t kernel, int32_t size, int32_t *first)
{
    const int32_t end = at + kernel < size ? at + kernel : size;
    *first = at < 0 ? 0 : at;
    return (uint32_t)(end - *first);
}

#endif /* KD_POOL_H */

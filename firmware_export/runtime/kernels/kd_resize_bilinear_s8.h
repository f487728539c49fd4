/* RESIZE_BILINEAR of an int8 NHWC tensor. */
#ifndef KD_RESIZE_BILINEAR_S8_H
#define KD_RESIZE_BILINEAR_S8_H

#include <stdint.h>

/* Places in the input are in 1024ths of a row or column: out * scale + first. */
typedef struct {
    int32_t batches;
    int32_t in_rows;
    int32_t in_columns;
    int32_t out_rows;
    int32_t out_columns;
    int32_t channels;
    int32_t row_scale;
    int32_t column_scale;
    int32_t row_first;
    int32_t column_first;
} kd_resize_bilinear_s8_params;

/* Each result weighs the four input pixels around its place, bit-exact with TFLite Micro's int8
 * RESIZE_BILINEAR. in and out do not overlap. Never fails. Stack: under 128 bytes. */
void kd_resize_bilinear_s8(const kd_resize_bilinear_s8_params *p, const int8_t *in, int8_t *out);

#endif /* KD_RESIZE_BILINEAR_S8_H */

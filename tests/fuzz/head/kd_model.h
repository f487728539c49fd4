/* A last layer of 3 classes and 5 features, for fuzz_head.c. */
#ifndef KD_MODEL_H
#define KD_MODEL_H

#include <stdint.h>

#define KD_MODEL_HEAD_ROWS 3
#define KD_MODEL_HEAD_COLUMNS 5
#define KD_MODEL_HEAD_SCALES 3

void kd_model_set_head(const int8_t *weights, const int32_t *bias, const int32_t *scales);

#endif

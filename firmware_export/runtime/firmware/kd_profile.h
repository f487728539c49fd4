/* Time by the board's clock, whole and per layer of the model. */
#ifndef KD_PROFILE_H
#define KD_PROFILE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ticks of kd_board_ticks() since `start`, an earlier value of it; at least 1, for everything takes
 * time. */
uint64_t kd_profile_since(uint64_t start);

/* Ticks in microseconds, rounded up; UINT32_MAX from 71 minutes on. */
uint32_t kd_profile_us(uint64_t ticks);

/* The board's clock in microseconds. */
uint64_t kd_profile_now_us(void);

/* Layers' times are summed from begin to end; what an engine marks otherwise costs a call and no
 * more. kd_profile_mark(layer), which a model compiled with KD_MODEL_PROFILE calls after each turn
 * of each layer, adds the time since the last mark to that layer. */
void kd_profile_begin(void);
void kd_profile_end(void);
void kd_profile_mark(uint32_t layer);

/* Ticks of one layer at the last profile, 64-bit sums; layer: below KD_LAYER_COUNT. */
uint64_t kd_profile_layer(uint32_t layer);

#ifdef __cplusplus
}
#endif

#endif /* KD_PROFILE_H */

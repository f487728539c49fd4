/* What kd_signal.c is made of: in float32 or in integers, as kd_value.h says. */
#ifndef KD_SIGNAL_ARITHMETIC_H
#define KD_SIGNAL_ARITHMETIC_H

#include "kd_signal.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a cascade makes of a constant x. Never fails. Stack: 16 bytes. */
kd_lanes kd_gained(const kd_cascade *cascade, kd_lanes x);

/* Filters n values in place, from which `first` is taken before. memory: KD_BIQUAD_VALUES a biquad.
 * Never fails. Stack: 100 bytes. */
void kd_filter(const kd_cascade *cascade, kd_lanes *memory, kd_lanes first, kd_lanes *x, uint32_t n);

/* |x + level|, in place. Never fails. Stack: 8 bytes. */
void kd_rectify(kd_lanes level, kd_lanes *x, uint32_t n);

/* The sum of taps times values, from the newest backwards: `rising` taps from `taps` on, then `falling`
 * from `back` backwards. Never fails. Stack: 60 bytes. */
kd_lanes kd_resampled(const kd_coefficient *taps, uint32_t rising, const kd_coefficient *back,
                      uint32_t falling, const kd_lanes *newest);

/* Two outputs, the later one `apart` inputs behind, of taps that are the same from either end: values
 * that share a tap are added first, and a tap is read once for both outputs. taps: the first half and
 * the middle. count: of all taps. Never fails. Stack: 80 bytes. */
void kd_resampled_twice(const kd_coefficient *taps, const kd_lanes *newest, uint32_t apart,
                        uint32_t count, kd_lanes *sums);

#ifdef __cplusplus
}
#endif

#endif /* KD_SIGNAL_ARITHMETIC_H */

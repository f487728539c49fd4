/* The natural logarithm without libm, with the same bits on every core. */
#ifndef KD_LOG_H
#define KD_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

/* ln x, in IEEE 754 float32 and one order of operations: bit for bit what
 * kd_edge/base/logarithm.py computes, within 2 units in the last place, or 1e-7 near 1.
 * x: finite, and a normal number above 0. Never fails. Stack: 8 bytes. */
float kd_log(float x);

#ifdef __cplusplus
}
#endif

#endif /* KD_LOG_H */

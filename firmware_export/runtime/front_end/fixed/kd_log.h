/* The natural logarithm in integers. */
#ifndef KD_LOG_H
#define KD_LOG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ln u with 26 bits behind the point, within 5e-5: a table of 64 steps, and straight lines between
 * them. u: above 0. Never fails. Stack: 8 bytes. */
int32_t kd_log(uint32_t u);

#ifdef __cplusplus
}
#endif

#endif /* KD_LOG_H */

/* What the front end knows of its wearer; kd_front_end_run.h has what others ask of it. */
#ifndef KD_WEARER_H
#define KD_WEARER_H

#include "kd_front_end_run.h"

#if KD_WEARER_STATES > 0 && !defined(KD_LSB_UNKNOWN)

#ifdef __cplusplus
extern "C" {
#endif

/* KD_WEARER_STATES states, in kd_front_end_get_state's order, reset where nothing is known yet.
 * Never fails. Stack: 8 bytes. */
kd_running_state *kd_wearer_states(void);

#ifdef __cplusplus
}
#endif

#endif

#endif /* KD_WEARER_H */

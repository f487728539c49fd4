/* The decision rule behind the model's answers, for firmware that has one. */
#ifndef KD_DECIDE_H
#define KD_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a stream begins. Stack: 24 bytes. */
void kd_decide_forget(void);

/* Takes one more window's answer, which follows the last or stands alone. Returns it with what it leads
 * to behind, DECISION_BLOCK of docs/protocol.md, until the next call. Stack: 150 bytes. */
const int8_t *kd_decide(const int8_t *scores, bool follows);

#ifdef __cplusplus
}
#endif

#endif /* KD_DECIDE_H */

/* A wearer's last layer in place of the built one, while the firmware runs; for firmware that was
 * exported so. docs/personalise.md has the whole story. */
#ifndef KD_HEAD_H
#define KD_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "kd_link.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Takes what kd_keep_read gives, if it is whole and this model's; the built layer answers otherwise.
 * Once, before the first window. Stack: 60 bytes and kd_keep_read. */
void kd_head_start(void);

/* As kd_link_device.head, which has the arguments; a stream need not end. A layer that comes in parts
 * answers once all of it is there and sound; until then, and if it is not, the one before goes on.
 * Stack: 80 bytes and kd_keep_write. */
kd_status kd_head_do(void *user, kd_link_head *head);

/* As kd_link_device.model_sha256. Stack: 8 bytes. */
const uint8_t *kd_head_model_sha256(void *user);

/* Whether a wearer's layer answers. Stack: 8 bytes. */
bool kd_head_is_own(void);

/* Lets the built layer answer for a while (false), then again the one that did (true): golden vectors
 * are the built one's. Stack: 16 bytes. */
void kd_head_use(bool own);

#ifdef __cplusplus
}
#endif

#endif /* KD_HEAD_H */

/* Received bytes wait in a ring: an interrupt or a radio's stack keeps them, the firmware takes them. */
#ifndef KD_BOARD_RING_H
#define KD_BOARD_RING_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Keep a byte for the firmware, or count one that was lost. Both may interrupt the firmware. */
void kd_board_keep(uint8_t byte);
void kd_board_lose(void);

/* Whether no byte waits. */
bool kd_board_is_empty(void);

#ifdef __cplusplus
}
#endif

#endif

/* What kd_head.c is told, for fuzz_head.c. */
#ifndef KD_FIRMWARE_CONFIG_H
#define KD_FIRMWARE_CONFIG_H

#include <stdint.h>

#define KD_HAS_DECISION 0

extern const uint8_t kd_hello[];

#endif

/* CRC-32 of IEEE 802.3, as zlib computes it. */
#ifndef KD_CRC32_H
#define KD_CRC32_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The CRC-32 of n bytes. Half a byte at a time: 64 bytes of table, about 10 instructions a byte.
 * Never fails. Stack: 16 bytes. */
uint32_t kd_crc32(const uint8_t *bytes, size_t n);

#ifdef __cplusplus
}
#endif

#endif /* KD_CRC32_H */

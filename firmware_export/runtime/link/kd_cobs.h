/* Consistent Overhead Byte Stuffing (Cheshire and Baker 1999): bytes without zeros, and back. */
#ifndef KD_COBS_H
#define KD_COBS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most bytes that n bytes become. */
#define KD_COBS_BOUND(n) ((n) + (n) / 254u + 1u)

/* Encodes n bytes of `in` to `out`, without a delimiter.
 * out: at least KD_COBS_BOUND(n) bytes; may share memory with `in` if it starts at least
 * n / 254 + 1 bytes before it.
 * Returns the bytes written, 1 to KD_COBS_BOUND(n). Stack: 20 bytes. */
size_t kd_cobs_encode(const uint8_t *in, size_t n, uint8_t *out);

/* Decodes n bytes in place.
 * bytes: what stood between two delimiters.
 * Returns the bytes left, 0 to n - 1; n itself, which no decoding yields, if this is no COBS: n is
 * 0, a zero is among the bytes, or a block is cut. Stack: 20 bytes. */
size_t kd_cobs_decode(uint8_t *bytes, size_t n);

#ifdef __cplusplus
}
#endif

#endif /* KD_COBS_H */

/* Frames and text commands out of a stream of bytes, and frames into one. */
#ifndef KD_FRAME_H
#define KD_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kd_cobs.h"
#include "kd_protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Largest payload taken and sent; HELLO tells the host. At least the HELLO answer must fit. */
#ifndef KD_LINK_MAX_PAYLOAD
#define KD_LINK_MAX_PAYLOAD 1024u
#endif

/// sizes ///

#define KD_FRAME_RAW_BYTES (KD_FRAME_HEADER_BYTES + KD_LINK_MAX_PAYLOAD + KD_FRAME_CRC_BYTES)
/* A frame as it comes in, without its delimiters. */
#define KD_FRAME_CODED_BYTES KD_COBS_BOUND(KD_FRAME_RAW_BYTES)
/* Where the raw frame starts in a buffer to send, so that it can be encoded in place. */
#define KD_FRAME_LEAD (KD_FRAME_RAW_BYTES / 254u + 2u)
#define KD_FRAME_PAYLOAD_AT (KD_FRAME_LEAD + KD_FRAME_HEADER_BYTES)
/* A buffer to send from: lead, frame, and the zero that ends it. */
#define KD_FRAME_SEND_BYTES (KD_FRAME_LEAD + KD_FRAME_RAW_BYTES + 1u)

/// receiving ///

/* Bytes since the last delimiter. After KD_STATUS_FRAME `bytes` holds version, type, sequence and
 * payload, after KD_STATUS_TEXT a command that ends in NUL instead of '%'; `n` counts them without
 * CRC and NUL. Both are there until the next push. All zeros to start with. */
typedef struct kd_frame_reader {
    uint8_t bytes[KD_FRAME_CODED_BYTES + 1u];
    size_t n;
    bool binary;   /* a byte came that no text command holds */
    bool too_long; /* more came than fits */
    bool complete; /* what stands in `bytes` was handed out */
} kd_frame_reader;

/* Takes one byte, whatever it is.
 * Text commands hold printable ASCII only and end in '%'; a frame's second byte is its version,
 * which is not printable, so the two cannot be confused.
 * Returns KD_STATUS_MORE: nothing complete yet; KD_STATUS_FRAME, KD_STATUS_TEXT: see
 * kd_frame_reader; KD_STATUS_BAD_COBS, _BAD_CRC, _BAD_LENGTH: a frame was dropped for that reason.
 * Stack: 48 bytes. */
kd_status kd_frame_push(kd_frame_reader *reader, uint8_t byte);

/// sending ///

/* Makes a frame of a payload that already stands in place.
 * buffer: KD_FRAME_SEND_BYTES, with n_payload (0 to KD_LINK_MAX_PAYLOAD) bytes at
 * KD_FRAME_PAYLOAD_AT; type and sequence: any.
 * Returns the bytes to send from the buffer's start, both delimiters among them. Stack: 48 bytes. */
size_t kd_frame_seal(uint8_t *buffer, uint8_t type, uint16_t sequence, size_t n_payload);

#ifdef __cplusplus
}
#endif

#endif /* KD_FRAME_H */

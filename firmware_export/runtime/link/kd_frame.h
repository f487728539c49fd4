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

/* Largest payload taken and sent, KD_LEAST_PAYLOAD to 65,535 bytes; HELLO tells the host. */
#ifndef KD_LINK_MAX_PAYLOAD
#define KD_LINK_MAX_PAYLOAD KD_DEFAULT_PAYLOAD
#endif
#if KD_LINK_MAX_PAYLOAD < KD_LEAST_PAYLOAD || KD_LINK_MAX_PAYLOAD > 65535
#error "KD_LINK_MAX_PAYLOAD is not between KD_LEAST_PAYLOAD and 65535"
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
    size_t n;
    size_t text_at; /* where the printable bytes at the end of `bytes` start */
    bool delimited; /* a zero byte came before: this may be a frame */
    bool filled;    /* more came than line ends and spaces, such as a terminal sends after '%' */
    bool binary;    /* a byte came that no text command holds */
    bool too_long;  /* more came than fits: this is no frame */
    bool command;   /* this may be a frame, and ends like a text command: see kd_frame_give_up */
    bool complete;  /* what stands in `bytes` was handed out */
    uint8_t bytes[KD_FRAME_CODED_BYTES + 1u]; /* last: fields near the start cost less code */
} kd_frame_reader;

/* Takes one byte, whatever it is.
 *
 * A zero byte begins and ends a frame. A text command is printable ASCII and ends in '%'. Bytes that
 * are neither are noise: a command behind them is taken all the same, unless a zero byte came before
 * the noise and all of it may still be a frame. Then only a zero byte, or kd_frame_give_up(), ends it.
 * A '%' right behind a zero byte waits for what follows: text behind it is a command of its own.
 * Returns KD_STATUS_MORE: nothing complete yet; KD_STATUS_FRAME, KD_STATUS_TEXT: see
 * kd_frame_reader; KD_STATUS_LONG_TEXT: a command of KD_FRAME_CODED_BYTES or more, blanks before it
 * not counted, was dropped;
 * KD_STATUS_BAD_COBS, _BAD_CRC, _BAD_LENGTH: a frame was dropped for that reason.
 * Stack: 48 bytes. */
kd_status kd_frame_push(kd_frame_reader *reader, uint8_t byte);

/* What may be a frame, and ends like a text command (`command`), is one if nothing follows for a
 * while: who sends a frame does not pause in it, and who sends a command waits for the answer.
 * Forgets the frame. Returns how many bytes stand at reader->bytes + *at, the printable ones at its
 * end; push them again. Stack: 8 bytes. */
size_t kd_frame_give_up(kd_frame_reader *reader, size_t *at);

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

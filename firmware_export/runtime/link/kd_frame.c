#include "kd_frame.h"

#include "kd_bytes.h"
#include "kd_crc32.h"

static bool is_text(uint8_t byte)
{
    return (byte >= 0x20u && byte < 0x7Fu) || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Nothing but line ends and spaces, such as a terminal sends after '%'. */
static bool is_blank(const kd_frame_reader *reader)
{
    for (size_t i = 0; i < reader->n; i++) {
        if (reader->bytes[i] > ' ') {
            return false;
        }
    }
    return !reader->binary;
}

/* What the bytes before a delimiter are. */
static kd_status end_of_frame(kd_frame_reader *reader)
{
    if (reader->too_long) {
        return KD_STATUS_BAD_LENGTH;
    }
    if (is_blank(reader)) {
        return KD_STATUS_MORE;
    }
    const size_t n = kd_cobs_decode(reader->bytes, reader->n);
    if (n == reader->n) {
        return KD_STATUS_BAD_COBS;
    }
    if (n < KD_FRAME_HEADER_BYTES + KD_FRAME_CRC_BYTES) {
        return KD_STATUS_BAD_LENGTH;
    }
    reader->n = n - KD_FRAME_CRC_BYTES;
    if (kd_crc32(reader->bytes, reader->n) != kd_get32(reader->bytes + reader->n)) {
        return KD_STATUS_BAD_CRC;
    }
    return KD_STATUS_FRAME;
}

static kd_status end_of_text(kd_frame_reader *reader)
{
    if (reader->too_long) {
        return KD_STATUS_BAD_LENGTH;
    }
    reader->bytes[reader->n] = 0;
    return KD_STATUS_TEXT;
}

kd_status kd_frame_push(kd_frame_reader *reader, uint8_t byte)
{
    if (reader->complete) {
        reader->n = 0;
        reader->binary = false;
        reader->too_long = false;
        reader->complete = false;
    }
    if (byte == 0u) {
        reader->complete = true;
        return end_of_frame(reader);
    }
    if (byte == '%' && !reader->binary) {
        reader->complete = true;
        return end_of_text(reader);
    }
    reader->binary = reader->binary || !is_text(byte);
    if (reader->n < KD_FRAME_CODED_BYTES) {
        reader->bytes[reader->n++] = byte;
    } else {
        reader->too_long = true;
    }
    return KD_STATUS_MORE;
}

size_t kd_frame_seal(uint8_t *buffer, uint8_t type, uint16_t sequence, size_t n_payload)
{
    uint8_t *frame = buffer + KD_FRAME_LEAD;
    const size_t n = KD_FRAME_HEADER_BYTES + n_payload;
    frame[0] = (uint8_t)KD_PROTOCOL_VERSION;
    frame[1] = type;
    kd_put16(frame + 2, sequence);
    kd_put32(frame + n, kd_crc32(frame, n));
    buffer[0] = 0;
    const size_t coded = kd_cobs_encode(frame, n + KD_FRAME_CRC_BYTES, buffer + 1);
    buffer[coded + 1u] = 0;
    return coded + 2u;
}

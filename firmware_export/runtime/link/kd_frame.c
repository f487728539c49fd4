#include "kd_frame.h"

#include "kd_bytes.h"
#include "kd_crc32.h"

static bool is_text(uint8_t byte)
{
    return (byte >= 0x20u && byte < 0x7Fu) || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Behind a zero byte, '%' may be a frame's first byte: the next visible one tells. */
static bool may_be_frame(const kd_frame_reader *reader)
{
    return reader->delimited && !reader->too_long && (reader->binary || reader->n == 0u);
}

/* What the bytes before a delimiter are. */
static kd_status end_of_frame(kd_frame_reader *reader)
{
    if (!reader->filled) {
        return KD_STATUS_MORE;
    }
    if (reader->too_long) {
        return KD_STATUS_BAD_LENGTH;
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

/* Leaves the printable bytes at the end alone, without the blanks that they begin with. */
static void keep_text(kd_frame_reader *reader)
{
    size_t n = 0;
    for (size_t i = reader->text_at; i < reader->n; i++) {
        if (n > 0u || reader->bytes[i] > ' ') {
            reader->bytes[n++] = reader->bytes[i];
        }
    }
    reader->n = n;
    reader->text_at = 0;
}

static kd_status end_of_text(kd_frame_reader *reader)
{
    keep_text(reader);
    if (reader->n == KD_FRAME_CODED_BYTES) {
        return KD_STATUS_LONG_TEXT;
    }
    reader->bytes[reader->n] = 0;
    return KD_STATUS_TEXT;
}

static void append(kd_frame_reader *reader, uint8_t byte)
{
    if (reader->n == KD_FRAME_CODED_BYTES) {
        /* No frame is so long. Only what may be a command is kept. */
        reader->too_long = true;
        keep_text(reader);
    }
    if (reader->n < KD_FRAME_CODED_BYTES) {
        reader->bytes[reader->n++] = byte;
    }
    if (!is_text(byte)) {
        reader->binary = true;
        reader->text_at = reader->n;
    } else if (byte <= ' ') {
        return;
    }
    reader->filled = true;
    reader->command = byte == '%';
}

static void start(kd_frame_reader *reader)
{
    reader->n = 0;
    reader->text_at = 0;
    reader->filled = false;
    reader->binary = false;
    reader->too_long = false;
    reader->complete = false;
}

kd_status kd_frame_push(kd_frame_reader *reader, uint8_t byte)
{
    /* '%' and blanks alone were an empty command if this follows: a frame's version does not. */
    if (reader->complete || (reader->command && !reader->binary && byte > ' ')) {
        start(reader);
    }
    if (byte == 0u || (byte == '%' && !may_be_frame(reader))) {
        reader->complete = true;
        reader->command = false;
        reader->delimited = byte == 0u;
        return byte == 0u ? end_of_frame(reader) : end_of_text(reader);
    }
    append(reader, byte);
    return KD_STATUS_MORE;
}

size_t kd_frame_give_up(kd_frame_reader *reader, size_t *at)
{
    *at = reader->text_at;
    reader->complete = true;
    reader->command = false;
    reader->delimited = false;
    return reader->n - reader->text_at;
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

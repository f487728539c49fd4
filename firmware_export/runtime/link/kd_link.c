#include "kd_link_parts.h"

#include <string.h>

#include "kd_bytes.h"
#include "kd_text.h"

const char *kd_status_text(kd_status status)
{
    switch (status) {
#define KD_STATUS_CASE(name, number, text) \
    case KD_STATUS_##name:                 \
        return text;
        KD_STATUS_WIRE_LIST(KD_STATUS_CASE)
#undef KD_STATUS_CASE
    default:
        return "";
    }
}

/// sending ///

void kd_link_send(kd_link *link, uint8_t type, uint16_t sequence, size_t n_payload)
{
    const size_t n = kd_frame_seal(link->out, type, sequence, n_payload);
    link->device->write(link->device->user, link->out, n);
}

/* Status and detail stand in the payload already; the words are added. */
static void send_error(kd_link *link, uint16_t sequence)
{
    uint8_t *payload = link->out + KD_FRAME_PAYLOAD_AT;
    const char *text = kd_status_text((kd_status)payload[KD_ERROR_STATUS]);
    const size_t n = strlen(text);
    memcpy(payload + KD_ERROR_FIXED, text, n);
    kd_link_send(link, (uint8_t)KD_MSG_ERROR, sequence, KD_ERROR_FIXED + n);
}

static void refuse(kd_link *link, uint16_t sequence, kd_status status, uint32_t detail)
{
    uint8_t *payload = link->out + KD_FRAME_PAYLOAD_AT;
    payload[KD_ERROR_STATUS] = (uint8_t)status;
    kd_put32(payload + KD_ERROR_DETAIL, detail);
    send_error(link, sequence);
}

/* Once for each number awaited: frames under way behind a lost one would each repeat it. */
static void tell_gap(kd_link *link)
{
    if (link->ready && !link->gap_told) {
        link->gap_told = true;
        refuse(link, link->awaited, KD_STATUS_GAP, link->awaited);
    }
}

/// dispatch ///

static void keep(kd_link *link, uint8_t type, uint16_t sequence, size_t n)
{
    kd_link_kept *kept = &link->kept[sequence % KD_LINK_DEPTH];
    kept->type = 0;
    if (n <= KD_LINK_KEPT_BYTES) {
        kept->type = type;
        kept->sequence = sequence;
        kept->n = (uint16_t)n;
        memcpy(kept->payload, link->out + KD_FRAME_PAYLOAD_AT, n);
    }
}

static void send_kept(kd_link *link, const kd_link_kept *kept)
{
    memcpy(link->out + KD_FRAME_PAYLOAD_AT, kept->payload, kept->n);
    link->repeats++;
    if (kept->type == KD_MSG_ERROR) {
        send_error(link, kept->sequence);
    } else {
        kd_link_send(link, kept->type, kept->sequence, kept->n);
    }
}

static kd_status answer(kd_link *link, const kd_handler *h, kd_exchange *x)
{
    if (h == NULL) {
        return KD_STATUS_UNKNOWN;
    }
    if (x->n_in < h->n_fixed || (h->exact && x->n_in != h->n_fixed)) {
        x->detail = h->n_fixed;
        return KD_STATUS_LENGTH;
    }
    return h->answer(link, x);
}

static bool is_kept(const kd_handler *h)
{
    return h == NULL || h->keep;
}

/* Answers a request whose turn it is, or one that may be done again. */
static void take_request(kd_link *link, uint8_t type, kd_exchange *x)
{
    const kd_handler *h = kd_link_handler(type);
    const kd_status status = answer(link, h, x);
    uint8_t answer_type = (uint8_t)(type | KD_MSG_ANSWERS);
    if (status != KD_STATUS_OK) {
        answer_type = (uint8_t)KD_MSG_ERROR;
        x->out[KD_ERROR_STATUS] = (uint8_t)status;
        kd_put32(x->out + KD_ERROR_DETAIL, x->detail);
        x->n_out = KD_ERROR_FIXED;
    }
    if (is_kept(h)) {
        keep(link, answer_type, x->sequence, x->n_out);
    }
    if (status != KD_STATUS_OK) {
        send_error(link, x->sequence);
        return;
    }
    const uint32_t baud = type == KD_MSG_SPEED ? kd_get32(x->in + KD_SPEED_BAUD) : 0u;
    kd_link_send(link, answer_type, x->sequence, x->n_out);
    if (baud != 0u) {
        link->speed_unproven = true;
        link->speed_since = link->device->now_us(link->device->user);
        link->device->speed(link->device->user, baud);
    }
}

/* A request of an open session: new, repeated, or after a missing one. */
static void take_in_order(kd_link *link, uint8_t type, kd_exchange *x)
{
    const uint16_t age = (uint16_t)(link->awaited - x->sequence);
    if (age == 0u) {
        const uint16_t next = (uint16_t)(x->sequence + 1u);
        take_request(link, type, x);
        link->awaited = next;
        link->gap_told = false;
        return;
    }
    const kd_link_kept *kept = &link->kept[x->sequence % KD_LINK_DEPTH];
    if (age <= KD_LINK_DEPTH && kept->type != 0u && kept->sequence == x->sequence) {
        send_kept(link, kept);
    } else if (age <= KD_LINK_DEPTH && !is_kept(kd_link_handler(type))) {
        take_request(link, type, x);
    } else {
        link->gaps++;
        tell_gap(link);
    }
}

static void take_frame(kd_link *link)
{
    const uint8_t *frame = link->reader.bytes;
    kd_exchange x = {
        .in = frame + KD_FRAME_HEADER_BYTES,
        .n_in = link->reader.n - KD_FRAME_HEADER_BYTES,
        .out = link->out + KD_FRAME_PAYLOAD_AT,
        .sequence = kd_get16(frame + 2),
    };
    link->speed_unproven = false;
    if (frame[0] != KD_PROTOCOL_VERSION) {
        refuse(link, x.sequence, KD_STATUS_VERSION, KD_PROTOCOL_VERSION);
    } else if (frame[1] == KD_MSG_HELLO && x.n_in == KD_HELLO_FIXED) {
        /* A new session starts at its own number. */
        link->awaited = x.sequence;
        take_in_order(link, frame[1], &x);
    } else if (!link->ready) {
        refuse(link, x.sequence, KD_STATUS_NOT_READY, 0);
    } else {
        take_in_order(link, frame[1], &x);
    }
}

kd_status kd_link_init(kd_link *link, const kd_link_device *device)
{
    memset(link, 0, sizeof *link);
    if (device->hello_bytes < KD_HELLO_ANSWER_FIXED || device->output_bytes == 0u ||
        device->window_bytes[KD_KIND_INT8] == 0u ||
        device->receive_bytes < KD_FRAME_CODED_BYTES + 2u) {
        return KD_STATUS_SIZE;
    }
    link->device = device;
    return KD_STATUS_OK;
}

void kd_link_receive(kd_link *link, const uint8_t *bytes, size_t n)
{
    if (link->device == NULL || n == 0u) {
        return;
    }
    link->heard_at = link->device->now_us(link->device->user);
    for (size_t i = 0; i < n; i++) {
        const kd_status status = kd_frame_push(&link->reader, bytes[i]);
        switch (status) {
        case KD_STATUS_MORE:
            break;
        case KD_STATUS_FRAME:
            take_frame(link);
            break;
        case KD_STATUS_TEXT:
            kd_text_command(link, (char *)link->reader.bytes);
            break;
        case KD_STATUS_LONG_TEXT:
            kd_text_too_long(link);
            break;
        default:
            link->dropped[status - KD_STATUS_BAD_COBS]++;
            tell_gap(link);
            break;
        }
    }
}

bool kd_link_poll(kd_link *link)
{
    const kd_link_device *device = link->device;
    if (!link->speed_unproven && !link->reader.command) {
        return false;
    }
    const uint32_t now = device->now_us(device->user);
    if (link->speed_unproven && now - link->speed_since > KD_LINK_SPEED_US) {
        link->speed_unproven = false;
        device->speed(device->user, device->baud);
    }
    if (link->reader.command && now - link->heard_at > KD_LINK_SILENCE_US) {
        /* In place: no byte is written behind the one that is read. */
        size_t at;
        const size_t n = kd_frame_give_up(&link->reader, &at);
        kd_link_receive(link, link->reader.bytes + at, n);
    }
    return true;
}

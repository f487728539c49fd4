#include "kd_link.h"

#include <string.h>

#include "kd_bytes.h"
#include "kd_text.h"

/* A request being answered: `in` is its payload, `out` the answer's, of which n bytes are set. */
typedef struct exchange {
    const uint8_t *in;
    size_t n_in;
    uint8_t *out;
    size_t n_out;
    uint32_t detail; /* of the ERROR, where the handler returns one */
    uint16_t sequence;
} exchange;

typedef struct handler {
    kd_status (*answer)(kd_link *link, exchange *x);
    uint8_t n_fixed; /* bytes of the request's fixed fields */
    bool exact;      /* nothing follows them */
    bool keep;       /* doing it twice would differ from doing it once */
} handler;

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

static void send_frame(kd_link *link, uint8_t type, uint16_t sequence, size_t n_payload)
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
    send_frame(link, (uint8_t)KD_MSG_ERROR, sequence, KD_ERROR_FIXED + n);
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

static void put_run(uint8_t *ticks_at, const kd_link_run *run)
{
    kd_put64(ticks_at, run->ticks);
    kd_put64(ticks_at + 8, run->front_end_ticks);
    kd_put32(ticks_at + 16, run->microseconds);
}

/// requests ///

static kd_status on_hello(kd_link *link, exchange *x)
{
    const kd_link_device *device = link->device;
    link->session = kd_get32(x->in + KD_HELLO_SESSION);
    link->ready = true;
    link->position = 0;
    link->text_bytes = 0;
    for (size_t i = 0; i < KD_LINK_DEPTH; i++) {
        link->kept[i].type = 0;
    }
    if (device->stream != NULL) {
        (void)device->stream(device->user, false, 0, 0);
    }
    memcpy(x->out, device->hello, device->hello_bytes);
    kd_put32(x->out + KD_HELLO_ANSWER_SESSION, link->session);
    kd_put32(x->out + KD_HELLO_ANSWER_BOOT, device->boot);
    kd_put32(x->out + KD_HELLO_ANSWER_RECEIVE_BYTES, device->receive_bytes);
    kd_put16(x->out + KD_HELLO_ANSWER_MAX_PAYLOAD, KD_LINK_MAX_PAYLOAD);
    x->out[KD_HELLO_ANSWER_DEPTH] = (uint8_t)KD_LINK_DEPTH;
    kd_put32(x->out + KD_HELLO_ANSWER_MAX_BAUD, device->speed != NULL ? device->max_baud : 0u);
    kd_put16(x->out + KD_HELLO_ANSWER_GOLDEN_COUNT, device->golden_count);
    kd_put16(x->out + KD_HELLO_ANSWER_LAYER_COUNT, device->layer_count);
    kd_put32(x->out + KD_HELLO_ANSWER_INT8_BYTES, device->window_bytes[KD_KIND_INT8]);
    kd_put32(x->out + KD_HELLO_ANSWER_RAW_BYTES, device->window_bytes[KD_KIND_RAW]);
    kd_put32(x->out + KD_HELLO_ANSWER_OUTPUT_BYTES, device->output_bytes);
    x->n_out = device->hello_bytes;
    return KD_STATUS_OK;
}

static kd_status on_reset(kd_link *link, exchange *x)
{
    (void)x;
    link->device->reset(link->device->user);
    return KD_STATUS_OK;
}

/* PART and RUN have the same payload. */
static kd_status on_part(kd_link *link, exchange *x)
{
    const kd_link_device *device = link->device;
    const uint8_t kind = x->in[KD_PART_KIND];
    const uint32_t offset = kd_get32(x->in + KD_PART_OFFSET);
    const size_t n = x->n_in - KD_PART_FIXED;
    if (kind > KD_KIND_RAW || device->window_bytes[kind] == 0u) {
        x->detail = kind;
        return KD_STATUS_KIND;
    }
    if (offset == 0u) {
        link->kind = kind;
        link->position = 0;
        link->text_bytes = 0;
    }
    if (offset != link->position || kind != link->kind || link->text_bytes != 0u) {
        x->detail = link->position;
        return KD_STATUS_ORDER;
    }
    if (n > device->window_bytes[kind] - offset) {
        x->detail = device->window_bytes[kind];
        return KD_STATUS_SIZE;
    }
    memcpy(device->window + offset, x->in + KD_PART_FIXED, n);
    link->position += (uint32_t)n;
    return KD_STATUS_OK;
}

static kd_status on_run(kd_link *link, exchange *x)
{
    const kd_link_device *device = link->device;
    const kd_status put = on_part(link, x);
    if (put != KD_STATUS_OK) {
        return put;
    }
    const bool whole = link->position == device->window_bytes[link->kind];
    link->position = 0;
    if (!whole) {
        x->detail = device->window_bytes[link->kind];
        return KD_STATUS_SIZE;
    }
    kd_link_run run = {0};
    const kd_status ran = device->run(device->user, link->kind, x->in[KD_RUN_FLAGS], &run);
    if (ran != KD_STATUS_OK) {
        x->detail = run.engine_code;
        return ran;
    }
    link->scores = run.scores;
    put_run(x->out + KD_RUN_ANSWER_TICKS, &run);
    memcpy(x->out + KD_RUN_ANSWER_FIXED, run.scores, device->output_bytes);
    x->n_out = KD_RUN_ANSWER_FIXED + device->output_bytes;
    return KD_STATUS_OK;
}

static kd_status on_selftest(kd_link *link, exchange *x)
{
    const kd_link_device *device = link->device;
    const uint16_t index = kd_get16(x->in + KD_SELFTEST_INDEX);
    if (device->selftest == NULL) {
        return KD_STATUS_REFUSED;
    }
    if (index >= device->golden_count) {
        x->detail = device->golden_count;
        return KD_STATUS_RANGE;
    }
    kd_link_selftest result = {0};
    const kd_status ran = device->selftest(device->user, index, &result);
    if (ran != KD_STATUS_OK) {
        x->detail = result.run.engine_code;
        return ran;
    }
    kd_put16(x->out + KD_SELFTEST_ANSWER_COUNT, device->golden_count);
    kd_put16(x->out + KD_SELFTEST_ANSWER_INDEX, index);
    kd_put32(x->out + KD_SELFTEST_ANSWER_DIFFERING, result.differing);
    put_run(x->out + KD_SELFTEST_ANSWER_TICKS, &result.run);
    x->n_out = KD_SELFTEST_ANSWER_FIXED;
    return KD_STATUS_OK;
}

/* Adds layers from `first` while they fit; the answer's list is a count, then entries. */
static void put_layers(kd_link *link, exchange *x, uint16_t first)
{
    const kd_link_device *device = link->device;
    uint8_t *count = x->out + KD_PROFILE_ANSWER_FIXED;
    uint8_t *to = count + 1;
    *count = 0;
    for (uint16_t index = first; index < device->layer_count && *count < 255u; index++) {
        uint64_t ticks = 0;
        const char *name = device->layer(device->user, index, &ticks);
        size_t n_name = strlen(name);
        n_name = n_name > 255u ? 255u : n_name;
        if ((size_t)(to - x->out) + 9u + n_name > KD_LINK_MAX_PAYLOAD) {
            break;
        }
        kd_put64(to, ticks);
        to[8] = (uint8_t)n_name;
        memcpy(to + 9, name, n_name);
        to += 9u + n_name;
        (*count)++;
    }
    x->n_out = (size_t)(to - x->out);
}

static kd_status on_profile(kd_link *link, exchange *x)
{
    const kd_link_device *device = link->device;
    const uint16_t first = kd_get16(x->in + KD_PROFILE_FIRST);
    if (device->profile == NULL || device->layer_count == 0u) {
        return KD_STATUS_REFUSED;
    }
    if (first >= device->layer_count) {
        x->detail = device->layer_count;
        return KD_STATUS_RANGE;
    }
    if (first == 0u) {
        const kd_status ran = device->profile(device->user);
        if (ran != KD_STATUS_OK) {
            return ran;
        }
    }
    kd_put16(x->out + KD_PROFILE_ANSWER_COUNT, device->layer_count);
    kd_put16(x->out + KD_PROFILE_ANSWER_FIRST, first);
    put_layers(link, x, first);
    return KD_STATUS_OK;
}

/* The answer's fields are all u32, so they are put down in a row. */
typedef char kd_memory_answer_is_ten_words[KD_MEMORY_ANSWER_FIXED == 40u ? 1 : -1];

static kd_status on_memory(kd_link *link, exchange *x)
{
    kd_link_memory memory = {0};
    link->device->memory(link->device->user, &memory);
    const uint32_t values[] = {
        memory.stack_used, memory.stack_size, memory.static_bytes, memory.arena_bytes,
        memory.overruns,   link->bad_cobs,    link->bad_crc,       link->bad_length,
        link->gaps,        link->repeats,
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        kd_put32(x->out + 4u * i, values[i]);
    }
    x->n_out = KD_MEMORY_ANSWER_FIXED;
    return KD_STATUS_OK;
}

static kd_status on_stream(kd_link *link, exchange *x)
{
    const kd_link_device *device = link->device;
    if (device->stream == NULL) {
        return KD_STATUS_REFUSED;
    }
    link->stream_frames = 0;
    return device->stream(device->user, true, kd_get32(x->in + KD_STREAM_WINDOWS),
                          x->in[KD_STREAM_FLAGS]);
}

static kd_status on_stop(kd_link *link, exchange *x)
{
    const kd_link_device *device = link->device;
    if (device->stream == NULL) {
        return KD_STATUS_REFUSED;
    }
    const kd_status stopped = device->stream(device->user, false, 0, 0);
    kd_put32(x->out + KD_STOP_ANSWER_FRAMES, link->stream_frames);
    x->n_out = KD_STOP_ANSWER_FIXED;
    return stopped;
}

/* The speed itself changes after the answer is out, in take_request. */
static kd_status on_speed(kd_link *link, exchange *x)
{
    const uint32_t baud = kd_get32(x->in + KD_SPEED_BAUD);
    if (link->device->speed == NULL || baud == 0u || baud > link->device->max_baud) {
        x->detail = link->device->max_baud;
        return KD_STATUS_REFUSED;
    }
    kd_put32(x->out + KD_SPEED_ANSWER_BAUD, baud);
    x->n_out = KD_SPEED_ANSWER_FIXED;
    return KD_STATUS_OK;
}

/// dispatch ///

/* By type; HELLO is 1. What is not kept is done again when it is asked again. */
static const handler handlers[] = {
    {on_hello, KD_HELLO_FIXED, true, false},
    {on_reset, KD_RESET_FIXED, true, true},
    {on_part, KD_PART_FIXED, false, true},
    {on_run, KD_RUN_FIXED, false, true},
    {on_selftest, KD_SELFTEST_FIXED, true, true},
    {on_profile, KD_PROFILE_FIXED, true, false},
    {on_memory, KD_MEMORY_FIXED, true, true},
    {on_stream, KD_STREAM_FIXED, true, true},
    {on_stop, KD_STOP_FIXED, true, true},
    {on_speed, KD_SPEED_FIXED, true, false},
};

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
        send_frame(link, kept->type, kept->sequence, kept->n);
    }
}

static kd_status answer(kd_link *link, uint8_t type, exchange *x)
{
    if (type == 0u || type > sizeof handlers / sizeof handlers[0]) {
        return KD_STATUS_UNKNOWN;
    }
    const handler *h = &handlers[type - 1u];
    if (x->n_in < h->n_fixed || (h->exact && x->n_in != h->n_fixed)) {
        x->detail = h->n_fixed;
        return KD_STATUS_LENGTH;
    }
    return h->answer(link, x);
}

static bool is_kept(uint8_t type)
{
    return type == 0u || type > sizeof handlers / sizeof handlers[0] || handlers[type - 1u].keep;
}

/* Answers a request whose turn it is, or one that may be done again. */
static void take_request(kd_link *link, uint8_t type, exchange *x)
{
    const kd_status status = answer(link, type, x);
    uint8_t answer_type = (uint8_t)(type | KD_MSG_ANSWERS);
    if (status != KD_STATUS_OK) {
        answer_type = (uint8_t)KD_MSG_ERROR;
        x->out[KD_ERROR_STATUS] = (uint8_t)status;
        kd_put32(x->out + KD_ERROR_DETAIL, x->detail);
        x->n_out = KD_ERROR_FIXED;
    }
    if (is_kept(type)) {
        keep(link, answer_type, x->sequence, x->n_out);
    }
    if (status != KD_STATUS_OK) {
        send_error(link, x->sequence);
        return;
    }
    const uint32_t baud = type == KD_MSG_SPEED ? kd_get32(x->in + KD_SPEED_BAUD) : 0u;
    send_frame(link, answer_type, x->sequence, x->n_out);
    if (baud != 0u) {
        link->speed_unproven = true;
        link->speed_since = link->device->now_us(link->device->user);
        link->device->speed(link->device->user, baud);
    }
}

/* A request of an open session: new, repeated, or after a missing one. */
static void take_in_order(kd_link *link, uint8_t type, exchange *x)
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
    } else if (age <= KD_LINK_DEPTH && !is_kept(type)) {
        take_request(link, type, x);
    } else {
        link->gaps++;
        tell_gap(link);
    }
}

static void take_frame(kd_link *link)
{
    const uint8_t *frame = link->reader.bytes;
    exchange x = {
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

void kd_link_init(kd_link *link, const kd_link_device *device)
{
    memset(link, 0, sizeof *link);
    link->device = device;
}

void kd_link_receive(kd_link *link, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (kd_frame_push(&link->reader, bytes[i])) {
        case KD_STATUS_FRAME:
            take_frame(link);
            break;
        case KD_STATUS_TEXT:
            kd_text_command(link, (char *)link->reader.bytes);
            break;
        case KD_STATUS_BAD_COBS:
            link->bad_cobs++;
            tell_gap(link);
            break;
        case KD_STATUS_BAD_CRC:
            link->bad_crc++;
            tell_gap(link);
            break;
        case KD_STATUS_BAD_LENGTH:
            link->bad_length++;
            tell_gap(link);
            break;
        default:
            break;
        }
    }
}

void kd_link_poll(kd_link *link)
{
    const kd_link_device *device = link->device;
    if (link->speed_unproven &&
        device->now_us(device->user) - link->speed_since > KD_LINK_SPEED_US) {
        link->speed_unproven = false;
        device->speed(device->user, device->baud);
    }
}

/// the stream ///

void kd_link_window_taken(kd_link *link)
{
    link->position = 0;
    link->text_bytes = 0;
}

static void send_stream_frame(kd_link *link, uint8_t type, size_t n_payload)
{
    send_frame(link, type, (uint16_t)(link->stream_frames & 0xFFFFu), n_payload);
    link->stream_frames++;
}

kd_status kd_link_send_samples(kd_link *link, uint8_t stream, uint32_t first, uint64_t stamp_us,
                               const int16_t *values, size_t n_values)
{
    uint8_t *payload = link->out + KD_FRAME_PAYLOAD_AT;
    if (n_values > KD_LINK_SAMPLES_MAX) {
        return KD_STATUS_SIZE;
    }
    kd_put64(payload + KD_SAMPLES_STAMP_US, stamp_us);
    kd_put32(payload + KD_SAMPLES_FIRST, first);
    payload[KD_SAMPLES_STREAM] = stream;
    for (size_t i = 0; i < n_values; i++) {
        kd_put16(payload + KD_SAMPLES_FIXED + 2u * i, (uint16_t)values[i]);
    }
    send_stream_frame(link, (uint8_t)KD_MSG_SAMPLES, KD_SAMPLES_FIXED + 2u * n_values);
    return KD_STATUS_OK;
}

kd_status kd_link_send_prediction(kd_link *link, uint32_t window, uint64_t stamp_us,
                                  const uint32_t *ends, uint8_t n_ends, const kd_link_run *run)
{
    uint8_t *payload = link->out + KD_FRAME_PAYLOAD_AT;
    const size_t scores_at = KD_PREDICTION_FIXED + 1u + 4u * (size_t)n_ends;
    const size_t n_scores = link->device->output_bytes;
    if (scores_at + n_scores > KD_LINK_MAX_PAYLOAD) {
        return KD_STATUS_SIZE;
    }
    kd_put64(payload + KD_PREDICTION_STAMP_US, stamp_us);
    kd_put32(payload + KD_PREDICTION_WINDOW, window);
    put_run(payload + KD_PREDICTION_TICKS, run);
    payload[KD_PREDICTION_FIXED] = n_ends;
    for (size_t i = 0; i < n_ends; i++) {
        kd_put32(payload + KD_PREDICTION_FIXED + 1u + 4u * i, ends[i]);
    }
    memcpy(payload + scores_at, run->scores, n_scores);
    send_stream_frame(link, (uint8_t)KD_MSG_PREDICTION, scores_at + n_scores);
    return KD_STATUS_OK;
}

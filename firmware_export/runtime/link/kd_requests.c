/* What each request does. */
#include "kd_link_parts.h"

#include <string.h>

#include "kd_bytes.h"

void kd_link_put_ticks(uint8_t *at, const kd_link_run *run)
{
    kd_put64(at, run->ticks);
    kd_put64(at + 8, run->front_end_ticks);
    kd_put32(at + 16, run->microseconds);
}

size_t kd_link_put_part(uint8_t *to, const void *whole, size_t n_whole, size_t offset, size_t most)
{
    const size_t rest = n_whole - offset;
    const size_t n = rest < most ? rest : most;
    memcpy(to, (const uint8_t *)whole + offset, n);
    return n;
}

static kd_status on_hello(kd_link *link, kd_exchange *x)
{
    const kd_link_device *device = link->device;
    link->ready = true;
    link->position = 0;
    link->text_bytes = 0;
    for (size_t i = 0; i < KD_LINK_DEPTH; i++) {
        link->kept[i].type = 0;
    }
    if (device->stream != NULL) {
        (void)device->stream(device->user, false, 0, 0);
    }
    x->n_out = kd_link_put_part(x->out, device->hello, device->hello_bytes, 0, KD_LINK_MAX_PAYLOAD);
    kd_put32(x->out + KD_HELLO_ANSWER_SESSION, kd_get32(x->in + KD_HELLO_SESSION));
    kd_put32(x->out + KD_HELLO_ANSWER_BOOT, device->boot);
    kd_put32(x->out + KD_HELLO_ANSWER_RECEIVE_BYTES, device->receive_bytes);
    kd_put16(x->out + KD_HELLO_ANSWER_MAX_PAYLOAD, KD_LINK_MAX_PAYLOAD);
    x->out[KD_HELLO_ANSWER_DEPTH] = (uint8_t)KD_LINK_DEPTH;
    kd_put32(x->out + KD_HELLO_ANSWER_MAX_BAUD, device->speed != NULL ? device->max_baud : 0u);
    kd_put16(x->out + KD_HELLO_ANSWER_SCORES_BYTES, KD_LINK_SCORES_BYTES);
#if KD_LINK_HEAD
    memcpy(x->out + KD_HELLO_ANSWER_MODEL_SHA256, device->model_sha256(device->user),
           KD_HELLO_ANSWER_FIXED - KD_HELLO_ANSWER_MODEL_SHA256);
#endif
    return KD_STATUS_OK;
}

/* The offset, then bytes of a whole from there on: SCORES_ANSWER and FACTS_ANSWER. */
#define PART_FIXED 4u
typedef char kd_parts_start_alike[KD_SCORES_ANSWER_OFFSET == 0u && KD_FACTS_ANSWER_OFFSET == 0u &&
                                          KD_SCORES_ANSWER_FIXED == PART_FIXED &&
                                          KD_FACTS_ANSWER_FIXED == PART_FIXED
                                      ? 1
                                      : -1];

static kd_status put_from(kd_exchange *x, uint32_t offset, const void *whole, uint32_t n_whole,
                          size_t most)
{
    if (offset >= n_whole) {
        x->detail = n_whole;
        return KD_STATUS_RANGE;
    }
    kd_put32(x->out, offset);
    x->n_out = PART_FIXED + kd_link_put_part(x->out + PART_FIXED, whole, n_whole, offset, most);
    return KD_STATUS_OK;
}

static kd_status on_facts(kd_link *link, kd_exchange *x)
{
    const kd_link_device *device = link->device;
    return put_from(x, kd_get32(x->in + KD_FACTS_OFFSET), device->hello + KD_HELLO_ANSWER_FIXED,
                    device->hello_bytes - KD_HELLO_ANSWER_FIXED, KD_LINK_MAX_PAYLOAD - PART_FIXED);
}

static kd_status on_reset(kd_link *link, kd_exchange *x)
{
    (void)x;
    link->scores = NULL;
    link->device->reset(link->device->user);
    return KD_STATUS_OK;
}

/* PART and RUN have the same payload. */
static kd_status on_part(kd_link *link, kd_exchange *x)
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

static kd_status on_run(kd_link *link, kd_exchange *x)
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
    link->scores = NULL;
    const kd_status ran = device->run(device->user, link->kind, x->in[KD_RUN_FLAGS], &run);
    if (ran != KD_STATUS_OK) {
        x->detail = run.engine_code;
        return ran;
    }
    link->scores = run.scores;
    link->scores_run = x->sequence;
    kd_link_put_ticks(x->out + KD_RUN_ANSWER_TICKS, &run);
    x->n_out = KD_RUN_ANSWER_FIXED +
               kd_link_put_part(x->out + KD_RUN_ANSWER_FIXED, run.scores, device->output_bytes, 0,
                                KD_LINK_SCORES_BYTES);
    return KD_STATUS_OK;
}

/* Scores of the RUN that is named, or none: another run may have overwritten them. */
static kd_status on_scores(kd_link *link, kd_exchange *x)
{
    if (link->scores == NULL || link->scores_run != kd_get16(x->in + KD_SCORES_RUN)) {
        return KD_STATUS_GONE;
    }
    return put_from(x, kd_get32(x->in + KD_SCORES_OFFSET), link->scores, link->device->output_bytes,
                    KD_LINK_SCORES_BYTES);
}

static kd_status on_selftest(kd_link *link, kd_exchange *x)
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
    link->scores = NULL;
    const kd_status ran = device->selftest(device->user, index, &result);
    if (ran != KD_STATUS_OK) {
        x->detail = result.run.engine_code;
        return ran;
    }
    kd_put16(x->out + KD_SELFTEST_ANSWER_COUNT, device->golden_count);
    kd_put16(x->out + KD_SELFTEST_ANSWER_INDEX, index);
    kd_put32(x->out + KD_SELFTEST_ANSWER_DIFFERING, result.differing);
    kd_link_put_ticks(x->out + KD_SELFTEST_ANSWER_TICKS, &result.run);
    x->n_out = KD_SELFTEST_ANSWER_FIXED;
    return KD_STATUS_OK;
}

/* A layer as PROFILE_ANSWER lists it: ticks, then the name with its length. */
#define LAYER_NAME_AT 10u
/* The longest name that is told: one always fits. */
#define LAYER_NAME_BYTES (KD_LEAST_PAYLOAD - KD_PROFILE_ANSWER_FIXED - 1u - LAYER_NAME_AT)

/* Adds layers from `first` while they fit; the answer's list is a count, then entries. */
static void put_layers(kd_link *link, kd_exchange *x, uint16_t first)
{
    const kd_link_device *device = link->device;
    uint8_t *count = x->out + KD_PROFILE_ANSWER_FIXED;
    uint8_t *to = count + 1;
    *count = 0;
    for (uint16_t index = first; index < device->layer_count && *count < 255u; index++) {
        uint64_t ticks = 0;
        const char *name = device->layer(device->user, index, &ticks);
        size_t n_name = strlen(name);
        if (n_name > LAYER_NAME_BYTES) {
            n_name = LAYER_NAME_BYTES;
            /* Not in the middle of a character of UTF-8. */
            while (n_name > 0u && ((uint8_t)name[n_name] & 0xC0u) == 0x80u) {
                n_name--;
            }
        }
        if ((size_t)(to - x->out) + LAYER_NAME_AT + n_name > KD_LINK_MAX_PAYLOAD) {
            break;
        }
        kd_put64(to, ticks);
        kd_put16(to + 8, (uint16_t)n_name);
        memcpy(to + LAYER_NAME_AT, name, n_name);
        to += LAYER_NAME_AT + n_name;
        (*count)++;
    }
    x->n_out = (size_t)(to - x->out);
}

static kd_status on_profile(kd_link *link, kd_exchange *x)
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
        link->scores = NULL;
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

static kd_status on_memory(kd_link *link, kd_exchange *x)
{
    kd_link_memory memory = {0};
    link->device->memory(link->device->user, &memory);
    const uint32_t values[] = {
        memory.stack_used, memory.stack_size, memory.static_bytes, memory.arena_bytes,
        memory.overruns,   link->dropped[0],  link->dropped[1],    link->dropped[2],
        link->gaps,        link->repeats,
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        kd_put32(x->out + 4u * i, values[i]);
    }
    x->n_out = KD_MEMORY_ANSWER_FIXED;
    return KD_STATUS_OK;
}

static kd_status on_stream(kd_link *link, kd_exchange *x)
{
    const kd_link_device *device = link->device;
    if (device->stream == NULL) {
        return KD_STATUS_REFUSED;
    }
    link->scores = NULL;
    link->stream_frames = 0;
    return device->stream(device->user, true, kd_get32(x->in + KD_STREAM_WINDOWS),
                          x->in[KD_STREAM_FLAGS]);
}

static kd_status on_stop(kd_link *link, kd_exchange *x)
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

/* The speed itself changes after the answer is out, in kd_link.c. */
static kd_status on_speed(kd_link *link, kd_exchange *x)
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

#if KD_LINK_NORMALISER
/* The host lets nothing follow until it has the answer, so that it may be done again. */
static kd_status on_normaliser(kd_link *link, kd_exchange *x)
{
    const kd_link_device *device = link->device;
    const uint8_t action = x->in[KD_NORMALISER_ACTION];
    const size_t n_states = x->n_in - KD_NORMALISER_FIXED;
    if (action > KD_ACTION_KEEP) {
        x->detail = KD_ACTION_KEEP + 1u;
        return KD_STATUS_RANGE;
    }
    if (n_states != (action == KD_ACTION_SET ? device->normaliser_bytes : 0u)) {
        x->detail = device->normaliser_bytes;
        return KD_STATUS_SIZE;
    }
    uint8_t *states = x->out + KD_NORMALISER_ANSWER_FIXED;
    memcpy(states, x->in + KD_NORMALISER_FIXED, n_states);
    x->n_out = KD_NORMALISER_ANSWER_FIXED + (size_t)device->normaliser_bytes;
    const kd_status done =
        device->normaliser(device->user, action, states, x->out + KD_NORMALISER_ANSWER_FROZEN);
    if (done == KD_STATUS_REFUSED) {
        x->detail = KD_WHY_NOT_KEPT;
    }
    return done;
}
#endif

#if KD_LINK_HEAD
static kd_status on_head(kd_link *link, kd_exchange *x)
{
    const kd_link_device *device = link->device;
    kd_link_head head = {
        .action = x->in[KD_HEAD_ACTION],
        .offset = kd_get32(x->in + KD_HEAD_OFFSET),
        .data = x->in + KD_HEAD_FIXED,
        .n_data = x->n_in - KD_HEAD_FIXED,
        .answer = x->out,
    };
    link->scores = NULL; /* they may be another layer's */
    const kd_status done = device->head(device->user, &head);
    x->n_out = head.n_answer;
    x->detail = head.detail;
    return done;
}
#endif

/* By type; HELLO is 1. What is not kept is done again when it is asked again. */
static const kd_handler handlers[] = {
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
    {on_scores, KD_SCORES_FIXED, true, true},
    {on_facts, KD_FACTS_FIXED, true, false},
#if KD_LINK_NORMALISER
    {on_normaliser, KD_NORMALISER_FIXED, false, false},
#elif KD_LINK_HEAD
    {NULL, 0, false, false},
#endif
#if KD_LINK_HEAD
    {on_head, KD_HEAD_FIXED, false, false},
#endif
};

const kd_handler *kd_link_handler(uint8_t type)
{
    if (type == 0u || type > sizeof handlers / sizeof handlers[0]) {
        return NULL;
    }
#if KD_LINK_HEAD && !KD_LINK_NORMALISER
    if (type == KD_MSG_NORMALISER) {
        return NULL;
    }
#endif
    return &handlers[type - 1u];
}

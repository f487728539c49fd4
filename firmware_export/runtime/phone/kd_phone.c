#include "kd_phone.h"

#include <stddef.h>
#include <string.h>

#include "kd_bytes.h"
#include "kd_firmware_config.h"
#include "kd_window.h"
#if KD_HAS_DECISION
#include "kd_decide.h"
#endif
#if KD_HAS_FRONT_END
#include "kd_front_end_run.h"
#endif
#if KD_HAS_SENSORS
#include "kd_stream.h"
#endif

#define REFUSED (-100)

static kd_link_run run;
#if KD_HAS_SENSORS
static int16_t room[KD_SENSOR_VALUES];
static uint32_t last_number;
#endif

#ifdef KD_PHONE_OUTSIDE
static bool outside, waits;
static uint8_t flags_of_window;
#endif

static int32_t told(kd_status status)
{
    return status == KD_STATUS_OK ? 0 : (int32_t)run.engine_code;
}

/// what this build is ///

int32_t kd_phone_version(void)
{
    return KD_PHONE_VERSION;
}

int32_t kd_phone_score_bytes(void)
{
    return (int32_t)KD_OUTPUT_SIZE;
}

int32_t kd_phone_int8_bytes(void)
{
    return (int32_t)KD_INT8_BYTES;
}

int32_t kd_phone_raw_bytes(void)
{
    return (int32_t)KD_RAW_BYTES;
}

int32_t kd_phone_decides(void)
{
    return KD_HAS_DECISION;
}

/// one window ///

uint8_t *kd_phone_window(void)
{
    return kd_window.bytes;
}

/* The scores of the window in the inputs, or nothing yet if they come from outside. */
static kd_status answer(uint8_t flags)
{
#ifdef KD_PHONE_OUTSIDE
    if (outside) {
        flags_of_window = flags;
        waits = true;
        return KD_STATUS_OK;
    }
#endif
    return kd_window_answer(flags, false, &run);
}

static kd_status fill_and_answer(uint8_t kind, uint8_t flags)
{
    const kd_status status = kd_window_fill(kind, flags, &run);
    return status == KD_STATUS_OK ? answer(flags) : status;
}

static void begin_window(void)
{
    run.scores = NULL;
    run.engine_code = 0;
#ifdef KD_PHONE_OUTSIDE
    waits = false;
#endif
}

int32_t kd_phone_run(int32_t kind, int32_t flags)
{
    begin_window();
    return told(fill_and_answer((uint8_t)kind, (uint8_t)flags));
}

/// another engine ///

#ifdef KD_PHONE_OUTSIDE

void kd_phone_outside(int32_t on)
{
    begin_window();
    outside = on != 0;
}

void kd_phone_inputs(int8_t *values)
{
    for (size_t i = 0; i < KD_INPUT_COUNT; i++) {
        memcpy(values, kd_window_input(i), kd_inputs[i].size);
        values += kd_inputs[i].size;
    }
}

int32_t kd_phone_take(const int8_t *scores)
{
    if (!waits) {
        return REFUSED;
    }
    waits = false;
    run.scores = scores;
#if KD_HAS_DECISION
    run.scores = kd_decide(scores, (flags_of_window & KD_FLAG_KEEP_DECISION) != 0u);
#endif
    return 0;
}

#endif

/// a stream ///

void kd_phone_forget_wearer(void)
{
#if KD_HAS_FRONT_END && KD_WEARER_STATES > 0
    kd_front_end_reset();
#endif
}

#if KD_HAS_SENSORS

int32_t kd_phone_start(void)
{
    const kd_run_status ready = kd_init();
    if (ready != KD_RUN_OK) {
        return (int32_t)ready;
    }
    (void)kd_reset_state();
#if KD_HAS_DECISION
    kd_decide_forget();
#endif
    begin_window();
    last_number = UINT32_MAX;
    return kd_stream_start() ? 0 : REFUSED;
}

int16_t *kd_phone_room(void)
{
    return room;
}

int32_t kd_phone_room_values(void)
{
    return (int32_t)KD_SENSOR_VALUES;
}

static bool fits(int32_t stream, int32_t n)
{
    return stream >= 0 && stream < KD_STREAM_COUNT && n >= 0 &&
           (uint32_t)n <= KD_SENSOR_VALUES / kd_rings[stream].channels;
}

int32_t kd_phone_push(int32_t stream, int32_t n)
{
    if (!fits(stream, n)) {
        return REFUSED;
    }
    kd_ring_push(&kd_rings[stream], room, (uint32_t)n);
    return 0;
}

int32_t kd_phone_lose(int32_t stream, int32_t n)
{
    if (!fits(stream, 0) || n < 0) {
        return REFUSED;
    }
    if (n > 0) {
        kd_ring_lose(&kd_rings[stream], (uint32_t)n);
    }
    return 0;
}

/* The window that the stream has made ready: all are of one wearer, and follow each other. */
static kd_status answer_streamed(void)
{
    const uint8_t flags = (uint8_t)(KD_FLAG_KEEP_WEARER | KD_FLAG_KEEP_DECISION);
#if KD_RUNS_ON
    int8_t *inputs[KD_INPUT_COUNT];
    for (size_t i = 0; i < KD_INPUT_COUNT; i++) {
        inputs[i] = kd_window_input(i);
    }
    kd_front_end_window(inputs);
    return answer(flags);
#else
    return fill_and_answer((uint8_t)KD_KIND_RAW, flags);
#endif
}

int32_t kd_phone_poll(void)
{
    uint32_t ends[KD_STREAM_COUNT];
    uint32_t number;
    if (!kd_stream_poll(NULL, kd_window.counts, &number, ends)) {
        return 0;
    }
    last_number = number;
    begin_window();
    const int32_t failed = told(answer_streamed());
    return failed == 0 ? 1 : failed;
}

uint32_t kd_phone_lost(void)
{
    return kd_stream_lost();
}

uint32_t kd_phone_number(void)
{
    return last_number;
}

#else

int32_t kd_phone_start(void)
{
    return REFUSED;
}

int16_t *kd_phone_room(void)
{
    return NULL;
}

int32_t kd_phone_room_values(void)
{
    return 0;
}

int32_t kd_phone_push(int32_t stream, int32_t n)
{
    (void)stream;
    (void)n;
    return REFUSED;
}

int32_t kd_phone_lose(int32_t stream, int32_t n)
{
    (void)stream;
    (void)n;
    return REFUSED;
}

int32_t kd_phone_poll(void)
{
    return 0;
}

uint32_t kd_phone_lost(void)
{
    return 0;
}

uint32_t kd_phone_number(void)
{
    return UINT32_MAX;
}

#endif

/// the last answer ///

const int8_t *kd_phone_scores(void)
{
    return run.scores;
}

#if KD_HAS_DECISION

/* KD_LINK_BESIDE_BYTES stand behind the scores; the decision is at their end. */
static const uint8_t *decision(void)
{
    static const uint8_t nothing[KD_DECISION_BLOCK_FIXED] = {0xFF, 0xFF, 0xFF, 0xFF};
    return run.scores == NULL ? nothing
                              : (const uint8_t *)run.scores + KD_OUTPUT_SIZE +
                                    KD_LINK_BESIDE_BYTES - KD_DECISION_BLOCK_FIXED;
}

int32_t kd_phone_said(void)
{
    return kd_get16(decision() + KD_DECISION_BLOCK_SAID);
}

int32_t kd_phone_leading(void)
{
    return kd_get16(decision() + KD_DECISION_BLOCK_LEADING);
}

int32_t kd_phone_confidence(void)
{
    return kd_get16(decision() + KD_DECISION_BLOCK_CONFIDENCE);
}

int32_t kd_phone_marks(void)
{
    const uint8_t marks = decision()[KD_DECISION_BLOCK_MARKS];
    return ((marks & KD_MARK_ONSET) != 0u ? 1 : 0) | ((marks & KD_MARK_REJECTED) != 0u ? 2 : 0);
}

#else

int32_t kd_phone_said(void)
{
    return 0xFFFF;
}

int32_t kd_phone_leading(void)
{
    return 0xFFFF;
}

int32_t kd_phone_confidence(void)
{
    return 0;
}

int32_t kd_phone_marks(void)
{
    return 0;
}

#endif

#include "kd_firmware.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "kd_board.h"
#include "kd_firmware_config.h"
#include "kd_link.h"
#include "kd_profile.h"
#include "kd_run.h"
#include "kd_text.h"
#include "kd_window.h"

#if KD_HAS_GOLDEN
#include "kd_golden.h"
#endif
#if KD_HAS_FRONT_END
#include "kd_front_end_run.h"
#endif
#define KD_LEARNS (KD_HAS_FRONT_END && KD_WEARER_STATES > 0)
#if KD_LEARNS
#include "kd_normaliser.h"
#endif
#if KD_HAS_DECISION
#include "kd_decide.h"
#endif
#if KD_LINK_HEAD
#include "kd_head.h"
#else
#define kd_head_use(own) ((void)0)
#endif
#if KD_HAS_SENSORS
#include "kd_stream.h"
#endif
#include "kd_firmware_limits.h"
/* The scores; of several models which of them answered; what a decision rule makes of them. */
#define ANSWER_BYTES (KD_OUTPUT_SIZE + KD_LINK_BESIDE_BYTES)
#ifdef KD_MODEL_COUNT
#define LAYER_NAME kd_layer_name
#else
#define LAYER_NAME kd_model_layer_name
#if KD_LAYER_COUNT > 0
#include "kd_model.h"
#endif
#endif

static kd_link serial;

#if KD_HAS_SENSORS
static struct {
    bool on;
    uint8_t flags;
    bool endless;
    uint32_t left; /* predictions, unless endless */
    uint32_t last; /* the number of the last window */
} stream;
#endif

/// what the link asks for ///

static void on_write(void *user, const uint8_t *bytes, size_t n)
{
    (void)user;
    kd_board_send(bytes, n);
}

static uint32_t on_now_us(void *user)
{
    (void)user;
    return (uint32_t)kd_profile_now_us();
}

static void on_reset(void *user)
{
    (void)user;
    (void)kd_reset_state();
}

static kd_status on_run(void *user, uint8_t kind, uint8_t flags, kd_link_run *run)
{
    (void)user;
#if KD_HAS_SENSORS
    if (stream.on) {
        return KD_STATUS_BUSY;
    }
#endif
    return kd_window_run(kind, flags, run);
}

#if KD_HAS_GOLDEN
static kd_status on_selftest(void *user, uint16_t index, kd_link_selftest *result)
{
    (void)user;
#if KD_HAS_SENSORS
    if (stream.on) {
        return KD_STATUS_BUSY;
    }
#endif
    const kd_run_status ready = kd_init();
    if (ready != KD_RUN_OK) {
        return kd_window_failed(ready, &result->run);
    }
    for (size_t i = 0; i < KD_INPUT_COUNT; i++) {
        memcpy(kd_window_input(i), kd_golden_inputs[i] + (size_t)index * kd_inputs[i].size,
               kd_inputs[i].size);
    }
    kd_head_use(false);
    const kd_status status = kd_window_answer(0, false, &result->run);
    kd_head_use(true);
    if (status != KD_STATUS_OK) {
        return status;
    }
    result->differing = 0;
    for (size_t i = 0; i < KD_OUTPUT_SIZE; i++) {
        result->differing += result->run.scores[i] != kd_golden_outputs[index][i];
    }
#ifdef KD_MODEL_COUNT
    result->differing += result->run.scores[KD_OUTPUT_SIZE] != kd_golden_answered[index];
#endif
    return KD_STATUS_OK;
}
#endif

#if KD_LAYER_COUNT > 0
/* A window of zero points: what layers cost depends on the data by a few percent at most. */
static kd_status on_profile(void *user)
{
    (void)user;
    kd_link_run run = {0};
#if KD_HAS_SENSORS
    if (stream.on) {
        return KD_STATUS_BUSY;
    }
#endif
    if (kd_init() != KD_RUN_OK) {
        return KD_STATUS_ENGINE;
    }
    for (size_t i = 0; i < KD_INPUT_COUNT; i++) {
        memset(kd_window_input(i), (int)kd_inputs[i].zero_point, kd_inputs[i].size);
    }
    if (kd_reset_state() != KD_RUN_OK) {
        return KD_STATUS_ENGINE;
    }
#if KD_RUN_KEEPS
    (void)kd_window_answer(0, false, &run); /* what is timed is a hop behind it */
#endif
    kd_profile_begin();
#ifdef KD_MODEL_COUNT
    /* The rule would leave some models out. */
    const kd_run_status ran = kd_invoke_every();
    const kd_status status = ran == KD_RUN_OK ? KD_STATUS_OK : kd_window_failed(ran, &run);
#else
    const kd_status status = kd_window_answer((uint8_t)KD_FLAG_KEEP_STATE, true, &run);
#endif
    kd_profile_end();
    (void)kd_reset_state();
    return status;
}

static const char *on_layer(void *user, uint16_t index, uint64_t *ticks)
{
    (void)user;
    *ticks = kd_profile_layer(index);
    return LAYER_NAME(index);
}
#endif

static void on_memory(void *user, kd_link_memory *memory)
{
    (void)user;
    memory->stack_used = kd_board_stack_used();
    memory->stack_size = kd_board_stack_size();
    memory->static_bytes = kd_board_static_bytes();
    memory->arena_bytes = (uint32_t)kd_arena_used_bytes();
    memory->overruns = kd_board_overruns();
}

static void on_speed(void *user, uint32_t baud)
{
    (void)user;
    /* The link has checked it against max_baud, which the board can do. */
    (void)kd_board_set_speed(baud);
}

#if KD_HAS_SENSORS
static kd_status on_stream(void *user, bool on, uint32_t windows, uint8_t flags)
{
    (void)user;
    kd_stream_stop();
    stream.on = false;
    if (!on) {
        return KD_STATUS_OK;
    }
    if (kd_init() != KD_RUN_OK) {
        return KD_STATUS_ENGINE;
    }
    (void)kd_reset_state();
#if KD_HAS_DECISION
    kd_decide_forget();
#endif
    stream.flags = flags;
    stream.endless = windows == 0u;
    stream.left = windows;
    stream.on = kd_stream_start();
    return stream.on ? KD_STATUS_OK : KD_STATUS_REFUSED;
}

/* Runs the window of this number, which the stream has made ready: all are of one wearer. */
static kd_status run_streamed(uint32_t number, kd_link_run *run)
{
    const uint8_t flags = (uint8_t)(stream.flags | KD_FLAG_KEEP_WEARER | KD_FLAG_KEEP_DECISION);
#if KD_RUNS_ON
    int8_t *inputs[KD_INPUT_COUNT];
    const uint64_t start = kd_board_ticks();
    for (size_t i = 0; i < KD_INPUT_COUNT; i++) {
        inputs[i] = kd_window_input(i);
    }
    kd_front_end_window(inputs);
    run->front_end_ticks = kd_stream_front_end_ticks() + kd_profile_since(start);
    /* Behind lost samples there is no window just before. */
    const bool follows = number == stream.last + 1u;
    stream.last = number;
    return kd_window_answer(flags, follows, run);
#else
    (void)number;
    return kd_window_run((uint8_t)KD_KIND_RAW, flags, run);
#endif
}

static void move_stream(void)
{
    uint32_t ends[KD_STREAM_COUNT];
    uint32_t number;
    if (!kd_stream_poll(&serial, kd_window.counts, &number, ends)) {
        return;
    }
    const uint64_t complete_us = kd_profile_now_us();
    kd_link_window_taken(&serial);
    kd_link_run run = {0};
    if (run_streamed(number, &run) != KD_STATUS_OK) {
        /* The host sees that nothing follows; a RUN tells it why. */
        (void)on_stream(NULL, false, 0, 0);
        return;
    }
    (void)kd_link_send_prediction(&serial, number, complete_us, ends,
                                  (uint8_t)KD_STREAM_COUNT, &run);
    if (!stream.endless && --stream.left == 0u) {
        (void)on_stream(NULL, false, 0, 0);
    }
}
#endif

/// start and main loop ///

static kd_link_device device = {
    .write = on_write,
    .now_us = on_now_us,
    .reset = on_reset,
    .run = on_run,
#if KD_HAS_GOLDEN
    .selftest = on_selftest,
    .golden_count = KD_GOLDEN_COUNT,
#endif
#if KD_LAYER_COUNT > 0
    .profile = on_profile,
    .layer = on_layer,
    .layer_count = KD_LAYER_COUNT,
#endif
    .memory = on_memory,
#if KD_LEARNS
    .normaliser = kd_normaliser_do,
    .normaliser_bytes = KD_NORMALISER_BYTES,
#endif
#if KD_LINK_HEAD
    .head = kd_head_do,
    .model_sha256 = kd_head_model_sha256,
#endif
#if KD_HAS_SENSORS
    .stream = on_stream,
#endif
    .speed = on_speed,
    .hello = kd_hello,
    .hello_bytes = KD_HELLO_BYTES,
    .receive_bytes = KD_BOARD_RECEIVE_BYTES - (KD_FRAME_CODED_BYTES + 2u),
    .baud = 115200,
    .max_baud = KD_MAX_BAUD,
    .window = kd_window.bytes,
    .window_bytes = {KD_INT8_BYTES, KD_RAW_BYTES},
    .output_bytes = ANSWER_BYTES,
    .name = KD_TEXT_NAME,
    .model = KD_TEXT_MODEL,
    .score_nano = KD_SCORE_NANO,
    .score_zero = KD_SCORE_ZERO,
};

void kd_firmware_start(void)
{
    (void)kd_init(); /* a failure is told to whoever asks for a run */
#if KD_LEARNS
    kd_normaliser_start();
#endif
#if KD_LINK_HEAD
    kd_head_start();
#endif
    device.boot = (uint32_t)kd_board_ticks();
    if (kd_link_init(&serial, &device) == KD_STATUS_OK) {
        kd_text_banner(&serial);
    } else {
        static const char why[] = "e-[kd_link_init refuses this device]\r\n";
        kd_board_send((const uint8_t *)why, sizeof why - 1u);
    }
}

void kd_firmware_poll(void)
{
    uint8_t bytes[64];
    size_t n = kd_board_receive(bytes, sizeof bytes);
    while (n > 0u) {
        kd_link_receive(&serial, bytes, n);
        n = kd_board_receive(bytes, sizeof bytes);
    }
    const bool waits = kd_link_poll(&serial);
#if KD_HAS_SENSORS
    if (stream.on) {
        move_stream();
        return;
    }
#endif
    /* Asleep, it would not notice that nothing comes. */
    if (!waits) {
        kd_board_wait();
    }
}

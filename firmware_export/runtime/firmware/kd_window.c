#include "kd_window.h"

#include <string.h>

#include "kd_board.h"
#include "kd_profile.h"
#if KD_HAS_FRONT_END
#include "kd_front_end_run.h"
#endif
#if KD_HAS_DECISION
#include "kd_decide.h"
#endif

kd_window_values kd_window;

kd_status kd_window_failed(kd_run_status status, kd_link_run *run)
{
    run->engine_code = (uint32_t)status;
    return KD_STATUS_ENGINE;
}

#if KD_RUN_KEEPS

int8_t *kd_window_input(size_t index)
{
    int8_t *at = (int8_t *)kd_window.bytes;
    for (size_t i = 0; i < index; i++) {
        at += kd_inputs[i].size;
    }
    return at;
}

static kd_run_status invoke(uint8_t flags, bool follows)
{
    const int8_t *inputs[KD_INPUT_COUNT];
    (void)flags;
    for (size_t i = 0; i < KD_INPUT_COUNT; i++) {
        inputs[i] = kd_window_input(i);
    }
    return kd_run_window(inputs, follows);
}

#else

int8_t *kd_window_input(size_t index)
{
    return kd_input(index);
}

static kd_run_status invoke(uint8_t flags, bool follows)
{
    const kd_run_status status = (flags & KD_FLAG_KEEP_STATE) != 0u ? KD_RUN_OK : kd_reset_state();
    (void)follows;
    return status == KD_RUN_OK ? kd_invoke() : status;
}

#endif

kd_status kd_window_answer(uint8_t flags, bool follows, kd_link_run *run)
{
    const uint64_t start = kd_board_ticks();
    const kd_run_status status = invoke(flags, follows);
    run->ticks = kd_profile_since(start);
    if (status != KD_RUN_OK) {
        return kd_window_failed(status, run);
    }
    run->scores = kd_scores();
#if KD_HAS_DECISION
    run->scores = kd_decide(run->scores, (flags & KD_FLAG_KEEP_DECISION) != 0u);
#endif
    run->microseconds = kd_profile_us(run->ticks + run->front_end_ticks);
    return KD_STATUS_OK;
}

#if KD_HAS_FRONT_END
static void fill_raw(uint8_t flags, kd_link_run *run)
{
    int8_t *inputs[KD_INPUT_COUNT];
    for (size_t i = 0; i < KD_INPUT_COUNT; i++) {
        inputs[i] = kd_window_input(i);
    }
#if KD_WEARER_STATES > 0
    if ((flags & KD_FLAG_KEEP_WEARER) == 0u && !kd_front_end_is_frozen()) {
        kd_front_end_reset();
    }
#else
    (void)flags;
#endif
    const uint64_t start = kd_board_ticks();
    kd_front_end_run(kd_window.counts, inputs);
    run->front_end_ticks = kd_profile_since(start);
}
#endif

#if KD_HAS_PIXELS
/* An input may stand in its pixels' place. */
static void fill_pixels(kd_link_run *run)
{
    const uint64_t start = kd_board_ticks();
    const uint8_t *pixels = kd_window.bytes;
    for (size_t i = 0; i < KD_INPUT_COUNT; i++) {
        int8_t *values = kd_window_input(i);
        for (size_t j = 0; j < kd_inputs[i].size; j++) {
            values[j] = kd_pixel_tables[i][pixels[j]];
        }
        pixels += kd_inputs[i].size;
    }
    run->front_end_ticks = kd_profile_since(start);
}
#endif

kd_status kd_window_fill(uint8_t kind, uint8_t flags, kd_link_run *run)
{
    const kd_run_status ready = kd_init();
    if (ready != KD_RUN_OK) {
        return kd_window_failed(ready, run);
    }
#if KD_HAS_FRONT_END
    if (kind == KD_KIND_RAW) {
        fill_raw(flags, run);
        return KD_STATUS_OK;
    }
#elif KD_HAS_PIXELS
    if (kind == KD_KIND_RAW) {
        fill_pixels(run);
        return KD_STATUS_OK;
    }
#else
    (void)kind;
#endif
#if !KD_RUN_KEEPS
    const uint8_t *values = kd_window.bytes;
    for (size_t i = 0; i < KD_INPUT_COUNT; i++) {
        memcpy(kd_input(i), values, kd_inputs[i].size);
        values += kd_inputs[i].size;
    }
#endif
    return KD_STATUS_OK;
}

kd_status kd_window_run(uint8_t kind, uint8_t flags, kd_link_run *run)
{
    const kd_status status = kd_window_fill(kind, flags, run);
    return status == KD_STATUS_OK ? kd_window_answer(flags, false, run) : status;
}

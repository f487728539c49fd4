#include "kd_profile.h"

#include <stdbool.h>
#include <string.h>

#include "kd_board.h"
#include "kd_firmware_config.h"

/* Rounded up, and without the overflow of ticks times a million. */
static uint64_t microseconds(uint64_t ticks)
{
    const uint32_t hz = kd_board_tick_hz();
    return ticks / hz * 1000000u + (ticks % hz * 1000000u + hz - 1u) / hz;
}

uint64_t kd_profile_since(uint64_t start)
{
    const uint64_t ticks = kd_board_ticks() - start;
    return ticks > 0u ? ticks : 1u;
}

uint32_t kd_profile_us(uint64_t ticks)
{
    const uint64_t us = microseconds(ticks);
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

uint64_t kd_profile_now_us(void)
{
    return microseconds(kd_board_ticks());
}

#if KD_LAYER_COUNT > 0

static uint64_t ticks[KD_LAYER_COUNT];
static uint64_t last_mark;
static bool profiling;

void kd_profile_begin(void)
{
    memset(ticks, 0, sizeof ticks);
    profiling = true;
    last_mark = kd_board_ticks();
}

void kd_profile_end(void)
{
    profiling = false;
}

void kd_profile_mark(uint32_t layer)
{
    if (profiling) {
        const uint64_t now = kd_board_ticks();
        ticks[layer] += now - last_mark;
        last_mark = kd_board_ticks();
    }
}

uint64_t kd_profile_layer(uint32_t layer)
{
    return ticks[layer];
}

#endif

#include "kd_wearer.h"

#if KD_WEARER_STATES > 0 && !defined(KD_LSB_UNKNOWN)

static kd_running_state states[KD_WEARER_STATES];
static bool started;
static bool frozen;

kd_running_state *kd_wearer_states(void)
{
    if (!started) {
        kd_front_end_reset();
    }
    return states;
}

void kd_front_end_reset(void)
{
    uint32_t i;
    for (i = 0; i < KD_WEARER_STATES; i++) {
        kd_running_reset(&states[i]);
    }
    started = true;
}

void kd_front_end_freeze(bool freeze)
{
    frozen = freeze;
}

bool kd_front_end_is_frozen(void)
{
    return frozen;
}

void kd_front_end_get_state(uint32_t index, kd_running_state *to)
{
    *to = kd_wearer_states()[index];
}

void kd_front_end_set_state(uint32_t index, const kd_running_state *from)
{
    kd_wearer_states()[index] = *from;
}

#endif

/* Features of a window, KD_LANES at a time: from rest, and nothing is carried to the next window.
 *
 * The same samples always give the same values, and a lost sample spoils the windows that hold it and
 * no other. */
#ifndef KD_SIGNAL_WINDOW_H
#define KD_SIGNAL_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "kd_signal.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a feature's values go: out[0], out[stride], …, in all `count` of them, quantised by
 * kd_signal_narrow; those of the next feature begin at out[1]. */
typedef struct kd_signal_output {
    int8_t *out;
    uint32_t stride;
    uint32_t count;
    const kd_narrowing *narrowing;
} kd_signal_output;

/* What is known of a feature's wearer. */
typedef struct kd_signal_wearer {
    kd_running_state *state; /* the next feature's is behind it; null where there is no running normaliser */
    bool frozen;             /* the state stays as it is */
    kd_turn turn;            /* of the band, where the front end takes back its roll */
} kd_signal_wearer;

/* Whether a channel's window tells something of its wearer: it neither clips nor is flat.
 * sample: the channel's first. Never fails. Stack: 20 bytes. */
bool kd_signal_is_usable(const kd_stream *stream, const int16_t *sample);

/* Computes one feature of a window, and of the channels behind it as many as go together, from rest. It
 * moves the wearer's states, unless these are frozen or a channel clips (a count at an end of the 16-bit
 * range) or is flat (one count throughout).
 * feature: below feature_count. window: stream->samples times channel_count values, the channels of
 * a sample side by side. work: KD_SIGNAL_MEMORY_VALUES of the stream, a block, and output->count more
 * where it has a running normaliser; nothing in it is kept.
 * output->count: at most stream->samples * up / down, rounded up.
 * Returns how many features were computed: KD_LANES, or as many as channels are left. Stack: 400 bytes;
 * with four lanes 900. */
uint32_t kd_signal_window(const kd_stream *stream, uint32_t feature, const int16_t *window,
                          kd_lanes *work, const kd_signal_wearer *wearer,
                          const kd_signal_output *output);

#ifdef __cplusplus
}
#endif

#endif /* KD_SIGNAL_WINDOW_H */

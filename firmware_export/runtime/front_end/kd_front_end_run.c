#include "kd_front_end_run.h"

#include <stddef.h>

#include "kd_settings.h"
#include "kd_signal_window.h"
#if KD_WEARER_STATES > 0
#include "kd_wearer.h"
#endif

#ifndef KD_LSB_UNKNOWN

static kd_lanes work[KD_FRONT_END_WORK_VALUES];

/* Where a stream's part of a raw window starts. */
static size_t raw_offset(uint32_t stream)
{
    size_t offset = 0;
    uint32_t i;
    for (i = 0; i < stream; i++) {
        offset += (size_t)kd_streams[i].samples * kd_streams[i].channel_count;
    }
    return offset;
}

#if KD_ROLL
/* Moves what is known of gravity by a window: the last two states. Returns the band's angle. */
static kd_turn turned(const int16_t *raw)
{
    kd_running_state *gravity = kd_wearer_states() + KD_WEARER_STATES - 2u;
    const kd_stream *stream = &kd_streams[KD_ROLL_STREAM];
    const int16_t *window = raw + raw_offset(KD_ROLL_STREAM);
    const int16_t *first = window + stream->first_axis;
    const int16_t *second = window + stream->second_axis;
    if (!kd_front_end_is_frozen() && kd_signal_is_usable(stream, first) && kd_signal_is_usable(stream, second)) {
        kd_roll_move(&gravity[0], KD_ROLL_MEMORY_WINDOWS, first, stream->samples, stream->channel_count);
        kd_roll_move(&gravity[1], KD_ROLL_MEMORY_WINDOWS, second, stream->samples, stream->channel_count);
    }
    return kd_roll_turn(&gravity[0], &gravity[1]);
}
#endif

/* first: of the input's features among those of all inputs. */
static void run_input(const int16_t *raw, uint32_t input, uint32_t first, kd_turn turn, int8_t *values)
{
    const kd_input_layout *layout = &kd_input_layouts[input];
    kd_signal_output output;
    uint32_t position;

    output.out = values;
    output.stride = layout->channel_count;
    output.count = layout->samples;
    for (position = 0; position < layout->stream_count; position++) {
        const kd_stream *stream = &kd_streams[layout->streams[position]];
        const int16_t *window = raw + raw_offset(layout->streams[position]);
        uint32_t feature, count;
        output.narrowing = &layout->narrowings[position];
        for (feature = 0; feature < stream->feature_count; feature += count) {
#if KD_WEARER_STATES > 0
            const kd_signal_wearer wearer = {kd_wearer_states() + first, kd_front_end_is_frozen(), turn};
#else
            const kd_signal_wearer wearer = {NULL, true, turn};
#endif
            count = kd_signal_window(stream, feature, window, work, &wearer, &output);
            output.out += count;
#if KD_WEARER_STATES > 0
            first += count;
#else
            (void)first;
#endif
        }
    }
}

void kd_front_end_run(const int16_t *raw, int8_t *const *inputs)
{
    kd_turn turn = {1.0f, 0.0f};
    uint32_t first = 0;
    uint32_t input;
#if KD_ROLL
    turn = turned(raw);
#endif
    for (input = 0; input < KD_INPUT_COUNT; input++) {
        run_input(raw, input, first, turn, inputs[input]);
        first += kd_input_layouts[input].channel_count;
    }
}

#endif /* KD_LSB_UNKNOWN */

#include "kd_front_end_run.h"

#include <stddef.h>

#include "kd_settings.h"

#ifndef KD_LSB_UNKNOWN

static float work[KD_FRONT_END_WORK_FLOATS];

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

static void run_input(const int16_t *raw, uint32_t input, int8_t *values)
{
    const kd_input_layout *layout = &kd_input_layouts[input];
    kd_signal_output output;
    uint32_t position;

    output.out = values;
    output.stride = layout->channel_count;
    output.count = layout->samples;
    output.scale = kd_inputs[input].scale;
    output.zero_point = kd_inputs[input].zero_point;
    for (position = 0; position < layout->stream_count; position++) {
        const kd_stream *stream = &kd_streams[layout->streams[position]];
        const int16_t *window = raw + raw_offset(layout->streams[position]);
        uint32_t channel;
        for (channel = 0; channel < stream->channel_count; channel++) {
            kd_signal_channel(stream, channel, window, work, &output);
            output.out++;
        }
    }
}

void kd_front_end_run(const int16_t *raw, int8_t *const *inputs)
{
    uint32_t input;
    for (input = 0; input < KD_INPUT_COUNT; input++) {
        run_input(raw, input, inputs[input]);
    }
}

#endif /* KD_LSB_UNKNOWN */

/* The stream's frames: samples, and answers to windows. */
#include "kd_link_parts.h"

#include "kd_bytes.h"

void kd_link_window_taken(kd_link *link)
{
    link->position = 0;
    link->text_bytes = 0;
    link->scores = NULL;
}

static void send_stream_frame(kd_link *link, uint8_t type, size_t n_payload)
{
    kd_link_send(link, type, (uint16_t)(link->stream_frames & 0xFFFFu), n_payload);
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
    if (scores_at >= KD_LINK_MAX_PAYLOAD) {
        return KD_STATUS_SIZE;
    }
    kd_put64(payload + KD_PREDICTION_STAMP_US, stamp_us);
    kd_put32(payload + KD_PREDICTION_WINDOW, window);
    kd_link_put_ticks(payload + KD_PREDICTION_TICKS, run);
    payload[KD_PREDICTION_FIXED] = n_ends;
    for (size_t i = 0; i < n_ends; i++) {
        kd_put32(payload + KD_PREDICTION_FIXED + 1u + 4u * i, ends[i]);
    }
    uint8_t type = (uint8_t)KD_MSG_PREDICTION;
    size_t at = scores_at;
    for (size_t sent = 0; sent < n_scores;) {
        const size_t n = kd_link_put_part(payload + at, run->scores, n_scores, sent,
                                          KD_LINK_MAX_PAYLOAD - at);
        send_stream_frame(link, type, at + n);
        sent += n;
        type = (uint8_t)KD_MSG_PREDICTION_PART;
        at = KD_PREDICTION_PART_FIXED;
        kd_put32(payload + KD_PREDICTION_PART_WINDOW, window);
        kd_put32(payload + KD_PREDICTION_PART_OFFSET, (uint32_t)sent);
    }
    return KD_STATUS_OK;
}

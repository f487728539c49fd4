/* Limits that the export keeps, and a firmware put together by hand must: it does not compile
 * otherwise. kd_firmware.c includes this once, behind the headers that it looks at. */
#ifndef KD_FIRMWARE_LIMITS_H
#define KD_FIRMWARE_LIMITS_H

#define CHECK(name, holds) typedef char kd_firmware_##name[(holds) ? 1 : -1]
CHECK(hello_has_its_fixed_fields, KD_HELLO_BYTES >= KD_HELLO_ANSWER_FIXED);
CHECK(facts_are_counted_in_16_bits, KD_HELLO_BYTES - KD_HELLO_ANSWER_FIXED <= 65535u);
CHECK(every_input_fits_the_window, KD_WINDOW_BYTES >= KD_INT8_BYTES);
CHECK(every_stream_fits_the_window, KD_WINDOW_BYTES >= KD_RAW_BYTES);
/* The host may send a frame anew while the buffer holds what it has sent already. */
CHECK(frames_wait_while_the_model_runs,
      KD_BOARD_RECEIVE_BYTES >= 2u * (KD_FRAME_CODED_BYTES + 2u));
#if KD_LEARNS
CHECK(states_fit_a_frame,
      KD_NORMALISER_ANSWER_FIXED + KD_NORMALISER_BYTES <= KD_LINK_MAX_PAYLOAD);
#endif
#if KD_HAS_SENSORS
CHECK(ends_of_every_stream_fit_a_frame,
      KD_PREDICTION_FIXED + 1u + 4u * KD_STREAM_COUNT < KD_LINK_MAX_PAYLOAD);
#endif

#endif /* KD_FIRMWARE_LIMITS_H */

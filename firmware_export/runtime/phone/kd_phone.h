/* The recogniser for phones, browsers and computers: a board's firmware without board and serial link.
 *
 *     kd_phone_start();
 *     write n samples of a stream to kd_phone_room(); kd_phone_push(stream, n);     as they come
 *     kd_phone_lose(stream, n);                                                      where some did not
 *     while (kd_phone_poll() == 1) { kd_phone_scores(); kd_phone_said(); ... }      after each of these
 *
 * Windows, filters, scores and decisions are those of the board, bit for bit. There is one recogniser,
 * without locks: call it from one thread. Nothing allocates. */
#ifndef KD_PHONE_H
#define KD_PHONE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define KD_PHONE_API __declspec(dllexport)
#else
#define KD_PHONE_API __attribute__((visibility("default")))
#endif

/// what this build is ///

/* Grows if a function changes. */
#define KD_PHONE_VERSION 1
KD_PHONE_API int32_t kd_phone_version(void);

/* Bytes of kd_phone_scores(), of a window of all int8 inputs, and of a raw window; 0: takes no raw one. */
KD_PHONE_API int32_t kd_phone_score_bytes(void);
KD_PHONE_API int32_t kd_phone_int8_bytes(void);
KD_PHONE_API int32_t kd_phone_raw_bytes(void);

/* 1 if a decision rule stands behind the scores. */
KD_PHONE_API int32_t kd_phone_decides(void);

/// one window ///

/* Where a window goes: the inputs' int8 values one after the other, or the streams' counts, little endian,
 * as docs/protocol.md has RUN. Room for the larger of both. Never null. */
KD_PHONE_API uint8_t *kd_phone_window(void);

/* Answers that window. kind: 0 int8, 1 raw. flags: those of RUN; 0: the window stands alone.
 * Returns 0, or a kd_run_status below 0. */
KD_PHONE_API int32_t kd_phone_run(int32_t kind, int32_t flags);

/// a stream ///

/* Begins a stream: sample 0 of each sensor is next, and nothing is known of what was before. What a
 * running normaliser knows of its wearer stays. Returns 0, or a kd_run_status below 0; -100 if this
 * build takes no samples. */
KD_PHONE_API int32_t kd_phone_start(void);

/* Where samples go: KD_SENSOR_VALUES counts, the channels of a sample side by side. Null without streams. */
KD_PHONE_API int16_t *kd_phone_room(void);
KD_PHONE_API int32_t kd_phone_room_values(void);

/* Takes n samples of a stream from there. Samples for which no room is left are lost, and counted.
 * Returns 0; -100 if there is no such stream, or n samples do not fit the room. */
KD_PHONE_API int32_t kd_phone_push(int32_t stream, int32_t n);

/* Says that n samples of a stream never came. Those that are pushed before the next kd_phone_poll() that
 * returns 0 are lost as well. Returns as kd_phone_push. */
KD_PHONE_API int32_t kd_phone_lose(int32_t stream, int32_t n);

/* Answers the next window that is complete.
 * Returns 1; 0 if none is complete; a kd_run_status below 0. */
KD_PHONE_API int32_t kd_phone_poll(void);

/* Samples that were lost since kd_phone_start, of all streams. */
KD_PHONE_API uint32_t kd_phone_lost(void);

/* Forgets what running normalisers know of their wearer. Nothing to do for others. */
KD_PHONE_API void kd_phone_forget_wearer(void);

/// another engine ///

#ifdef KD_PHONE_OUTSIDE

/* on: 1: kd_phone_run and kd_phone_poll bring a window to the inputs and leave the model to others. Before the
 * next window, read kd_phone_inputs() and give kd_phone_take() the scores. 0: the model runs here again. */
KD_PHONE_API void kd_phone_outside(int32_t on);

/* Copies the kd_phone_int8_bytes() values of the inputs, one input after the other. */
KD_PHONE_API void kd_phone_inputs(int8_t *values);

/* Takes the kd_phone_score_bytes() scores of the window that waits for them: the decision rule sees them as
 * those of the model. They stay where they are until the next window. Returns 0; -100 if no window waits. */
KD_PHONE_API int32_t kd_phone_take(const int8_t *scores);

#endif

/// the last answer ///

/* The number of the last window of the stream. */
KD_PHONE_API uint32_t kd_phone_number(void);

/* kd_phone_score_bytes() values, until the next window. Null before the first. */
KD_PHONE_API const int8_t *kd_phone_scores(void);

/* What the decision rule says: a class or 0xFFFF for none; the class that leads; its share of 32768; bit 0:
 * it begins with this window, bit 1: this window is rejected. Without a rule 0xFFFF, 0xFFFF, 0, 0. */
KD_PHONE_API int32_t kd_phone_said(void);
KD_PHONE_API int32_t kd_phone_leading(void);
KD_PHONE_API int32_t kd_phone_confidence(void);
KD_PHONE_API int32_t kd_phone_marks(void);

#ifdef __cplusplus
}
#endif

#endif /* KD_PHONE_H */

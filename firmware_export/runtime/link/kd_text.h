/* The MLPerf Tiny text commands, on the same port as the frames. */
#ifndef KD_TEXT_H
#define KD_TEXT_H

#include "kd_link.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What `profile%` says the firmware speaks: the public runner's own words for it. */
#ifndef KD_TEXT_PROFILE
#define KD_TEXT_PROFILE "ULPMark for tinyML Firmware V0.0.1"
#endif

/* Carries out one command and answers in lines that end in "m-ready".
 * command: NUL-terminated, without its '%'; it is cut into words in place. Stack: 100 bytes and the device's functions. */
void kd_text_command(kd_link *link, char *command);

/* Answers a command that was longer than the link takes. Stack: 40 bytes. */
void kd_text_too_long(kd_link *link);

/* What the runner waits for after a board's start; the host's end of the frames takes it as the
 * sign that a board started anew. Send it once, when everything is ready. Stack: 40 bytes. */
void kd_text_banner(kd_link *link);

#ifdef __cplusplus
}
#endif

#endif /* KD_TEXT_H */

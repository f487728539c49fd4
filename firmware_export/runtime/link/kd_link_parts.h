/* What the link's own sources share; a firmware includes kd_link.h. */
#ifndef KD_LINK_PARTS_H
#define KD_LINK_PARTS_H

#include "kd_link.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A request being answered: `in` is its payload, `out` the answer's, of which n_out bytes are set. */
typedef struct kd_exchange {
    const uint8_t *in;
    size_t n_in;
    uint8_t *out;
    size_t n_out;
    uint32_t detail; /* of the ERROR, if the handler returns a code */
    uint16_t sequence;
} kd_exchange;

/* Answers one request, whose length has been checked. Returns KD_STATUS_OK, or what the ERROR says. */
typedef struct kd_handler {
    kd_status (*answer)(kd_link *link, kd_exchange *x);
    uint8_t n_fixed; /* bytes of the request's fixed fields */
    bool exact;      /* nothing follows them */
    bool keep;       /* doing it twice would differ from doing it once */
} kd_handler;

/* The handler of a request; NULL: there is no such message. Stack: 8 bytes. */
const kd_handler *kd_link_handler(uint8_t type);

/* Sends the n_payload bytes that stand at KD_FRAME_PAYLOAD_AT. Stack: 80 bytes and write(). */
void kd_link_send(kd_link *link, uint8_t type, uint16_t sequence, size_t n_payload);

/* Puts the ticks of a run down: 20 bytes, in RUN_ANSWER, SELFTEST_ANSWER and PREDICTION alike. */
void kd_link_put_ticks(uint8_t *at, const kd_link_run *run);

/* Copies bytes of a whole to `to`: from `offset` on, at most `most`. Returns how many. */
size_t kd_link_put_part(uint8_t *to, const void *whole, size_t n_whole, size_t offset, size_t most);

#ifdef __cplusplus
}
#endif

#endif /* KD_LINK_PARTS_H */

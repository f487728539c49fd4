/* The board's end of the serial link: sessions, requests in order, answers kept, the stream.
 *
 * The firmware fills a kd_link_device, calls kd_link_init() once, hands every received byte to
 * kd_link_receive() and calls kd_link_poll() now and then, all from its main loop (never from an
 * interrupt). Answers leave through the device's write().
 *
 * Requests are taken strictly in the order of their sequence numbers, each once: a frame after a
 * missing one is refused with GAP, one that came before is answered from what was kept. */
#ifndef KD_LINK_H
#define KD_LINK_H

#include "kd_frame.h"

#ifdef __cplusplus
extern "C" {
#endif

/// what the firmware may configure (beside KD_LINK_MAX_PAYLOAD) ///

/* Requests that the host may have unanswered; so many answers are kept. A power of two up to
 * KD_MOST_DEPTH, for the 16-bit numbers that find kept answers to run on. */
#ifndef KD_LINK_DEPTH
#define KD_LINK_DEPTH 8u
#endif
#if KD_LINK_DEPTH < 1 || KD_LINK_DEPTH > KD_MOST_DEPTH || (KD_LINK_DEPTH & (KD_LINK_DEPTH - 1)) != 0
#error "KD_LINK_DEPTH is not a power of two from 1 to KD_MOST_DEPTH"
#endif

/* Bytes of scores in one answer at most; more go in further answers. Every kept answer has room for
 * so many. 20 to KD_LINK_MAX_PAYLOAD - KD_RUN_ANSWER_FIXED. */
#ifndef KD_LINK_SCORES_BYTES
#define KD_LINK_SCORES_BYTES 64u
#endif
#if KD_LINK_SCORES_BYTES < 20
#error "KD_LINK_SCORES_BYTES is below 20: the answer to MEMORY would not be kept"
#endif
#if KD_RUN_ANSWER_FIXED + KD_LINK_SCORES_BYTES > KD_LINK_MAX_PAYLOAD
#error "KD_LINK_SCORES_BYTES does not fit into KD_LINK_MAX_PAYLOAD"
#endif

/* Bytes at the end of the scores that are none, such as which model answered: text commands leave them
 * out. */
#ifndef KD_LINK_BESIDE_BYTES
#define KD_LINK_BESIDE_BYTES 0u
#endif

/* 1 where the front end has a running normaliser, for which the host may ask. */
#ifndef KD_LINK_NORMALISER
#define KD_LINK_NORMALISER 0
#endif

/* 1 where the model's last layer can be replaced, for which the host may ask. */
#ifndef KD_LINK_HEAD
#define KD_LINK_HEAD 0
#endif
#if KD_LINK_HEAD && KD_HEAD_ANSWER_FIXED > KD_LINK_MAX_PAYLOAD
#error "an answer to HEAD does not fit into KD_LINK_MAX_PAYLOAD"
#endif

/* Silence after which bytes that end in a text command are no frame, in microseconds. */
#ifndef KD_LINK_SILENCE_US
#define KD_LINK_SILENCE_US 250000u
#endif

/* Silence at a new speed after which the board goes back to its first one, in microseconds. */
#ifndef KD_LINK_SPEED_US
#define KD_LINK_SPEED_US 1000000u
#endif

/// what the firmware provides ///

typedef struct kd_link_run {
    uint64_t ticks;           /* engine; never 0 for an answer that took time */
    uint64_t front_end_ticks; /* 0 for KD_KIND_INT8 */
    uint32_t microseconds;    /* both */
    const int8_t *scores;     /* output_bytes, valid until the firmware's next function that runs,
                               * resets, profiles or starts a stream */
    uint32_t engine_code;     /* if run() returns KD_STATUS_ENGINE */
} kd_link_run;

typedef struct kd_link_selftest {
    uint32_t differing; /* scores that differ from the golden ones */
    kd_link_run run;
} kd_link_selftest;

typedef struct kd_link_memory {
    uint32_t stack_used;
    uint32_t stack_size;
    uint32_t static_bytes;
    uint32_t arena_bytes;
    uint32_t overruns;
} kd_link_memory;

#if KD_LINK_HEAD
/* A HEAD and its answer. */
typedef struct kd_link_head {
    uint8_t action;      /* KD_ACTION_… as it came */
    uint32_t offset;
    const uint8_t *data; /* of the request */
    size_t n_data;
    uint8_t *answer;     /* room for KD_LINK_MAX_PAYLOAD bytes of HEAD_ANSWER */
    size_t n_answer;
    uint32_t detail;     /* of the ERROR, where a code is returned */
} kd_link_head;
#endif

/* One board with one model. Functions that may be NULL refuse their request with REFUSED; `user`
 * is passed to each. */
typedef struct kd_link_device {
    void *user;

    /* Sends n bytes, at least 1, waiting while the transmitter is full. */
    void (*write)(void *user, const uint8_t *bytes, size_t n);
    /* Microseconds since some start; wraps around. */
    uint32_t (*now_us)(void *user);
    /* Clears the model's state. */
    void (*reset)(void *user);
    /* Runs the window at `window`, which it must not change, and fills *run. kind: KD_KIND_INT8,
     * or KD_KIND_RAW where window_bytes[KD_KIND_RAW] > 0; unless flags has KD_FLAG_KEEP_STATE the
     * model's state is reset first. Returns KD_STATUS_OK, _ENGINE or _BUSY. */
    kd_status (*run)(void *user, uint8_t kind, uint8_t flags, kd_link_run *run);
    /* Runs golden vector `index`, below golden_count. Returns as run. May be NULL. */
    kd_status (*selftest)(void *user, uint16_t index, kd_link_selftest *result);
    /* Runs the model once with every layer timed. Returns as run. May be NULL. */
    kd_status (*profile)(void *user);
    /* Name (UTF-8; its first 100 bytes or so are told) and ticks of one layer at the last profile(); index is
     * below layer_count. NULL where profile is. */
    const char *(*layer)(void *user, uint16_t index, uint64_t *ticks);
    void (*memory)(void *user, kd_link_memory *memory);
    /* on: starts a stream of `windows` predictions (0: endless), with flags as for run; the
     * firmware then calls kd_link_send_samples and kd_link_send_prediction from its main loop. off:
     * ends it; called also where none runs. Returns KD_STATUS_OK, _BUSY or _REFUSED. May be NULL. */
    kd_status (*stream)(void *user, bool on, uint32_t windows, uint8_t flags);
    /* Does `action` (KD_ACTION_…, its states already checked for KD_ACTION_SET to be normaliser_bytes)
     * to the running normaliser, then writes normaliser_bytes of states to `states` and whether it
     * is frozen to *frozen. Returns KD_STATUS_OK, _RANGE (states that no windows lead to), _BUSY or
     * _REFUSED (it cannot be kept). Asked for where KD_LINK_NORMALISER is 1. */
    kd_status (*normaliser)(void *user, uint8_t action, uint8_t *states, uint8_t *frozen);
#if KD_LINK_HEAD
    /* Does head->action and fills the answer. Done twice it is as if done once.
     * Returns KD_STATUS_OK, _RANGE, _ORDER, _SIZE, _BUSY or _REFUSED, with their detail. */
    kd_status (*head)(void *user, kd_link_head *head);
    /* 32 bytes: of the model that answers, in place of what `hello` says. */
    const uint8_t *(*model_sha256)(void *user);
#endif
    /* Changes the UART's speed once all that was written is out. baud: 1 to max_baud. May be NULL. */
    void (*speed)(void *user, uint32_t baud);

    /* The HELLO answer as kd_edge.base.wire encodes it, with all facts: KD_HELLO_ANSWER_FIXED
     * bytes or more. What does not fit into a frame is sent when the host asks. The link fills in
     * session, boot, receive_bytes, max_payload, depth, scores_bytes and max_baud. Counts and sizes
     * in it must be those below. */
    const uint8_t *hello;
    uint16_t hello_bytes;
    uint16_t golden_count;
    uint16_t layer_count;
    uint32_t boot;          /* differs after each start, as far as the board can tell */
    /* What the receive buffer in front of kd_link_receive holds while the model runs, less one
     * frame, which the host may send again meanwhile; at least KD_FRAME_CODED_BYTES + 2. */
    uint32_t receive_bytes;
    uint32_t baud;          /* the first speed */
    uint32_t max_baud;

    uint8_t *window;          /* where windows are put together */
    uint32_t window_bytes[2]; /* by kind: exact sizes; [KD_KIND_RAW] is 0 if the board takes int8 alone */
    uint32_t output_bytes;    /* at least 1 */
    uint16_t normaliser_bytes; /* of states: KD_NORMALISER_STATE_BYTES a channel; they fit a frame */

    /* For the text commands alone. */
    const char *name;            /* printable ASCII without ']' */
    const char *model;           /* the same */
    uint64_t score_nano;         /* real value of one step of the output, times 1e9, below 1e16 */
    int8_t score_zero;           /* step that stands for zero */
} kd_link_device;

/// state: the firmware reads only the counters ///

/* An answer as it stands on the wire after the header: the largest is RUN's. */
#define KD_LINK_KEPT_BYTES (KD_RUN_ANSWER_FIXED + KD_LINK_SCORES_BYTES)

typedef struct kd_link_kept {
    uint8_t type; /* 0: nothing is kept */
    uint16_t sequence;
    uint16_t n;
    uint8_t payload[KD_LINK_KEPT_BYTES];
} kd_link_kept;

/* No sequence number: a text command's run. */
#define KD_LINK_NO_RUN 0x10000u

typedef struct kd_link {
    const kd_link_device *device;
    const int8_t *scores; /* of the last run; NULL once something else may have overwritten them */
    uint32_t scores_run;    /* number of the RUN whose scores these are, or KD_LINK_NO_RUN */
    uint32_t position;      /* bytes of the window that are there */
    uint32_t text_bytes;    /* bytes that `db load` announced; 0: parts fill the window */
    uint32_t speed_since;   /* when an unproven speed was set */
    uint32_t heard_at;      /* when the last byte came */
    uint32_t stream_frames; /* sent since STREAM */
    /* Counters since init, as MEMORY tells them. */
    uint32_t dropped[3]; /* frames, by KD_STATUS_BAD_COBS, _BAD_CRC and _BAD_LENGTH */
    uint32_t gaps;
    uint32_t repeats;
    uint16_t awaited; /* sequence number of the next new request */
    uint8_t kind;     /* of the window being put together */
    bool ready;       /* a session is open */
    bool gap_told;    /* the host knows which number is awaited */
    bool speed_unproven;
    kd_frame_reader reader;
    kd_link_kept kept[KD_LINK_DEPTH];
    uint8_t out[KD_FRAME_SEND_BYTES];
} kd_link;

/// functions ///

/* Starts the link; no session is open. device must outlive it. Sends nothing. Stack: 16 bytes.
 * Returns KD_STATUS_OK, or KD_STATUS_SIZE if a fact of the device is impossible: a HELLO without its
 * fixed fields, no window or output, a receive buffer that holds no frame. The link is then deaf and
 * dumb. */
kd_status kd_link_init(kd_link *link, const kd_link_device *device);

/* Takes n received bytes and answers every frame and text command that they complete; runs the
 * model in the course of it. Stack: 250 bytes and the device's functions. */
void kd_link_receive(kd_link *link, const uint8_t *bytes, size_t n);

/* Acts on silence: goes back to the first speed after KD_LINK_SPEED_US at a new one, and takes a text
 * command that may have been part of a frame after KD_LINK_SILENCE_US.
 * Returns whether it waits for silence: call it again within 100 ms then, and do not sleep until a
 * byte comes. Stack: as kd_link_receive. */
bool kd_link_poll(kd_link *link);

/* Sends sensor samples of a stream: n_values int16 values (channels of a sample together), at most
 * KD_LINK_SAMPLES_MAX. stream: position of the sensor in HELLO; first: number of the first sample
 * since STREAM; stamp_us: its time.
 * Returns KD_STATUS_OK or KD_STATUS_SIZE: too many values, nothing sent. */
#define KD_LINK_SAMPLES_MAX ((KD_LINK_MAX_PAYLOAD - KD_SAMPLES_FIXED) / 2u)
kd_status kd_link_send_samples(kd_link *link, uint8_t stream, uint32_t first, uint64_t stamp_us,
                               const int16_t *values, size_t n_values);

/* Says that the window buffer was filled for a stream: what lay there of a RUN's parts or of a text
 * command's bytes is gone, and is refused until it comes anew. */
void kd_link_window_taken(kd_link *link);

/* Sends the answer to one window of a stream, in as many frames as its scores need. ends: for each of
 * n_ends sensors the number of the sample after the window's last; run: as kd_link_device.run fills it.
 * Returns KD_STATUS_OK or KD_STATUS_SIZE: `ends` alone do not fit a frame, nothing sent. */
kd_status kd_link_send_prediction(kd_link *link, uint32_t window, uint64_t stamp_us,
                                  const uint32_t *ends, uint8_t n_ends, const kd_link_run *run);

/* The code in words, as an ERROR carries it; "" for one that none carries. */
const char *kd_status_text(kd_status status);

#ifdef __cplusplus
}
#endif

#endif /* KD_LINK_H */

/* libFuzzer target for the board's end of the link.
 *
 * The first byte chooses: even: the rest goes to kd_link_receive as it is; odd: the rest is read as
 * (type, length, payload) items, each sent in a sound frame with the right number, so that what
 * stands behind the CRC is reached too; a length of 255 repeats the last number. */
#include <stdlib.h>
#include <string.h>

#include "kd_bytes.h"
#include "kd_crc32.h"
#include "kd_link.h"

/* More scores than one answer or one frame takes. */
enum { INT8_BYTES = 48, RAW_BYTES = 20, OUTPUT = 300, LAYERS = 300, FACTS = 400, STREAMS = 3 };
enum { STATES = 2 * KD_NORMALISER_STATE_BYTES };

static kd_link *link_;
static uint8_t *window;
static kd_frame_reader *other_end;
static int8_t *scores;
static unsigned runs;
static bool streaming;

static void check(int holds)
{
    if (!holds) {
        abort();
    }
}

/* Everything that leaves the board is a sound frame of a known kind, or text. */
static void fuzz_write(void *user, const uint8_t *bytes, size_t n)
{
    (void)user;
    check(n > 0u);
    if (bytes[0] != 0u) {
        check(memchr(bytes, 0, n) == NULL);
        return;
    }
    kd_status status = KD_STATUS_MORE;
    for (size_t i = 0; i < n; i++) {
        status = kd_frame_push(other_end, bytes[i]);
        check(status == (i + 1u < n ? KD_STATUS_MORE : KD_STATUS_FRAME));
    }
    check(other_end->bytes[0] == KD_PROTOCOL_VERSION);
    check((other_end->bytes[1] & KD_MSG_ANSWERS) != 0u);
}

static uint32_t fuzz_now(void *user)
{
    static uint32_t now;
    (void)user;
    now += 1000u;
    return now;
}

static void fuzz_reset(void *user)
{
    (void)user;
}

static kd_status fuzz_run(void *user, uint8_t kind, uint8_t flags, kd_link_run *run)
{
    (void)user;
    (void)flags;
    const uint32_t sum = kd_crc32(window, kind == KD_KIND_RAW ? RAW_BYTES : INT8_BYTES);
    memset(scores, (int)(sum & 0xFFu), OUTPUT);
    run->scores = scores;
    /* A command may ask for millions of runs, which would prove nothing more. */
    return (sum & 0xF00u) != 0u && ++runs < 40u ? KD_STATUS_OK : KD_STATUS_ENGINE;
}

static kd_status fuzz_selftest(void *user, uint16_t index, kd_link_selftest *result)
{
    (void)user;
    check(index < 3u);
    result->differing = index;
    return KD_STATUS_OK;
}

static kd_status fuzz_profile(void *user)
{
    (void)user;
    return KD_STATUS_OK;
}

static const char *fuzz_layer(void *user, uint16_t index, uint64_t *ticks)
{
    static char name[400];
    (void)user;
    check(index < LAYERS);
    memset(name, 'x', sizeof name);
    name[index % sizeof name] = 0;
    *ticks = index;
    return name;
}

static void fuzz_memory(void *user, kd_link_memory *memory)
{
    (void)user;
    memory->overruns = 1;
}

static kd_status fuzz_stream(void *user, bool on, uint32_t windows, uint8_t flags)
{
    (void)user;
    (void)flags;
    streaming = on && windows != 7u;
    return on && windows == 7u ? KD_STATUS_BUSY : KD_STATUS_OK;
}

static void fuzz_speed(void *user, uint32_t baud)
{
    (void)user;
    check(baud > 0u && baud <= 921600u);
}

/* What the request brought stands in `states`; all of it is told again. */
static kd_status fuzz_normaliser(void *user, uint8_t action, uint8_t *states, uint8_t *frozen)
{
    (void)user;
    check(action <= KD_ACTION_KEEP);
    if (action != KD_ACTION_SET) {
        memset(states, action, STATES);
    }
    *frozen = states[0] % 2u;
    return action == KD_ACTION_KEEP && *frozen != 0u ? KD_STATUS_REFUSED : KD_STATUS_OK;
}

/* A window's samples and its answer, as a firmware sends them between requests. */
static void send_window(uint32_t number)
{
    const int16_t values[] = {1, -2, 3};
    const uint32_t ends[STREAMS] = {number, number, number};
    kd_link_run run = {0};
    if (fuzz_run(NULL, KD_KIND_RAW, 0, &run) == KD_STATUS_OK) {
        kd_link_window_taken(link_);
        check(kd_link_send_samples(link_, 0, number, 0, values, 3) == KD_STATUS_OK);
        check(kd_link_send_prediction(link_, number, 0, ends, STREAMS, &run) == KD_STATUS_OK);
        check(kd_link_send_prediction(link_, number, 0, ends, 255, &run) == KD_STATUS_SIZE);
    }
}

static const uint8_t hello[KD_HELLO_ANSWER_FIXED + FACTS];

static const kd_link_device device_template = {
    .write = fuzz_write,
    .now_us = fuzz_now,
    .reset = fuzz_reset,
    .run = fuzz_run,
    .selftest = fuzz_selftest,
    .profile = fuzz_profile,
    .layer = fuzz_layer,
    .memory = fuzz_memory,
    .stream = fuzz_stream,
    .speed = fuzz_speed,
    .normaliser = fuzz_normaliser,
    .normaliser_bytes = STATES,
    .hello = hello,
    .hello_bytes = sizeof hello,
    .golden_count = 3,
    .layer_count = LAYERS,
    .boot = 1,
    .receive_bytes = 2048,
    .baud = 115200,
    .max_baud = 921600,
    .window_bytes = {INT8_BYTES, RAW_BYTES},
    .output_bytes = OUTPUT,
    .name = "fuzz",
    .model = "checksum",
    .score_nano = 16000000000000000u,
    .score_zero = -128,
};

static void send_sound(uint8_t type, uint16_t sequence, const uint8_t *payload, size_t n)
{
    static uint8_t buffer[KD_FRAME_SEND_BYTES];
    memcpy(buffer + KD_FRAME_PAYLOAD_AT, payload, n);
    const size_t coded = kd_frame_seal(buffer, type, sequence, n);
    kd_link_receive(link_, buffer, coded);
}

static void send_items(const uint8_t *data, size_t size)
{
    uint16_t sequence = 65530;
    send_sound((uint8_t)KD_MSG_HELLO, sequence++, (const uint8_t *)"abcd", 4);
    while (size >= 2u) {
        const uint8_t type = data[0];
        size_t n = data[1];
        data += 2;
        size -= 2u;
        if (n == 255u) {
            sequence--;
            n = 6;
        }
        n = n < size ? n : size;
        n = n < KD_LINK_MAX_PAYLOAD ? n : KD_LINK_MAX_PAYLOAD;
        send_sound(type, sequence++, data, n);
        if (streaming) {
            send_window(sequence);
        }
        data += n;
        size -= n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Each on the heap and exactly as large as needed, so that the sanitizers see its ends. */
    link_ = malloc(sizeof *link_);
    window = malloc(INT8_BYTES);
    other_end = calloc(1, sizeof *other_end);
    scores = malloc(OUTPUT);
    kd_link_device device = device_template;
    device.window = window;
    memset(window, 0, INT8_BYTES);
    check(kd_link_init(link_, &device) == KD_STATUS_OK);
    runs = 0;
    streaming = false;
    if (size > 0u) {
        if (data[0] % 2u != 0u) {
            send_items(data + 1, size - 1u);
        } else {
            kd_link_receive(link_, data + 1, size - 1u);
        }
        /* Long enough that silence is noticed. */
        for (int i = 0; i < 300; i++) {
            kd_link_poll(link_);
        }
        check(!link_->reader.command);
        check(link_->position <= INT8_BYTES);
    }
    free(scores);
    free(other_end);
    free(window);
    free(link_);
    return 0;
}

/* A board for the link's tests: the real link behind a port of link_port.h, with a model whose answer
 * is a checksum of its window, so that any wrong byte or mixed-up answer shows.
 *
 * Arguments, each followed by a value: reset-after N (runs; twice, or always with resets N),
 * hang-after N, fail-on-run N, slow MICROSECONDS, max-baud N, speed-file PATH (the host's speed: while
 * the board's differs or is above highest N, only nonsense passes, as on a real UART), score-nano N. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kd_crc32.h"
#include "kd_link.h"
#include "kd_text.h"
#include "link_board_hello.h"
#include "link_port.h"

enum { N_SCORES = BOARD_OUTPUT_BYTES, N_STREAMS = 2, LAYERS = 40, GOLDEN = 7 };

static const unsigned channels[N_STREAMS] = {3, 2};
static const unsigned window_samples[N_STREAMS] = {40, 15};
static const unsigned hop_samples[N_STREAMS] = {20, 5};

static struct {
    kd_link link;
    kd_link_device device;
    uint8_t window[BOARD_INT8_BYTES > BOARD_RAW_BYTES ? BOARD_INT8_BYTES : BOARD_RAW_BYTES];
    int8_t scores[N_SCORES];
    uint32_t state; /* windows since the last reset, which KEEP_STATE lets into the answer */
    uint32_t runs;
    bool streaming;
    uint32_t windows_left;
    uint32_t windows_done;
} board;

static long reset_after = -1;
static long hang_after = -1;
static long fail_on_run = -1;
static long slow_us = 0;
static long max_baud = 0;
static long resets = 2;
static long highest = 921600;
static long long score_nano = 250000000;
static const char *speed_file = NULL;
static uint32_t speed;

static void board_speed(void *user, uint32_t baud)
{
    (void)user;
    speed = baud;
}

/* Whether both ends have the same speed, and one that the line carries. */
static bool line_works(void)
{
    unsigned long host = 0;
    FILE *file = speed_file != NULL ? fopen(speed_file, "r") : NULL;
    if (file == NULL) {
        return true;
    }
    const bool known = fscanf(file, "%lu", &host) == 1;
    fclose(file);
    return known && host == speed && speed <= (uint32_t)highest;
}

static void board_write(void *user, const uint8_t *bytes, size_t n)
{
    (void)user;
    if (!line_works()) {
        bytes = (const uint8_t *)"\xf8\x80\x00";
        n = 3;
    }
    port_send(bytes, n);
}

static uint32_t board_now(void *user)
{
    (void)user;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u);
}

static void board_reset(void *user)
{
    (void)user;
    board.state = 0;
}

/* The scores of n bytes: their checksum and the model's state, a nibble after the other. */
static void think(const uint8_t *bytes, size_t n, bool keep_state, kd_link_run *run)
{
    if (!keep_state) {
        board.state = 0;
    }
    board.state++;
    const uint32_t sum = kd_crc32(bytes, n) + board.state - 1u;
    for (unsigned i = 0; i < N_SCORES; i++) {
        board.scores[i] = (int8_t)((int)(sum >> (4u * (i % 7u)) & 15u) - 8 + (int)(i / 7u % 100u));
    }
    run->scores = board.scores;
    run->ticks = 1000u + n;
    run->microseconds = 7;
}

static kd_status board_run(void *user, uint8_t kind, uint8_t flags, kd_link_run *run)
{
    (void)user;
    board.runs++;
    if (hang_after >= 0 && board.runs > (uint32_t)hang_after) {
        for (;;) {
            pause();
        }
    }
    if (fail_on_run >= 0 && board.runs == (uint32_t)fail_on_run) {
        run->engine_code = 42;
        return KD_STATUS_ENGINE;
    }
    if (slow_us > 0) {
        usleep((useconds_t)slow_us);
    }
    if (board.streaming) {
        return KD_STATUS_BUSY;
    }
    think(board.window, board.device.window_bytes[kind], (flags & KD_FLAG_KEEP_STATE) != 0u, run);
    run->front_end_ticks = kind == KD_KIND_RAW ? 5u : 0u;
    return KD_STATUS_OK;
}

static kd_status board_selftest(void *user, uint16_t index, kd_link_selftest *result)
{
    (void)user;
    result->differing = index == 5u ? 3u : 0u;
    result->run.ticks = 100u + index;
    return KD_STATUS_OK;
}

static kd_status board_profile(void *user)
{
    (void)user;
    return KD_STATUS_OK;
}

static const char *board_layer(void *user, uint16_t index, uint64_t *ticks)
{
    (void)user;
    static char name[32];
    snprintf(name, sizeof name, "layer number %u", (unsigned)index);
    *ticks = 10u * (index + 1u) + ((uint64_t)index << 33);
    return name;
}

static void board_memory(void *user, kd_link_memory *memory)
{
    (void)user;
    memory->stack_used = 111;
    memory->stack_size = 222;
    memory->static_bytes = 333;
    memory->arena_bytes = 444;
    memory->overruns = 0;
}

static kd_status board_stream(void *user, bool on, uint32_t windows, uint8_t flags)
{
    (void)user;
    (void)flags;
    board.streaming = on;
    board.windows_left = windows == 0u ? UINT32_MAX : windows;
    board.windows_done = 0;
    return KD_STATUS_OK;
}

static int16_t sample(unsigned stream, uint32_t index, unsigned channel)
{
    return (int16_t)(uint16_t)(index * 31u + channel * 7u + stream * 1000u);
}

/* One window's new samples and its answer. */
static void stream_window(void)
{
    static int16_t values[64 * 3];
    uint8_t whole[BOARD_RAW_BYTES + 1]; /* a board without sensors has none */
    uint32_t ends[N_STREAMS];
    size_t at = 0;
    for (unsigned s = 0; s < N_STREAMS; s++) {
        ends[s] = window_samples[s] + board.windows_done * hop_samples[s];
        const uint32_t fresh = board.windows_done == 0u ? window_samples[s] : hop_samples[s];
        size_t n = 0;
        for (uint32_t i = ends[s] - fresh; i < ends[s]; i++) {
            for (unsigned c = 0; c < channels[s]; c++) {
                values[n++] = sample(s, i, c);
            }
        }
        const uint32_t first = ends[s] - fresh;
        if (kd_link_send_samples(&board.link, (uint8_t)s, first, first * 1000ull, values, n) !=
            KD_STATUS_OK) {
            abort();
        }
        for (uint32_t i = ends[s] - window_samples[s]; i < ends[s]; i++) {
            for (unsigned c = 0; c < channels[s]; c++) {
                const uint16_t value = (uint16_t)sample(s, i, c);
                whole[at++] = (uint8_t)(value & 255u);
                whole[at++] = (uint8_t)(value >> 8);
            }
        }
    }
    kd_link_run run = {0};
    think(whole, at, false, &run);
    (void)kd_link_send_prediction(&board.link, board.windows_done, 5000ull * board.windows_done,
                                  ends, N_STREAMS, &run);
    board.windows_done++;
    board.runs++;
    board.streaming = --board.windows_left > 0u;
}

static void start(uint32_t boot)
{
    board.device = (kd_link_device){
        .write = board_write,
        .now_us = board_now,
        .reset = board_reset,
        .run = board_run,
        .selftest = board_selftest,
        .profile = board_profile,
        .layer = board_layer,
        .memory = board_memory,
        .stream = board_stream,
        .speed = board_speed,
        .hello = board_hello,
        .hello_bytes = sizeof board_hello,
        .golden_count = GOLDEN,
        .layer_count = LAYERS,
        .boot = boot,
        .receive_bytes = 4096,
        .baud = 115200,
        .max_baud = (uint32_t)max_baud,
        .window = board.window,
        .window_bytes = {BOARD_INT8_BYTES, BOARD_RAW_BYTES},
        .output_bytes = N_SCORES,
        .name = "test board",
        .model = "checksum",
        .score_nano = (uint64_t)score_nano,
        .score_zero = -1,
    };
    if (kd_link_init(&board.link, &board.device) != KD_STATUS_OK) {
        abort();
    }
    board.streaming = false;
    board.runs = 0;
    speed = board.device.baud;
    kd_text_banner(&board.link);
}

int main(int argc, char **argv)
{
    uint8_t bytes[512];
    uint32_t boot = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        const long n = strtol(argv[i + 1], NULL, 10);
        score_nano = strcmp(argv[i], "score-nano") == 0 ? strtoll(argv[i + 1], NULL, 10) : score_nano;
        reset_after = strcmp(argv[i], "reset-after") == 0 ? n : reset_after;
        hang_after = strcmp(argv[i], "hang-after") == 0 ? n : hang_after;
        fail_on_run = strcmp(argv[i], "fail-on-run") == 0 ? n : fail_on_run;
        slow_us = strcmp(argv[i], "slow") == 0 ? n : slow_us;
        max_baud = strcmp(argv[i], "max-baud") == 0 ? n : max_baud;
        resets = strcmp(argv[i], "resets") == 0 ? n : resets;
        highest = strcmp(argv[i], "highest") == 0 ? n : highest;
        speed_file = strcmp(argv[i], "speed-file") == 0 ? argv[i + 1] : speed_file;
    }
    start(boot);
    for (;;) {
        const size_t n = port_receive(bytes, sizeof bytes, board.streaming ? 0 : 50);
        if (n > 0u) {
            if (!line_works()) {
                memset(bytes, 0xF8, n);
            }
            kd_link_receive(&board.link, bytes, n);
        }
        kd_link_poll(&board.link);
        if (board.streaming) {
            stream_window();
        }
        if (reset_after >= 0 && board.runs >= (uint32_t)reset_after && resets-- > 0) {
            start(++boot);
        }
    }
}

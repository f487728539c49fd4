#include "kd_text.h"

#include <string.h>

#define MICRO 1000000u

/// words and numbers out ///

static void say(kd_link *link, const char *text)
{
    const size_t n = strlen(text);
    if (n > 0u) {
        link->device->write(link->device->user, (const uint8_t *)text, n);
    }
}

/* value in decimal with at least `digits` digits, 1 to 10. */
static void say_number(kd_link *link, uint32_t value, unsigned digits)
{
    char text[11];
    unsigned at = sizeof text - 1u;
    text[at] = 0;
    while (value != 0u || sizeof text - 1u - at < digits) {
        text[--at] = (char)('0' + value % 10u);
        value /= 10u;
    }
    say(link, text + at);
}

static void say_line(kd_link *link, const char *before, uint32_t value, const char *after)
{
    say(link, before);
    say_number(link, value, 1);
    say(link, after);
}

static void say_name(kd_link *link, const char *before, const char *name)
{
    say(link, before);
    say(link, name);
    say(link, "]\r\n");
}

static void say_time(kd_link *link)
{
    say_line(link, "m-lap-us-", link->device->now_us(link->device->user), "\r\n");
}

/// words and numbers in ///

/* The next word at *at, ended in place at the next blank; *at moves behind it. NULL: none is left. */
static char *next_word(char **at)
{
    char *start = *at;
    while (*start != 0 && *start <= ' ') {
        start++;
    }
    char *end = start;
    while (*end > ' ') {
        end++;
    }
    *at = end;
    if (*end != 0) {
        *end = 0;
        *at = end + 1;
    }
    return end == start ? NULL : start;
}

/* As atoi for what is not negative: 0 where no digit leads; at most 100 million. */
static uint32_t number(const char *word)
{
    uint32_t value = 0;
    while (*word >= '0' && *word <= '9' && value < 10u * MICRO) {
        value = 10u * value + (uint32_t)(*word++ - '0');
    }
    return value;
}

/* 0 to 15; 16: no hexadecimal digit. */
static unsigned hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return (unsigned)(digit - '0');
    }
    const unsigned letter = (unsigned)(digit | 0x20) - (unsigned)'a';
    return letter < 6u ? letter + 10u : 16u;
}

/// commands ///

static void say_results(kd_link *link)
{
    const kd_link_device *device = link->device;
    say(link, "m-results-[");
    for (uint32_t i = 0; link->scores != NULL && i < device->output_bytes - KD_LINK_BESIDE_BYTES; i++) {
        const int32_t steps = (int32_t)link->scores[i] - device->score_zero;
        const uint64_t nano = (uint32_t)(steps < 0 ? -steps : steps) * device->score_nano;
        const uint64_t micro = (nano + 500u) / 1000u;
        say(link, i == 0u ? "" : ",");
        say(link, steps < 0 ? "-" : "");
        say_number(link, (uint32_t)(micro / MICRO), 1);
        say(link, ".");
        say_number(link, (uint32_t)(micro % MICRO), 6);
    }
    say(link, "]\r\n");
}

/* The model `times` times on the loaded window. Returns whether the engine did it. */
static bool infer(kd_link *link, uint32_t times)
{
    const kd_link_device *device = link->device;
    for (; times > 0u; times--) {
        kd_link_run run = {0};
        link->scores = NULL;
        if (device->run(device->user, KD_KIND_INT8, 0, &run) != KD_STATUS_OK) {
            say_line(link, "e-[Inference failed: ", run.engine_code, "]\r\n");
            return false;
        }
        link->scores = run.scores;
        link->scores_run = KD_LINK_NO_RUN;
    }
    return true;
}

static void on_infer(kd_link *link, char *rest)
{
    const uint32_t awaited = link->device->window_bytes[KD_KIND_INT8];
    const char *times = next_word(&rest);
    const char *warm_up = next_word(&rest);
    const uint32_t n = times != NULL ? number(times) : 1u;
    const uint32_t w = warm_up != NULL ? number(warm_up) : 10u;
    if (n == 0u) {
        say(link, "e-[Inference iterations must be >0]\r\n");
    } else if (warm_up != NULL && *warm_up == '-') {
        say(link, "e-[Inference warmup must be >=0]\r\n");
    } else if (link->text_bytes != awaited || link->position != awaited) {
        say_line(link, "e-[Input db has ", link->text_bytes == 0u ? 0u : link->position, " bytes");
        say_line(link, ", expected ", awaited, "]\r\n");
    } else {
        say_line(link, "m-warmup-start-", w, "\r\n");
        if (!infer(link, w)) {
            return;
        }
        say(link, "m-warmup-done\r\n");
        say_line(link, "m-infer-start-", n, "\r\n");
        say_time(link);
        if (!infer(link, n)) {
            return;
        }
        say_time(link);
        say(link, "m-infer-done\r\n");
        say_results(link);
    }
}

static void db_load(kd_link *link, const char *size)
{
    const uint32_t largest = link->device->window_bytes[KD_KIND_INT8];
    const uint32_t n = size != NULL ? number(size) : 0u;
    if (size == NULL) {
        say(link, "e-[Command 'db load' requires the # of bytes]\r\n");
    } else if (n == 0u) {
        say(link, "e-[Command 'db load' must be >0 bytes]\r\n");
    } else if (n > largest) {
        say_line(link, "e-[Supplied buffer size ", n, "");
        say_line(link, " exceeds maximum of ", largest, "]\r\n");
    } else {
        link->text_bytes = n;
        link->position = 0;
        say_line(link, "m-[Expecting ", n, " bytes]\r\n");
    }
}

static void db_bytes(kd_link *link, const char *digits)
{
    if (strlen(digits) % 2u != 0u) {
        say(link, "e-[Insufficent number of hex digits]\r\n");
        return;
    }
    for (; *digits != 0; digits += 2) {
        const unsigned high = hex_digit(digits[0]);
        const unsigned low = hex_digit(digits[1]);
        if (high > 15u || low > 15u) {
            const char pair[] = {digits[0], digits[1], 0};
            say(link, "e-[Invalid hex digit '");
            say(link, pair);
            say(link, "']\r\n");
            return;
        }
        if (link->position < link->text_bytes) {
            link->device->window[link->position++] = (uint8_t)(high << 4 | low);
            if (link->position == link->text_bytes) {
                /* The rest of the digits is disregarded. */
                say(link, "m-load-done\r\n");
                return;
            }
        }
    }
}

static void on_db(kd_link *link, char *rest)
{
    const char *word = next_word(&rest);
    if (word == NULL) {
        say(link, "e-[Command 'db' requires a subcommand]\r\n");
    } else if (strcmp(word, "load") == 0) {
        db_load(link, next_word(&rest));
    } else {
        db_bytes(link, word);
    }
}

static void on_name(kd_link *link, char *rest)
{
    (void)rest;
    say_name(link, "m-name-dut-[", link->device->name);
}

static void on_timestamp(kd_link *link, char *rest)
{
    (void)rest;
    say_time(link);
}

static void on_profile(kd_link *link, char *rest)
{
    (void)rest;
    say(link, "m-profile-[" KD_TEXT_PROFILE "]\r\n");
    say_name(link, "m-model-[", link->device->model);
}

static void on_results(kd_link *link, char *rest)
{
    (void)rest;
    say_results(link);
}

static void on_help(kd_link *link, char *rest)
{
    (void)rest;
    say(link, "name, profile, timestamp, results, help\r\n"
              "db load N, db HH[HH]*, infer N [W=10]\r\n");
}

static const struct {
    const char *word;
    void (*carry_out)(kd_link *link, char *rest);
} commands[] = {
    {"name", on_name}, {"timestamp", on_timestamp}, {"profile", on_profile}, {"help", on_help},
    {"db", on_db},     {"infer", on_infer},         {"results", on_results},
};

void kd_text_command(kd_link *link, char *command)
{
    char *rest = command;
    char *word = next_word(&rest);
    size_t i = 0;
    while (word != NULL && i < sizeof commands / sizeof commands[0] &&
           strcmp(word, commands[i].word) != 0) {
        i++;
    }
    if (word == NULL || i == sizeof commands / sizeof commands[0]) {
        say_name(link, "e-[Unknown command: ", word != NULL ? word : "");
    } else {
        commands[i].carry_out(link, rest);
    }
    say(link, "m-ready\r\n");
}

void kd_text_too_long(kd_link *link)
{
    say(link, "e-[Command too long]\r\nm-ready\r\n");
}

void kd_text_banner(kd_link *link)
{
    say(link, "m-timestamp-mode-performance\r\n");
    say_time(link);
    say(link, "m-init-done\r\nm-ready\r\n");
}

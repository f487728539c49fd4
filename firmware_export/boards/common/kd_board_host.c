/* The board layer as a process: serial port on a pseudo-terminal, console on standard output.
 *
 * The only part of the firmware that needs an operating system. Its first line of output names the
 * pseudo-terminal: "serial port: /dev/pts/3". */
#define _XOPEN_SOURCE 600
#include "kd_board.h"
#include "kd_board_config.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int port = -1;

/* Without a port or a console the process has no use; nothing else could be told. */
static void give_up(const char *what) {
    perror(what);
    exit(KD_BOARD_EXIT_FAULT);
}

static void write_all(int file, const void *bytes, size_t size) {
    const char *next = bytes;
    while (size > 0u) {
        const ssize_t count = write(file, next, size);
        if (count < 0) {
            give_up("write");
        }
        next += count;
        size -= (size_t)count;
    }
}

/* No echo, no translation of line ends, eight bits. */
static void make_raw(int terminal) {
    struct termios settings;
    if (tcgetattr(terminal, &settings) != 0) {
        give_up("tcgetattr");
    }
    settings.c_iflag = 0;
    settings.c_oflag = 0;
    settings.c_lflag = 0;
    settings.c_cflag = CS8 | CREAD | CLOCAL;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    if (tcsetattr(terminal, TCSANOW, &settings) != 0) {
        give_up("tcsetattr");
    }
}

/* Before main(), as on every board. */
__attribute__((constructor)) static void start(void) {
    port = posix_openpt(O_RDWR | O_NOCTTY);
    if (port < 0 || grantpt(port) != 0 || unlockpt(port) != 0) {
        give_up("pseudo-terminal");
    }
    const char *name = ptsname(port);
    /* Held open for ever: without it, reading fails while nobody else has the terminal open. */
    const int terminal = open(name, O_RDWR | O_NOCTTY);
    if (terminal < 0) {
        give_up(name);
    }
    make_raw(terminal);
    printf("serial port: %s\n", name);
    fflush(stdout);
}

uint64_t kd_board_ticks(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * KD_BOARD_TICK_HZ + (uint64_t)now.tv_nsec;
}

uint32_t kd_board_tick_hz(void) {
    return KD_BOARD_TICK_HZ;
}

size_t kd_board_receive(uint8_t *bytes, size_t size) {
    struct pollfd waiting = {.fd = port, .events = POLLIN, .revents = 0};
    if (size == 0u || poll(&waiting, 1, 0) <= 0) {
        return 0;
    }
    const ssize_t count = read(port, bytes, size);
    return count > 0 ? (size_t)count : 0u;
}

void kd_board_send(const uint8_t *bytes, size_t size) {
    write_all(port, bytes, size);
}

bool kd_board_set_speed(uint32_t bits_per_second) {
    return bits_per_second > 0u; /* a pseudo-terminal has none */
}

uint32_t kd_board_overruns(void) {
    return 0; /* the writer waits while a pseudo-terminal is full */
}

void kd_board_wait(void) {
    struct pollfd waiting = {.fd = port, .events = POLLIN, .revents = 0};
    (void)poll(&waiting, 1, -1);
}

uint32_t kd_board_stack_used(void) {
    return KD_BOARD_UNKNOWN;
}

uint32_t kd_board_stack_size(void) {
    return KD_BOARD_UNKNOWN;
}

uint32_t kd_board_static_bytes(void) {
    return KD_BOARD_UNKNOWN;
}

void kd_board_write(const char *text, size_t size) {
    write_all(STDOUT_FILENO, text, size);
}

void kd_board_exit(int status) {
    exit(status);
}

/* kd_ble.c with a radio that a test plays: packets on standard input and output, each a letter, a
 * length (u16, little endian) and so many bytes.
 *
 *     to the board    O MTU  a host has subscribed        M MTU  another MTU was agreed on
 *                     C      it listens no more           W ...  it has written a piece
 *                     K      a notification has left
 *     from the board  R      it has begun                 N ...  a notification
 *                     F      the stack had no room for one
 */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "kd_ble.h"
#include "kd_board.h"
#include "link_port.h"

/* Notifications that the stack holds. */
#ifndef STACK_PIECES
#define STACK_PIECES 4u
#endif

static unsigned held;

static void say(char kind, const uint8_t *bytes, size_t n)
{
    const uint8_t head[3] = {(uint8_t)kind, (uint8_t)(n & 255u), (uint8_t)(n >> 8)};
    write_all(head, sizeof head);
    write_all(bytes, n);
}

static void read_all(uint8_t *bytes, size_t n)
{
    while (n > 0u) {
        const ssize_t done = read(STDIN_FILENO, bytes, n);
        if (done <= 0) {
            exit(0);
        }
        bytes += done;
        n -= (size_t)done;
    }
}

static void take_packet(void)
{
    static uint8_t bytes[KD_BLE_MOST_WRITTEN];
    uint8_t head[3];
    read_all(head, sizeof head);
    const size_t n = head[1] | (size_t)head[2] << 8;
    if (n > sizeof bytes) {
        abort();
    }
    read_all(bytes, n);
    const uint16_t mtu = (uint16_t)(n == 2u ? bytes[0] | bytes[1] << 8 : 0);
    switch (head[0]) {
    case 'O':
        held = 0;
        kd_ble_open(mtu);
        break;
    case 'M':
        kd_ble_set_mtu(mtu);
        break;
    case 'C':
        kd_ble_close();
        break;
    case 'W':
        kd_ble_take(bytes, n);
        break;
    case 'K':
        held -= held > 0u;
        break;
    default:
        abort();
    }
}

static void work(int wait_ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    for (; poll(&input, 1, wait_ms) > 0; wait_ms = 0) {
        take_packet();
    }
}

kd_ble_sent kd_ble_notify(const uint8_t *piece, size_t size)
{
    work(0); /* as an interrupt, or a stack that waits for the air by itself */
    if (held == STACK_PIECES) {
        say('F', NULL, 0);
        return KD_BLE_FULL;
    }
    held++;
    say('N', piece, size);
    return KD_BLE_SENT;
}

void kd_ble_idle(bool crowded)
{
    work(crowded ? 5 : 100);
}

void port_send(const uint8_t *bytes, size_t n)
{
    static bool begun = false;
    if (!begun) {
        say('R', NULL, 0);
        begun = true;
    }
    kd_board_send(bytes, n);
}

size_t port_receive(uint8_t *bytes, size_t size, int wait_ms)
{
    work(0);
    kd_ble_poll();
    const size_t n = kd_board_receive(bytes, size);
    if (n == 0u && wait_ms > 0) {
        kd_board_wait();
    }
    return n > 0u ? n : kd_board_receive(bytes, size);
}

#include "kd_ble.h"

#include "kd_board.h"
#include "kd_board_ring.h"

#define ATT_HEAD 3u /* of a notification: what is no piece of its MTU */
#define MASK (KD_BLE_SEND_BYTES - 1u)
#if (KD_BLE_SEND_BYTES & MASK) != 0 || KD_BLE_SEND_BYTES <= KD_BLE_MOST_PIECE
#error "KD_BLE_SEND_BYTES is not a power of two that is more than a piece"
#endif

/* The glue writes these. A connection has an odd number; between two of them it is even. */
static volatile uint32_t connection;
static volatile uint32_t piece_bytes = KD_BLE_LEAST_PIECE;

/* The firmware's: bytes for the connection `queue_of`. Both counts run on. */
static uint8_t queue[KD_BLE_SEND_BYTES];
static uint32_t written;
static uint32_t taken;
static uint32_t queue_of;

/// What the glue calls ///

void kd_ble_set_mtu(uint16_t mtu)
{
    const uint32_t most = mtu > ATT_HEAD ? (uint32_t)mtu - ATT_HEAD : 0u;
    piece_bytes = most < KD_BLE_LEAST_PIECE ? KD_BLE_LEAST_PIECE
                  : most > KD_BLE_MOST_PIECE ? KD_BLE_MOST_PIECE
                                             : most;
}

void kd_ble_open(uint16_t mtu)
{
    kd_ble_close();
    kd_ble_set_mtu(mtu);
    connection = connection + 1u;
}

void kd_ble_close(void)
{
    connection = (connection + 1u) & ~(uint32_t)1u;
}

void kd_ble_take(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        kd_board_keep(bytes[i]);
    }
}

/// To the host ///

/* Whether somebody listens; what waited for an earlier connection is dropped. */
static bool is_open(void)
{
    const uint32_t now = connection;
    if (now != queue_of) {
        queue_of = now;
        taken = written;
    }
    return (now & 1u) != 0u;
}

/* Gives the next piece of at most `size` bytes to the stack. Returns false where it stays. */
static bool send_piece(uint32_t size)
{
    uint8_t piece[KD_BLE_MOST_PIECE];
    const uint32_t waiting = written - taken;
    const uint32_t n = waiting < size ? waiting : size;
    for (uint32_t i = 0; i < n; i++) {
        piece[i] = queue[(taken + i) & MASK];
    }
    /* The glue may close the connection, and open another one, in the middle of this. */
    const kd_ble_sent sent = kd_ble_notify(piece, n);
    if (!is_open() || sent == KD_BLE_LOST) {
        taken = written;
        return false;
    }
    if (sent == KD_BLE_SENT) {
        taken += n;
    }
    return sent == KD_BLE_SENT;
}

/* Sends what waits, as long as the stack takes it: whole pieces, and where `all` the rest as well. */
static void send_waiting(bool all)
{
    while (is_open()) {
        const uint32_t size = piece_bytes;
        const uint32_t waiting = written - taken;
        if (waiting == 0u || (waiting < size && !all) || !send_piece(size)) {
            return;
        }
    }
}

void kd_board_send(const uint8_t *bytes, size_t size)
{
    while (size > 0u) {
        if (!is_open()) {
            return;
        }
        if (written - taken == KD_BLE_SEND_BYTES) {
            send_waiting(false);
            if (written - taken == KD_BLE_SEND_BYTES) {
                kd_ble_idle(true);
            }
            continue;
        }
        queue[written & MASK] = *bytes++;
        written++;
        size--;
    }
    /* A frame ends here: its rest goes at once where there is room, and else with the next one. */
    send_waiting(true);
}

void kd_ble_poll(void)
{
    send_waiting(true);
}

/// The rest of the port ///

bool kd_board_set_speed(uint32_t bits_per_second)
{
    (void)bits_per_second;
    return false; /* HELLO says so: max_baud is 0 */
}

void kd_board_wait(void)
{
    kd_ble_poll();
    if (kd_board_is_empty()) {
        kd_ble_idle(written != taken);
    }
}

#include "kd_board_ring.h"

#include "kd_board.h"

/* Bytes that wait for the firmware; a power of two. */
#ifndef KD_BOARD_RECEIVE_BYTES
#define KD_BOARD_RECEIVE_BYTES 1024u
#endif
#define MASK (KD_BOARD_RECEIVE_BYTES - 1u)

/* Whoever keeps bytes writes `written` and `overruns`, the firmware `taken`; both counts run on. */
static volatile uint8_t ring[KD_BOARD_RECEIVE_BYTES];
static volatile uint32_t written;
static volatile uint32_t taken;
static volatile uint32_t overruns;

void kd_board_keep(uint8_t byte) {
    if (written - taken < KD_BOARD_RECEIVE_BYTES) {
        ring[written & MASK] = byte;
        written = written + 1u;
    } else {
        kd_board_lose();
    }
}

void kd_board_lose(void) {
    overruns = overruns + 1u;
}

size_t kd_board_receive(uint8_t *bytes, size_t size) {
    size_t count = 0;
    while (count < size && taken != written) {
        bytes[count] = ring[taken & MASK];
        count++;
        taken = taken + 1u;
    }
    return count;
}

uint32_t kd_board_overruns(void) {
    return overruns;
}

bool kd_board_is_empty(void) {
    return taken == written;
}

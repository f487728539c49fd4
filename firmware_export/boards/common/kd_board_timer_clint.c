/* Ticks from a RISC-V core-local interruptor's mtime (RISC-V ACLINT 1.0): 64 bits, always on. */
#include "kd_board.h"
#include "kd_board_config.h"
#include "kd_board_parts.h"

#define MTIME ((const volatile uint32_t *)(KD_BOARD_TIMER_BASE + 0xBFF8u))

void kd_board_start_timer(void) {
}

uint64_t kd_board_ticks(void) {
    uint32_t high = MTIME[1];
    for (;;) {
        const uint32_t low = MTIME[0];
        const uint32_t again = MTIME[1];
        if (again == high) {
            return ((uint64_t)high << 32) | low;
        }
        high = again;
    }
}

uint32_t kd_board_tick_hz(void) {
    return KD_BOARD_TICK_HZ;
}

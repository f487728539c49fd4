/* Ticks from the system counter of an SSE-300 (Arm 101773, system timestamp counter): 64 bits. */
#include "kd_board.h"
#include "kd_board_config.h"
#include "kd_board_parts.h"

typedef struct {
    volatile uint32_t control; /* 0: on */
    volatile uint32_t status;
    volatile uint32_t low;
    volatile uint32_t high;
} counter_registers;

#define COUNTER ((counter_registers *)KD_BOARD_TIMER_BASE)

void kd_board_start_timer(void) {
    COUNTER->control = 1u;
}

uint64_t kd_board_ticks(void) {
    uint32_t high = COUNTER->high;
    for (;;) {
        const uint32_t low = COUNTER->low;
        const uint32_t again = COUNTER->high;
        if (again == high) {
            return ((uint64_t)high << 32) | low;
        }
        high = again;
    }
}

uint32_t kd_board_tick_hz(void) {
    return KD_BOARD_TICK_HZ;
}

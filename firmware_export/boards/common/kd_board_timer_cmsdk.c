/* Ticks from a CMSDK APB timer (Arm DDI 0479): 32 bits, counts down, made 64 by its interrupt. */
#include "kd_board.h"
#include "kd_board_config.h"
#include "kd_board_parts.h"

typedef struct {
    volatile uint32_t control;   /* 0: on, 3: interrupt */
    volatile uint32_t value;     /* now */
    volatile uint32_t reload;    /* what follows 0 */
    volatile uint32_t interrupt; /* 0: pending; writing 1 clears */
} timer_registers;

#define TIMER ((timer_registers *)KD_BOARD_TIMER_BASE)

static volatile uint32_t wraps;

void kd_board_timer_interrupt(void) {
    TIMER->interrupt = 1u;
    wraps = wraps + 1u;
}

void kd_board_start_timer(void) {
    TIMER->control = 0u;
    TIMER->reload = UINT32_MAX;
    TIMER->value = UINT32_MAX;
    TIMER->interrupt = 1u;
    kd_board_enable_irq(KD_BOARD_TIMER_IRQ);
    TIMER->control = 1u | (1u << 3);
}

uint64_t kd_board_ticks(void) {
    const uint32_t before = kd_board_mask_irqs();
    const uint32_t low = UINT32_MAX - TIMER->value;
    uint32_t high = wraps;
    if ((TIMER->interrupt & 1u) != 0u && low < UINT32_MAX / 2u) {
        high++; /* wrapped, and the interrupt has not been served yet */
    }
    kd_board_unmask_irqs(before);
    return ((uint64_t)high << 32) | low;
}

uint32_t kd_board_tick_hz(void) {
    return KD_BOARD_TICK_HZ;
}

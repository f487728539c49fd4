/* Ticks from TIMER0 of an nRF51 (Nordic nRF51 Series Reference Manual 3.0, chapter 18): 32 bits at 16
 * MHz, made 64 by its interrupt. */
#include "kd_board.h"
#include "kd_board_config.h"
#include "kd_board_parts.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define TIMER(offset) REGISTER(KD_BOARD_TIMER_BASE + (offset))
#define START TIMER(0x000u)
#define CLEAR TIMER(0x00Cu)
#define CAPTURE_0 TIMER(0x040u)
#define PASSED_1 TIMER(0x144u)
#define INTERRUPTS TIMER(0x304u)
#define BITS TIMER(0x508u)
#define PRESCALER TIMER(0x510u)
#define COMPARE_0 TIMER(0x540u)
#define COMPARE_1 TIMER(0x544u)

#define BITS_32 3u
#define INTERRUPT_PASSED_1 (1u << 17)

/* The crystal, which the serial port's speed needs; without it a worse oscillator runs. */
#define START_CRYSTAL REGISTER(0x40000000u)
#define CRYSTAL_RUNS REGISTER(0x40000100u)
#define MOST_READS 100000u

/* Half rounds: the interrupt comes where the count passes its middle, and its end. */
static volatile uint32_t halves;

void kd_board_timer_interrupt(void) {
    PASSED_1 = 0u;
    halves = halves + 1u;
    COMPARE_1 ^= UINT32_C(1) << 31;
}

void kd_board_start_timer(void) {
    CRYSTAL_RUNS = 0u;
    START_CRYSTAL = 1u;
    for (uint32_t i = 0; CRYSTAL_RUNS == 0u && i < MOST_READS; i++) {
    }
    BITS = BITS_32;
    PRESCALER = 0u;
    COMPARE_1 = UINT32_C(1) << 31;
    INTERRUPTS = INTERRUPT_PASSED_1;
    kd_board_enable_irq(KD_BOARD_TIMER_IRQ);
    CLEAR = 1u;
    START = 1u;
}

uint64_t kd_board_ticks(void) {
    const uint32_t before = kd_board_mask_irqs();
    CAPTURE_0 = 1u;
    const uint32_t low = COMPARE_0;
    uint32_t count = halves;
    kd_board_unmask_irqs(before);
    if ((count & 1u) != low >> 31) {
        count++; /* passed, and the interrupt has not been served yet */
    }
    return ((uint64_t)(count >> 1) << 32) | low;
}

uint32_t kd_board_tick_hz(void) {
    return KD_BOARD_TICK_HZ;
}

/* The clock of an STM32F405 (ST RM0090), 168 MHz, and ticks of it: the core's SysTick (Arm DDI
 * 0403), 24 bits, counts down, made longer by its exception. */
#include "kd_board.h"
#include "kd_board_config.h"
#include "kd_board_parts.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define RCC_CR REGISTER(0x40023800u)
#define RCC_PLLCFGR REGISTER(0x40023804u)
#define RCC_CFGR REGISTER(0x40023808u)
#define FLASH_ACR REGISTER(0x40023C00u)

#define PLL_ON (1u << 24)
#define PLL_READY (1u << 25)
/* 16 MHz of the chip's own oscillator / 8 * 168 / 2. A board need not have a crystal for it. */
#define PLL_168_MHZ (8u | (168u << 6) | (0u << 16) | (7u << 24))
#define FLASH_5_WAITS_AND_CACHES (5u | (1u << 8) | (1u << 9) | (1u << 10))
#define BUSES_42_AND_84_MHZ ((5u << 10) | (4u << 13))
#define FROM_PLL 2u
#define PLL_RUNS (2u << 2)
#define MOST_READS 100000u /* 12 ms at 16 MHz; the PLL needs 0.3 ms */

typedef struct {
    volatile uint32_t control; /* 0: on, 1: exception, 2: the core's clock */
    volatile uint32_t reload;
    volatile uint32_t value;
} systick_registers;

#define SYSTICK ((systick_registers *)0xE000E010u)
#define ICSR REGISTER(0xE000ED04u)
#define SYSTICK_PENDING (1u << 26)
#define BITS 24u
#define MOST ((UINT32_C(1) << BITS) - 1u)

static volatile uint32_t wraps;

/* QEMU has no clock tree: its core runs at 168 MHz, and the PLL is never ready. */
static void start_clock(void) {
    RCC_PLLCFGR = PLL_168_MHZ;
    RCC_CR |= PLL_ON;
    for (uint32_t i = 0; (RCC_CR & PLL_READY) == 0u; i++) {
        if (i == MOST_READS) {
            return;
        }
    }
    FLASH_ACR = FLASH_5_WAITS_AND_CACHES;
    RCC_CFGR = BUSES_42_AND_84_MHZ | FROM_PLL;
    while ((RCC_CFGR & (3u << 2)) != PLL_RUNS) {
    }
}

void kd_board_timer_interrupt(void) {
    wraps = wraps + 1u;
}

void kd_board_start_timer(void) {
    start_clock();
    SYSTICK->reload = MOST;
    SYSTICK->value = 0u;
    SYSTICK->control = 7u;
    while (SYSTICK->value == 0u) {
    }
}

uint64_t kd_board_ticks(void) {
    const uint32_t before = kd_board_mask_irqs();
    const uint32_t low = (0u - SYSTICK->value) & MOST; /* a period begins at 0, then MOST, MOST - 1 */
    uint32_t high = wraps;
    /* Wrapped, and the exception has not been served yet. A busy emulator may show 0 before it
     * raises the exception. */
    if (low == 0u || ((ICSR & SYSTICK_PENDING) != 0u && low < MOST / 2u)) {
        high++;
    }
    kd_board_unmask_irqs(before);
    return ((uint64_t)high << BITS) | low;
}

uint32_t kd_board_tick_hz(void) {
    return KD_BOARD_TICK_HZ;
}

/* What Cortex-M boards have of their own: vector table, floating point, interrupts, faults. */
#include "kd_board.h"
#include "kd_board_config.h"
#include "kd_board_parts.h"

/* From the linker script. */
extern uint32_t kd_stack_limit[], kd_stack_top[];

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SCB_CCR REGISTER(0xE000ED14u)
#define SCB_CPACR REGISTER(0xE000ED88u)
#define NVIC_ISER(n) REGISTER(0xE000E100u + 4u * (n))

#define CPACR_CP10_CP11 (0xFu << 20)
#define CCR_LOB (1u << 19)

void kd_board_enable_irq(uint32_t irq) {
    NVIC_ISER(irq / 32u) = UINT32_C(1) << (irq % 32u);
}

/// Start ///

/* Never returns. */
void kd_reset(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    SCB_CPACR |= CPACR_CP10_CP11; /* FPU and Helium */
#endif
#if defined(__ARM_FEATURE_MVE)
    SCB_CCR |= CCR_LOB; /* low-overhead loops */
#endif
    __asm volatile("dsb\n\tisb" ::: "memory");
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
    __asm volatile("msr msplim, %0" ::"r"(kd_stack_limit));
#endif
    kd_board_run();
}

/// Faults ///

/* A call of kd_board_semihosting.c. A core without a debugger takes it for a fault. */
#define SEMIHOSTING_CALL 0xBEABu /* bkpt 0xab */

/* frame: what the core has pushed: r0-r3, r12, lr, pc, xpsr. Returns where no debugger took a call:
 * its result is then UINT32_MAX. */
static void report_fault(uint32_t *frame) __attribute__((used));
static void report_fault(uint32_t *frame) {
    /* Only code of the image has instructions to look at: a wild jump has none. */
    if (frame[6] - KD_BOARD_FLASH_START < KD_BOARD_FLASH_BYTES &&
        *(const uint16_t *)(frame[6] & ~UINT32_C(1)) == SEMIHOSTING_CALL) {
        frame[0] = UINT32_MAX;
        frame[6] += 2u;
        return;
    }
    kd_board_report_fault(frame[6], REGISTER(0xE000ED28u));
}

void kd_board_restart(void) {
    REGISTER(0xE000ED0Cu) = 0x05FA0004u; /* AIRCR: key, and a reset of the system */
    for (;;) {
    }
}

/* Faults. The frame lies on the main stack, the only one in use; the stack limit is lifted, for
 * crossing it may be the fault. */
__attribute__((naked)) static void kd_fault(void) {
    __asm volatile("mrs r0, msp\n\t"
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
                   "movs r1, #0\n\t"
                   "msr msplim, r1\n\t"
#endif
                   "b report_fault");
}

/// Vector table ///

typedef union {
    void *stack;
    void (*handler)(void);
} vector;

#if defined(KD_BOARD_TIMER_IRQ) && KD_BOARD_TIMER_IRQ > KD_BOARD_UART_IRQ
#define LAST_IRQ KD_BOARD_TIMER_IRQ
#else
#define LAST_IRQ KD_BOARD_UART_IRQ
#endif

__attribute__((section(".vectors"), used)) static const vector vectors[16 + LAST_IRQ + 1] = {
    [0] = {.stack = kd_stack_top},
    [1] = {.handler = kd_reset},
    [2] = {.handler = kd_fault}, /* non-maskable */
    [3] = {.handler = kd_fault}, /* hard fault; the next four end here too unless enabled */
    [4] = {.handler = kd_fault},
    [5] = {.handler = kd_fault},
    [6] = {.handler = kd_fault},
    [7] = {.handler = kd_fault},
    [16 + KD_BOARD_UART_IRQ] = {.handler = kd_board_uart_interrupt},
#ifdef KD_BOARD_TIMER_IRQ
    [16 + KD_BOARD_TIMER_IRQ] = {.handler = kd_board_timer_interrupt},
#endif
};

/* Start-up of every Cortex-M board: vector table, memory, floating point, faults, stack use. */
#include "kd_board.h"
#include "kd_board_config.h"
#include "kd_board_parts.h"

/* From the linker script. */
extern uint32_t kd_data_load[], kd_data_start[], kd_data_end[];
extern uint32_t kd_bss_start[], kd_bss_end[];
extern uint32_t kd_stack_limit[], kd_stack_top[];

extern int main(void);

/* What untouched stack holds. */
#define WATERMARK UINT32_C(0xA5C35A3C)

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SCB_CCR REGISTER(0xE000ED14u)
#define SCB_CPACR REGISTER(0xE000ED88u)
#define NVIC_ISER(n) REGISTER(0xE000E100u + 4u * (n))

#define CPACR_CP10_CP11 (0xFu << 20)
#define CCR_LOB (1u << 19)

void kd_board_enable_irq(uint32_t irq) {
    NVIC_ISER(irq / 32u) = UINT32_C(1) << (irq % 32u);
}

/// Memory ///

static void paint_stack(void) {
    /* Everything below this function's own frame; volatile, or it would become a call. */
    volatile uint32_t *here = (volatile uint32_t *)__builtin_frame_address(0) - 16;
    for (volatile uint32_t *word = kd_stack_limit; word < here; word++) {
        *word = WATERMARK;
    }
}

uint32_t kd_board_stack_size(void) {
    return (uint32_t)((uintptr_t)kd_stack_top - (uintptr_t)kd_stack_limit);
}

uint32_t kd_board_stack_used(void) {
    const volatile uint32_t *word = kd_stack_limit;
    while (word < kd_stack_top && *word == WATERMARK) {
        word++;
    }
    return (uint32_t)((uintptr_t)kd_stack_top - (uintptr_t)word);
}

uint32_t kd_board_static_bytes(void) {
    return (uint32_t)((uintptr_t)kd_bss_end - (uintptr_t)kd_data_start);
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
    const uint32_t *from = kd_data_load;
    for (uint32_t *to = kd_data_start; to < kd_data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *to = kd_bss_start; to < kd_bss_end; to++) {
        *to = 0;
    }
    paint_stack();
    kd_board_start_timer();
    kd_board_start_uart();
    __asm volatile("cpsie i" ::: "memory");
    kd_board_exit(main());
    for (;;) {
    }
}

/// Faults ///

static char hex_digit(uint32_t value) {
    return (char)(value < 10u ? '0' + (int)value : 'a' + (int)value - 10);
}

/* frame: what the core has pushed: r0-r3, r12, lr, pc, xpsr. Never returns. */
static void report_fault(const uint32_t *frame) __attribute__((used, noreturn));
static void report_fault(const uint32_t *frame) {
    char line[] = "\nfault at pc 0x........, cfsr 0x........\n";
    const uint32_t values[2] = {frame[6], REGISTER(0xE000ED28u)};
    static const uint8_t places[2] = {15, 32};
    for (int value = 0; value < 2; value++) {
        for (int digit = 0; digit < 8; digit++) {
            line[places[value] + digit] = hex_digit((values[value] >> (28 - 4 * digit)) & 15u);
        }
    }
    kd_board_write(line, sizeof line - 1);
    kd_board_exit(KD_BOARD_EXIT_FAULT);
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

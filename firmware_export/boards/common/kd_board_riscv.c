/* What RISC-V boards have of their own: entry, traps, and the platform's interrupt controller. */
#include "kd_board.h"
#include "kd_board_config.h"
#include "kd_board_parts.h"

/* The PLIC (RISC-V Platform-Level Interrupt Controller Specification 1.0.0), context 0. */
#define PLIC(offset) (*(volatile uint32_t *)(KD_BOARD_PLIC_BASE + (offset)))
#define PLIC_PRIORITY(irq) PLIC(4u * (irq))
#define PLIC_ENABLE(irq) PLIC(0x2000u + 4u * ((irq) / 32u))
#define PLIC_THRESHOLD PLIC(0x200000u)
#define PLIC_CLAIM PLIC(0x200004u)

#define EXTERNAL_INTERRUPT 0x8000000Bu /* mcause */
#define MIE_EXTERNAL (1u << 11)

/* The core's own name leaves its control registers out; gcc 12 wants them named. */
#define CSR(instruction) ".option push\n\t.option arch, +zicsr\n\t" instruction "\n\t.option pop"

/* The first instruction of the image: where the core begins. */
__attribute__((naked, section(".vectors"), used)) void kd_reset(void) {
    __asm volatile("la sp, kd_stack_top\n\tj kd_start");
}

/* From kd_board_trap(), with registers saved. */
static void handle(void) __attribute__((used));

__attribute__((interrupt("machine"), aligned(4))) static void kd_board_trap(void) {
    handle();
}

/* Never returns. */
__attribute__((used)) static void kd_start(void) {
    __asm volatile(CSR("csrw mtvec, %0") ::"r"(kd_board_trap));
    PLIC_THRESHOLD = 0u;
    __asm volatile(CSR("csrs mie, %0") ::"r"(MIE_EXTERNAL));
    kd_board_run();
}

void kd_board_enable_irq(uint32_t irq) {
    PLIC_ENABLE(irq) |= UINT32_C(1) << (irq % 32u);
    /* Last: QEMU's controller looks only here for an interrupt that waits already. */
    PLIC_PRIORITY(irq) = 1u;
}

void kd_board_restart(void) {
    kd_board_mask_irqs();
    for (;;) { /* no board of ours can */
    }
}

static void handle(void) {
    uint32_t cause;
    uint32_t pc;
    __asm volatile(CSR("csrr %0, mcause") : "=r"(cause));
    __asm volatile(CSR("csrr %0, mepc") : "=r"(pc));
    if (cause != EXTERNAL_INTERRUPT) {
        kd_board_report_fault(pc, cause);
    }
    const uint32_t irq = PLIC_CLAIM;
    if (irq == KD_BOARD_UART_IRQ) {
        kd_board_uart_interrupt();
    }
    PLIC_CLAIM = irq;
}

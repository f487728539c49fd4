/* What the parts of a bare board's layer give each other; firmware includes kd_board.h only. */
#ifndef KD_BOARD_PARTS_H
#define KD_BOARD_PARTS_H

#include <stdint.h>

#include "kd_board_ring.h"

/// Drivers ///

void kd_board_start_timer(void);
void kd_board_start_uart(void);

/* Interrupt handlers. */
void kd_board_uart_interrupt(void);
void kd_board_timer_interrupt(void);

/// Start ///

/* Make memory as C wants it, start the drivers, and end with what main() returns. */
void kd_board_run(void) __attribute__((noreturn));

/* Write where a fault was and what the core says of it, and end. */
void kd_board_report_fault(uint32_t pc, uint32_t cause) __attribute__((noreturn));

/* Look whether somebody reads the console; before anything is written. */
void kd_board_start_console(void);

/// The core ///

/* Begin anew, as after power-on. */
void kd_board_restart(void) __attribute__((noreturn));

void kd_board_enable_irq(uint32_t irq);

/* For kd_board_unmask_irqs(): they are not held off. */
#if defined(__riscv)
#define KD_BOARD_IRQS_ON 8u /* mstatus.MIE */
#else
#define KD_BOARD_IRQS_ON 0u /* PRIMASK */
#endif

/* Hold interrupts off. Returns what kd_board_unmask_irqs() needs to know of before. */
static inline uint32_t kd_board_mask_irqs(void) {
    uint32_t before;
#if defined(__riscv)
    __asm volatile(".option push\n\t.option arch, +zicsr\n\tcsrrci %0, mstatus, 8\n\t.option pop"
                   : "=r"(before)::"memory");
#else
    __asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(before)::"memory");
#endif
    return before;
}

static inline void kd_board_unmask_irqs(uint32_t before) {
#if defined(__riscv)
    __asm volatile(".option push\n\t.option arch, +zicsr\n\tcsrs mstatus, %0\n\t.option pop" ::"r"(
                       before & KD_BOARD_IRQS_ON)
                   : "memory");
#else
    __asm volatile("msr primask, %0" ::"r"(before) : "memory");
#endif
}

/* Sleep until an interrupt asks, held off or not. */
static inline void kd_board_sleep(void) {
#if defined(__riscv)
    __asm volatile("fence\n\twfi" ::: "memory");
#else
    __asm volatile("dsb\n\twfi" ::: "memory");
#endif
}

#endif

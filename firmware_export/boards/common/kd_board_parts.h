/* What the parts of a Cortex-M board layer give each other; firmware includes kd_board.h only. */
#ifndef KD_BOARD_PARTS_H
#define KD_BOARD_PARTS_H

#include <stdint.h>

void kd_board_start_timer(void);
void kd_board_start_uart(void);
void kd_board_enable_irq(uint32_t irq);

/* Interrupt handlers. */
void kd_board_uart_interrupt(void);
void kd_board_timer_interrupt(void);

#endif

/* Serial port on a CMSDK APB UART (Arm DDI 0479): an interrupt takes bytes, sending waits. */
#include "kd_board.h"
#include "kd_board_config.h"
#include "kd_board_parts.h"

#define SPEED 115200u
#define SMALLEST_DIVIDER 16u

typedef struct {
    volatile uint32_t data;
    volatile uint32_t state;     /* 0: transmitter full, 1: byte received, 3: overrun (1 clears) */
    volatile uint32_t control;   /* 0: transmit, 1: receive, 3: receive interrupt */
    volatile uint32_t interrupt; /* 1: receive; writing 1 clears */
    volatile uint32_t divider;   /* of the system clock */
} uart_registers;

#define UART ((uart_registers *)KD_BOARD_UART_BASE)

#define STATE_TX_FULL (1u << 0)
#define STATE_RX_FULL (1u << 1)
#define STATE_RX_OVERRUN (1u << 3)
#define INTERRUPT_RX (1u << 1)

bool kd_board_set_speed(uint32_t bits_per_second) {
    if (bits_per_second == 0u || KD_BOARD_CLOCK_HZ / bits_per_second < SMALLEST_DIVIDER) {
        return false;
    }
    while ((UART->state & STATE_TX_FULL) != 0u) {
    }
    UART->divider = KD_BOARD_CLOCK_HZ / bits_per_second;
    return true;
}

void kd_board_start_uart(void) {
    (void)kd_board_set_speed(SPEED);
    UART->interrupt = INTERRUPT_RX;
    UART->control = 1u | (1u << 1) | (1u << 3);
    /* QEMU looks for bytes that came before this moment only when the register is read; without
     * that they would wait for ever. Where one comes just now, it is what has been read. */
    if ((UART->state & STATE_RX_FULL) == 0u) {
        const uint8_t byte = (uint8_t)UART->data;
        if ((UART->interrupt & INTERRUPT_RX) != 0u && (UART->state & STATE_RX_FULL) == 0u) {
            kd_board_keep(byte);
        }
    }
    kd_board_enable_irq(KD_BOARD_UART_IRQ);
}

void kd_board_uart_interrupt(void) {
    UART->interrupt = INTERRUPT_RX;
    while ((UART->state & STATE_RX_FULL) != 0u) {
        kd_board_keep((uint8_t)UART->data);
    }
    if ((UART->state & STATE_RX_OVERRUN) != 0u) {
        UART->state = STATE_RX_OVERRUN;
        kd_board_lose(); /* at least one, in the register itself */
    }
}

void kd_board_send(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        while ((UART->state & STATE_TX_FULL) != 0u) {
        }
        UART->data = bytes[i];
    }
}

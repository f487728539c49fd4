/* Serial port on an NS16550A (National Semiconductor PC16550D): an interrupt takes bytes, sending
 * waits. */
#include "kd_board.h"
#include "kd_board_config.h"
#include "kd_board_parts.h"

#define SPEED 115200u

/* A register is a byte. Of the first two, others stand behind DIVISOR_LATCH. */
typedef struct {
    volatile uint8_t data;      /* behind the latch: divisor, low byte */
    volatile uint8_t interrupt; /* 0: byte received; behind the latch: divisor, high byte */
    volatile uint8_t fifo;
    volatile uint8_t line;      /* 1:0: eight bits, 7: divisor latch */
    volatile uint8_t modem;
    volatile uint8_t state; /* 0: byte received, 1: overrun, 5: room to send, 6: all is sent */
} uart_registers;

#define UART ((uart_registers *)KD_BOARD_UART_BASE)

#define EIGHT_BITS 3u
#define DIVISOR_LATCH 0x80u
#define STATE_RECEIVED (1u << 0)
#define STATE_OVERRUN (1u << 1)
#define STATE_ROOM (1u << 5)
#define STATE_SENT (1u << 6)

bool kd_board_set_speed(uint32_t bits_per_second) {
    const uint32_t divisor =
        bits_per_second == 0u ? 0u : KD_BOARD_UART_HZ / (16u * bits_per_second);
    if (divisor == 0u || divisor > UINT16_MAX) {
        return false;
    }
    while ((UART->state & STATE_SENT) == 0u) {
    }
    /* No interrupt may read `data` while the latch is open. */
    const uint32_t before = kd_board_mask_irqs();
    UART->line = EIGHT_BITS | DIVISOR_LATCH;
    UART->data = (uint8_t)(divisor & 0xFFu);
    UART->interrupt = (uint8_t)(divisor >> 8);
    UART->line = EIGHT_BITS;
    kd_board_unmask_irqs(before);
    return true;
}

void kd_board_start_uart(void) {
    /* The buffer stays off: switching it on would clear a byte that has come before. */
    (void)kd_board_set_speed(SPEED);
    UART->interrupt = 1u;
    kd_board_enable_irq(KD_BOARD_UART_IRQ);
}

void kd_board_uart_interrupt(void) {
    for (uint8_t state = UART->state; (state & STATE_RECEIVED) != 0u; state = UART->state) {
        if ((state & STATE_OVERRUN) != 0u) {
            kd_board_lose(); /* at least one, in the registers themselves */
        }
        kd_board_keep(UART->data);
    }
}

void kd_board_send(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        while ((UART->state & STATE_ROOM) == 0u) {
        }
        UART->data = bytes[i];
    }
}

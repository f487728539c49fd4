/* Serial port on the UART of an nRF51 (Nordic nRF51 Series Reference Manual 3.0, chapter 29): an
 * interrupt takes bytes, sending waits. */
#include "kd_board.h"
#include "kd_board_config.h"
#include "kd_board_parts.h"

#define SPEED 115200u

#define REGISTER(offset) (*(volatile uint32_t *)(KD_BOARD_UART_BASE + (offset)))
#define START_RX REGISTER(0x000u)
#define START_TX REGISTER(0x008u)
#define RECEIVED REGISTER(0x108u)
#define SENT REGISTER(0x11Cu)
#define INTERRUPTS REGISTER(0x304u)
#define ERRORS REGISTER(0x480u) /* 0: overrun; writing 1 clears */
#define ENABLE REGISTER(0x500u)
#define PIN_TX REGISTER(0x50Cu)
#define PIN_RX REGISTER(0x514u)
#define DATA_RX REGISTER(0x518u)
#define DATA_TX REGISTER(0x51Cu)
#define RATE REGISTER(0x524u)

#define RATE_115200 0x01D7E000u
#define ENABLED 4u
#define INTERRUPT_RECEIVED (1u << 2)
#define OVERRUN 1u

/* Port 0: where a pin is an output, and what it gives. */
#define GPIO_SET (*(volatile uint32_t *)0x50000508u)
#define GPIO_OUTPUT (*(volatile uint32_t *)0x50000518u)

bool kd_board_set_speed(uint32_t bits_per_second) {
    return bits_per_second == SPEED; /* what the board's USB chip is known to carry */
}

void kd_board_start_uart(void) {
    GPIO_SET = 1u << KD_BOARD_UART_TX; /* a line at rest is high */
    GPIO_OUTPUT = 1u << KD_BOARD_UART_TX;
    PIN_TX = KD_BOARD_UART_TX;
    PIN_RX = KD_BOARD_UART_RX;
    RATE = RATE_115200;
    ENABLE = ENABLED;
    RECEIVED = 0u;
    INTERRUPTS = INTERRUPT_RECEIVED;
    kd_board_enable_irq(KD_BOARD_UART_IRQ);
    START_TX = 1u;
    START_RX = 1u;
    /* After a reset QEMU asks whether bytes may come only when something else happens to it: the
     * timer's capture does. */
    (void)kd_board_ticks();
}

void kd_board_uart_interrupt(void) {
    while (RECEIVED != 0u) {
        RECEIVED = 0u;
        kd_board_keep((uint8_t)DATA_RX);
    }
    if ((ERRORS & OVERRUN) != 0u) {
        ERRORS = OVERRUN;
        kd_board_lose(); /* at least one, in the registers themselves */
    }
}

void kd_board_send(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        SENT = 0u;
        DATA_TX = bytes[i];
        while (SENT == 0u) {
        }
    }
}

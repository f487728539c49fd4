/* Serial port on a USART of an STM32F405 (ST RM0090): an interrupt takes bytes, sending waits. */
#include "kd_board.h"
#include "kd_board_config.h"
#include "kd_board_parts.h"

#define SPEED 115200u
#define SMALLEST_DIVIDER 16u

typedef struct {
    volatile uint32_t state; /* 3: overrun, 5: byte received, 6: all is sent, 7: room to send */
    volatile uint32_t data;
    volatile uint32_t divider;
    volatile uint32_t control; /* 2: receive, 3: transmit, 5: receive interrupt, 13: on */
} uart_registers;

#define UART ((uart_registers *)KD_BOARD_UART_BASE)

#define STATE_OVERRUN (1u << 3)
#define STATE_RECEIVED (1u << 5)
#define STATE_SENT (1u << 6)
#define STATE_ROOM (1u << 7)

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define RCC_AHB1ENR REGISTER(0x40023830u)
#define RCC_APB1ENR REGISTER(0x40023840u)
#define RCC_APB2ENR REGISTER(0x40023844u)
/* Pins count from A0, sixteen a port. */
#define GPIO(pin, offset) REGISTER(0x40020000u + 0x400u * ((pin) / 16u) + (offset))

/* USART1 and 6 stand on the second bus, the others on the first; 1 to 3 are function 7. */
#if KD_BOARD_UART_BASE >= 0x40010000u
#define RCC_ENABLE RCC_APB2ENR
#define RCC_BIT (4u + (KD_BOARD_UART_BASE - 0x40011000u) / 0x400u)
#else
#define RCC_ENABLE RCC_APB1ENR
#define RCC_BIT (17u + (KD_BOARD_UART_BASE - 0x40004400u) / 0x400u)
#endif
#if KD_BOARD_UART_BASE == 0x40011000u || KD_BOARD_UART_BASE <= 0x40004800u
#define FUNCTION 7u
#else
#define FUNCTION 8u
#endif

static void give_pin(uint32_t pin) {
    RCC_AHB1ENR |= 1u << (pin / 16u);
    const uint32_t place = pin % 16u;
    volatile uint32_t *function = &GPIO(pin, 0x20u + 4u * (place / 8u));
    *function = (*function & ~(15u << (4u * (place % 8u)))) | (FUNCTION << (4u * (place % 8u)));
    GPIO(pin, 0x0Cu) = (GPIO(pin, 0x0Cu) & ~(3u << (2u * place))) | (1u << (2u * place)); /* up */
    GPIO(pin, 0x00u) = (GPIO(pin, 0x00u) & ~(3u << (2u * place))) | (2u << (2u * place));
}

bool kd_board_set_speed(uint32_t bits_per_second) {
    if (bits_per_second == 0u || KD_BOARD_UART_HZ / bits_per_second < SMALLEST_DIVIDER) {
        return false;
    }
    while ((UART->state & STATE_SENT) == 0u) {
    }
    UART->divider = (KD_BOARD_UART_HZ + bits_per_second / 2u) / bits_per_second;
    return true;
}

void kd_board_start_uart(void) {
    RCC_ENABLE |= 1u << RCC_BIT;
    give_pin(KD_BOARD_UART_TX);
    give_pin(KD_BOARD_UART_RX);
    (void)kd_board_set_speed(SPEED);
    UART->control = (1u << 2) | (1u << 3) | (1u << 5) | (1u << 13);
    kd_board_enable_irq(KD_BOARD_UART_IRQ);
}

void kd_board_uart_interrupt(void) {
    for (uint32_t state = UART->state; (state & (STATE_RECEIVED | STATE_OVERRUN)) != 0u;
         state = UART->state) {
        if ((state & STATE_OVERRUN) != 0u) {
            kd_board_lose(); /* at least one, in the register itself; reading the data clears it */
        }
        const uint8_t byte = (uint8_t)UART->data;
        if ((state & STATE_RECEIVED) != 0u) {
            kd_board_keep(byte);
        }
    }
}

void kd_board_send(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        while ((UART->state & STATE_ROOM) == 0u) {
        }
        UART->data = bytes[i];
    }
}

/* Serial port on a CMSDK APB UART (Arm DDI 0479): interrupts fill a ring, sending waits. */
#include "kd_board.h"
#include "kd_board_config.h"
#include "kd_board_parts.h"

#define SPEED 115200u
#define SMALLEST_DIVIDER 16u

/* Bytes that wait for the firmware; a power of two. */
#ifndef KD_BOARD_RECEIVE_BYTES
#define KD_BOARD_RECEIVE_BYTES 1024u
#endif
#define MASK (KD_BOARD_RECEIVE_BYTES - 1u)

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

/* The interrupt writes `written` and `overruns`, the firmware `taken`; both counts run on. */
static volatile uint8_t ring[KD_BOARD_RECEIVE_BYTES];
static volatile uint32_t written;
static volatile uint32_t taken;
static volatile uint32_t overruns;

bool kd_board_set_speed(uint32_t bits_per_second) {
    if (bits_per_second == 0u || KD_BOARD_CLOCK_HZ / bits_per_second < SMALLEST_DIVIDER) {
        return false;
    }
    while ((UART->state & STATE_TX_FULL) != 0u) {
    }
    UART->divider = KD_BOARD_CLOCK_HZ / bits_per_second;
    return true;
}

static void keep(uint8_t byte) {
    if (written - taken < KD_BOARD_RECEIVE_BYTES) {
        ring[written & MASK] = byte;
        written = written + 1u;
    } else {
        overruns = overruns + 1u;
    }
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
            keep(byte);
        }
    }
    kd_board_enable_irq(KD_BOARD_UART_IRQ);
}

void kd_board_uart_interrupt(void) {
    UART->interrupt = INTERRUPT_RX;
    while ((UART->state & STATE_RX_FULL) != 0u) {
        keep((uint8_t)UART->data);
    }
    if ((UART->state & STATE_RX_OVERRUN) != 0u) {
        UART->state = STATE_RX_OVERRUN;
        overruns = overruns + 1u; /* at least one was lost in the register itself */
    }
}

size_t kd_board_receive(uint8_t *bytes, size_t size) {
    size_t count = 0;
    while (count < size && taken != written) {
        bytes[count] = ring[taken & MASK];
        count++;
        taken = taken + 1u;
    }
    return count;
}

void kd_board_send(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        while ((UART->state & STATE_TX_FULL) != 0u) {
        }
        UART->data = bytes[i];
    }
}

uint32_t kd_board_overruns(void) {
    return overruns;
}

void kd_board_wait(void) {
    /* With interrupts off a byte that comes now still ends the WFI: none is slept through. */
    __asm volatile("cpsid i" ::: "memory");
    if (taken == written) {
        __asm volatile("dsb\n\twfi" ::: "memory");
    }
    __asm volatile("cpsie i" ::: "memory");
}

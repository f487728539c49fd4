/* Start-up and faults of every bare board, whatever its core: memory, stack use, drivers, main(). */
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

/// Memory ///

/* Words are written as volatile, or compilers make calls of these loops: to half a kilobyte of a C
 * library that the image may hold for nothing else, and onto the stack that is painted. */
static void fill(volatile uint32_t *to, const volatile uint32_t *end, uint32_t value) {
    while (to < end) {
        *to++ = value;
    }
}

static void copy(volatile uint32_t *to, const volatile uint32_t *end, const uint32_t *from) {
    while (to < end) {
        *to++ = *from++;
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

void kd_board_run(void) {
    copy(kd_data_start, kd_data_end, kd_data_load);
    fill(kd_bss_start, kd_bss_end, 0);
    /* Everything below this function's own frame. */
    fill(kd_stack_limit, (volatile uint32_t *)__builtin_frame_address(0) - 16, WATERMARK);
    kd_board_start_console();
    kd_board_start_timer();
    kd_board_start_uart();
    kd_board_unmask_irqs(KD_BOARD_IRQS_ON);
    kd_board_exit(main());
    for (;;) {
    }
}

/// Faults ///

static char hex_digit(uint32_t value) {
    return (char)(value < 10u ? '0' + (int)value : 'a' + (int)value - 10);
}

void kd_board_report_fault(uint32_t pc, uint32_t cause) {
    char line[] = "\nfault at pc 0x........, cause 0x........\n";
    const uint32_t values[2] = {pc, cause};
    static const uint8_t places[2] = {15, 33};
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

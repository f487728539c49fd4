/* What a board gives to the firmware. One implementation a kind of board; the same calls on all.
 *
 * main() is entered with clock, serial port and floating point ready. Nothing here uses a heap. */
#ifndef KD_BOARD_H
#define KD_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Time ///

/* Ticks since the start, 64 bits, never backwards. kd_board_tick_hz() of them are a second.
 *
 * On an emulated board that counts instructions (run_image(..., count_instructions=True)), one
 * instruction is 64 ns of board time. The number of ticks in an instruction is therefore
 * 64e-9 * kd_board_tick_hz(): 1.6 at 25 MHz, 1.28 at 20 MHz, 2.048 at 32 MHz, 0.64 at 10 MHz. It
 * is no whole number, so measure spans of 10,000 instructions and more; Board.instructions(ticks)
 * in Python does the division. They are instructions, never cycles. May be called from
 * interrupts. */
uint64_t kd_board_ticks(void);

/* Ticks a second. */
uint32_t kd_board_tick_hz(void);

/// Serial port ///

/* Take up to `size` received bytes. Returns how many; 0 where none has come. Never waits. */
size_t kd_board_receive(uint8_t *bytes, size_t size);

/* Send all bytes; waits while the transmitter is full. */
void kd_board_send(const uint8_t *bytes, size_t size);

/* Change the speed of both directions, after what has been sent. Returns false, and changes
 * nothing, where the port cannot run at it. It starts at 115,200. */
bool kd_board_set_speed(uint32_t bits_per_second);

/* Bytes lost since the start because nobody took them in time. */
uint32_t kd_board_overruns(void);

/* Sleep until a byte is there to be received, or any interrupt. May return early. */
void kd_board_wait(void);

/// Memory ///

/* What a board cannot know. */
#define KD_BOARD_UNKNOWN UINT32_MAX

/* Most bytes of stack used since the start; kd_board_stack_size() where it has overflowed. */
uint32_t kd_board_stack_used(void);

/* Bytes of stack that the linker has set aside. */
uint32_t kd_board_stack_size(void);

/* Bytes of variables with a fixed place, without the stack. */
uint32_t kd_board_static_bytes(void);

/// Console and end ///

/* Write to the developer's console: standard output of the emulator or process. Not the serial
 * port. Boards without a console drop it. */
void kd_board_write(const char *text, size_t size);

/* End: the emulator or process ends with `status` (0 to 255); a real board starts anew. */
void kd_board_exit(int status);

/* Status of an emulated board that has run into a fault; the console says which and where. */
#define KD_BOARD_EXIT_FAULT 70

#ifdef __cplusplus
}
#endif

#endif

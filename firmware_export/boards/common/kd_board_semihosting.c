/* Console and end of a board by semihosting (Arm IHI 0101, RISC-V Semihosting 0.4): the emulator or a
 * debugger takes the calls. A Cortex-M on a desk without one goes on without a console, and begins
 * anew where it would end. */
#include "kd_board.h"
#include "kd_board_parts.h"

#define SYS_OPEN 0x01
#define SYS_WRITE 0x05
#define SYS_EXIT_EXTENDED 0x20
#define STOPPED_BY_EXIT 0x20026u
#define MODE_WRITE 4u /* of ":tt", which gives the standard output */

static uint32_t call(uint32_t operation, const void *block) {
#if defined(__riscv)
    register uint32_t a0 __asm("a0") = operation;
    register const void *a1 __asm("a1") = block;
    /* These three instructions, uncompressed, are the call. */
    __asm volatile(".option push\n\t.option norvc\n\t.balign 16\n\t"
                   "slli x0, x0, 0x1f\n\tebreak\n\tsrai x0, x0, 7\n\t.option pop"
                   : "+r"(a0)
                   : "r"(a1)
                   : "memory");
    return a0;
#else
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = block;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
#endif
}

#define NOBODY UINT32_MAX

static uint32_t console = NOBODY;

void kd_board_start_console(void) {
    static const char name[] = ":tt";
    const uint32_t block[3] = {(uint32_t)(uintptr_t)name, MODE_WRITE, sizeof name - 1u};
    console = call(SYS_OPEN, block);
}

void kd_board_write(const char *text, size_t size) {
    if (console == NOBODY) {
        return;
    }
    const uint32_t block[3] = {console, (uint32_t)(uintptr_t)text, (uint32_t)size};
    (void)call(SYS_WRITE, block);
}

void kd_board_exit(int status) {
    if (console != NOBODY) {
        const uint32_t block[2] = {STOPPED_BY_EXIT, (uint32_t)status};
        (void)call(SYS_EXIT_EXTENDED, block);
    }
    kd_board_restart();
}

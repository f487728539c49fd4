/* Sleep while nothing is to be received: for serial ports whose interrupt fills the ring. */
#include "kd_board.h"
#include "kd_board_parts.h"

void kd_board_wait(void) {
    /* With interrupts off a byte that comes now still ends the sleep: none is slept through. */
    const uint32_t before = kd_board_mask_irqs();
    if (kd_board_is_empty()) {
        kd_board_sleep();
    }
    kd_board_unmask_irqs(before);
}

#include "kd_firmware.h"

int main(void)
{
    kd_firmware_start();
    for (;;) {
        kd_firmware_poll();
    }
}

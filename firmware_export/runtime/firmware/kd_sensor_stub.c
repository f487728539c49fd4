/* Sensors of your own: fill these three in (kd_sensor.h says what each must do). As they stand a
 * stream is refused, and everything else of the firmware works. */
#include "kd_sensor.h"

int kd_sensor_start(void)
{
    return -1; /* 0 once the sensors run */
}

void kd_sensor_stop(void)
{
}

uint32_t kd_sensor_read(uint32_t stream, int16_t *samples, uint32_t max_samples, uint32_t *lost)
{
    (void)stream;
    (void)samples;
    (void)max_samples;
    (void)lost;
    return 0;
}

/* What firmware asks of its board, where there is none: no clock, for its caller times it; no link. */
#include "kd_board.h"
#include "kd_firmware_config.h"
#include "kd_link.h"
#include "kd_profile.h"
#if KD_HAS_SENSORS
#include "kd_sensor.h"
#endif

uint64_t kd_board_ticks(void)
{
    return 0;
}

uint64_t kd_profile_since(uint64_t start)
{
    (void)start;
    return 0;
}

uint32_t kd_profile_us(uint64_t ticks)
{
    (void)ticks;
    return 0;
}

uint64_t kd_profile_now_us(void)
{
    return 0;
}

#if KD_HAS_SENSORS

int kd_sensor_start(void)
{
    return 0;
}

void kd_sensor_stop(void)
{
}

/* kd_phone_push has put them into their ring. */
uint32_t kd_sensor_read(uint32_t stream, int16_t *samples, uint32_t max_samples, uint32_t *lost)
{
    (void)stream;
    (void)samples;
    (void)max_samples;
    (void)lost;
    return 0;
}

kd_status kd_link_send_samples(kd_link *link, uint8_t stream, uint32_t first, uint64_t microseconds,
                               const int16_t *values, size_t n_values)
{
    (void)link;
    (void)stream;
    (void)first;
    (void)microseconds;
    (void)values;
    (void)n_values;
    return KD_STATUS_OK;
}

#endif

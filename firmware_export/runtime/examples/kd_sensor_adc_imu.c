/* EXAMPLE, never run on a board: sensors for a firmware with two streams, an analog front end for
 * sEMG on an ADC and an IMU on I2C. Copy it over kd_sensor_stub.c and write the functions declared
 * under "your board" with its registers or its vendor's library.
 *
 * Stream 0: three sEMG channels. A timer starts the ADC at the stream's rate, and DMA writes its
 * results, channels side by side, round and round into `adc`: nobody has to be in time for a single
 * sample. Stream 1: accelerometer and gyroscope, six channels, from the IMU's own FIFO. Both must
 * hold at least what comes while the model runs. */
#include "kd_sensor.h"

#include <stdbool.h>
#include <stddef.h>

/// your board ///

enum { EMG = 0, EMG_CHANNELS = 3, ADC_SAMPLES = 512, IMU_CHANNELS = 6 };

/* Starts a timer at the sEMG's rate that triggers the ADC, and DMA from it to `ring`, `values` long,
 * beginning again at its end. Returns false where that fails. */
bool board_adc_start(volatile uint16_t *ring, uint32_t values);
void board_adc_stop(void);
/* Values that DMA has written since the start, counting on (an interrupt at the ring's end adds to
 * what the DMA channel's counter register says). */
uint32_t board_adc_written(void);

/* I2C, at 400 kHz or more; `bytes` from or to registers from `first` on. Return false where the
 * device does not answer. */
bool board_i2c_write(uint8_t device, uint8_t first, const uint8_t *bytes, size_t n);
bool board_i2c_read(uint8_t device, uint8_t first, uint8_t *bytes, size_t n);

/// sEMG on the ADC ///

/* 12 bits, unsigned, half the supply where the electrodes give 0: what KD_LSB_EMG belongs to is the
 * count after this, at the electrodes, e.g. 3.3 V / 4096 / gain. */
#define ADC_ZERO 2048

static volatile uint16_t adc[ADC_SAMPLES * EMG_CHANNELS];
static uint32_t adc_taken; /* samples */

static uint32_t read_emg(int16_t *samples, uint32_t max_samples, uint32_t *lost)
{
    uint32_t waiting = board_adc_written() / EMG_CHANNELS - adc_taken;
    /* DMA may be writing the oldest sample of a full ring. */
    if (waiting >= ADC_SAMPLES) {
        *lost = waiting - (ADC_SAMPLES - 1u);
        adc_taken += *lost;
        waiting -= *lost;
    }
    const uint32_t n = waiting < max_samples ? waiting : max_samples;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t at = adc_taken % ADC_SAMPLES * EMG_CHANNELS;
        for (uint32_t channel = 0; channel < EMG_CHANNELS; channel++) {
            *samples++ = (int16_t)((int32_t)adc[at + channel] - ADC_ZERO);
        }
        adc_taken++;
    }
    return n;
}

/// IMU on I2C ///

/* Registers of an imagined IMU; your data sheet has others. */
#define IMU_DEVICE 0x68u
#define IMU_CONTROL 0x10u     /* 0: stop; 1: run at its 148 Hz and fill the FIFO */
#define IMU_FIFO_COUNT 0x20u  /* two bytes, little-endian: samples in it */
#define IMU_FIFO_DATA 0x22u   /* twelve bytes a sample, little-endian: acc x, y, z, gyr x, y, z */
#define IMU_FIFO_FULL 0x24u   /* one byte: samples dropped since it was read, at most 255 */

static bool imu_control(uint8_t value)
{
    return board_i2c_write(IMU_DEVICE, IMU_CONTROL, &value, 1);
}

/* An IMU that does not answer gives no sample: the stream then stops by itself, and the host sees
 * that nothing comes. */
static uint32_t read_imu(int16_t *samples, uint32_t max_samples, uint32_t *lost)
{
    uint8_t count[2];
    uint8_t dropped;
    uint8_t bytes[2 * IMU_CHANNELS];
    if (!board_i2c_read(IMU_DEVICE, IMU_FIFO_FULL, &dropped, 1) ||
        !board_i2c_read(IMU_DEVICE, IMU_FIFO_COUNT, count, sizeof count)) {
        return 0;
    }
    *lost = dropped;
    const uint32_t waiting = (uint32_t)count[0] | (uint32_t)count[1] << 8;
    uint32_t n = 0;
    while (n < waiting && n < max_samples) {
        if (!board_i2c_read(IMU_DEVICE, IMU_FIFO_DATA, bytes, sizeof bytes)) {
            break;
        }
        for (uint32_t channel = 0; channel < IMU_CHANNELS; channel++) {
            const uint32_t value = (uint32_t)bytes[2u * channel] |
                                   (uint32_t)bytes[2u * channel + 1u] << 8;
            *samples++ = (int16_t)(uint16_t)value;
        }
        n++;
    }
    return n;
}

/// what the firmware calls ///

int kd_sensor_start(void)
{
    /* Stopped first, so that the FIFO is empty and both begin together. */
    kd_sensor_stop();
    adc_taken = 0;
    if (!imu_control(1u) || !board_adc_start(adc, ADC_SAMPLES * EMG_CHANNELS)) {
        kd_sensor_stop();
        return -1;
    }
    return 0;
}

void kd_sensor_stop(void)
{
    board_adc_stop();
    (void)imu_control(0u);
}

uint32_t kd_sensor_read(uint32_t stream, int16_t *samples, uint32_t max_samples, uint32_t *lost)
{
    return stream == EMG ? read_emg(samples, max_samples, lost)
                         : read_imu(samples, max_samples, lost);
}

/* The serial port of kd_board.h over Bluetooth Low Energy: a Nordic UART service, without its radio.
 *
 *     kd_firmware.c  --kd_board_send-->     kd_ble.c  --kd_ble_notify-->  a vendor's stack
 *                    <--kd_board_receive--            <--kd_ble_take---
 *
 * Bytes to the host wait in a queue and leave in pieces as large as both ends agreed on. A piece for
 * which the stack has no room stays until there is some: then the firmware waits, and a stream that
 * is too fast loses samples, which are counted. While nobody listens bytes are dropped, as on a wire
 * that nobody reads; what a lost connection leaves half sent the host drops by its CRC.
 *
 * The functions of kd_board.h here are the firmware's. Those of the glue may interrupt it at any time,
 * but not each other, and not on another core at the same time. Nothing here uses a heap. */
#ifndef KD_BLE_H
#define KD_BLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The service ///

#define KD_BLE_SERVICE "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
#define KD_BLE_TO_BOARD "6e400002-b5a3-f393-e0a9-e50e24dcca9e"   /* write, with and without answer */
#define KD_BLE_FROM_BOARD "6e400003-b5a3-f393-e0a9-e50e24dcca9e" /* notify */

/* What the band advertises; at most 29 bytes, which fit beside nothing else into a scan response. */
#ifndef KD_BLE_NAME
#define KD_BLE_NAME "kd-edge band"
#endif

/* Bytes of a piece: what every connection carries; what one packet of the air holds at most; and what
 * a host may write at once. */
#define KD_BLE_LEAST_PIECE 20u
#define KD_BLE_MOST_PIECE 244u
#define KD_BLE_MOST_WRITTEN 512u

/* Bytes to the host that wait; a power of two, and more than a piece. */
#ifndef KD_BLE_SEND_BYTES
#define KD_BLE_SEND_BYTES 2048u
#endif

/* Sends what waits. From the main loop, behind kd_firmware_poll(), which waits for nothing while it
 * streams. */
void kd_ble_poll(void);

/// What the glue provides ///

typedef enum kd_ble_sent {
    KD_BLE_SENT, /* the stack has the piece */
    KD_BLE_FULL, /* it has no room; the piece comes again */
    KD_BLE_LOST  /* nobody listens any more */
} kd_ble_sent;

/* Gives a piece to the stack as a notification. size: 1 to KD_BLE_MOST_PIECE. Does not wait for the
 * air unless the stack does so by itself. */
kd_ble_sent kd_ble_notify(const uint8_t *piece, size_t size);

/* Lets the stack work, and sleeps until something has happened. crowded: pieces wait for room, so it
 * must return soon; else for at most 100 ms. May return early. */
void kd_ble_idle(bool crowded);

/// What the glue calls ///

/* A host listens: it has subscribed. mtu: as both ends have agreed so far, 23 where nobody says. */
void kd_ble_open(uint16_t mtu);

/* Both ends have agreed on another one. */
void kd_ble_set_mtu(uint16_t mtu);

/* It listens no more, or the connection is lost. What waits for it is dropped. */
void kd_ble_close(void);

/* The host has written a piece. Bytes for which the receive ring has no room are lost, and counted. */
void kd_ble_take(const uint8_t *bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* KD_BLE_H */

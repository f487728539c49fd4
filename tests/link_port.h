/* How the link's test board reaches its host. */
#ifndef LINK_PORT_H
#define LINK_PORT_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

/* Writes all bytes to standard output. Ends the program when its host is gone. */
static inline void write_all(const uint8_t *bytes, size_t n)
{
    while (n > 0u) {
        const ssize_t done = write(STDOUT_FILENO, bytes, n);
        if (done <= 0) {
            exit(0);
        }
        bytes += done;
        n -= (size_t)done;
    }
}

/* Sends all bytes, as kd_board_send. */
void port_send(const uint8_t *bytes, size_t n);

/* Takes what has come, waiting for it at most so long. Ends the program when its host is gone.
 * Returns how many bytes, at most `size`. */
size_t port_receive(uint8_t *bytes, size_t size, int wait_ms);

#endif

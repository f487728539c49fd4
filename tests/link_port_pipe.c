/* Standard input and output as a wire. */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "link_port.h"

void port_send(const uint8_t *bytes, size_t n)
{
    write_all(bytes, n);
}

size_t port_receive(uint8_t *bytes, size_t size, int wait_ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&input, 1, wait_ms) <= 0) {
        return 0;
    }
    const ssize_t n = read(STDIN_FILENO, bytes, size);
    if (n <= 0) {
        exit(0);
    }
    return (size_t)n;
}

#include "kd_cobs.h"

size_t kd_cobs_encode(const uint8_t *in, size_t n, uint8_t *out)
{
    size_t code_at = 0;
    size_t to = 1;
    uint8_t code = 1;
    for (size_t from = 0; from < n; from++) {
        /* Opened only now, so that a full block at the very end is not followed by an empty one. */
        if (code == 0xFFu) {
            out[code_at] = code;
            code_at = to++;
            code = 1;
        }
        const uint8_t byte = in[from];
        if (byte != 0u) {
            out[to++] = byte;
            code++;
        } else {
            out[code_at] = code;
            code_at = to++;
            code = 1;
        }
    }
    out[code_at] = code;
    return to;
}

size_t kd_cobs_decode(uint8_t *bytes, size_t n)
{
    size_t from = 0;
    size_t to = 0;
    while (from < n) {
        const size_t code = bytes[from++];
        if (code == 0u || code - 1u > n - from) {
            return n;
        }
        for (const size_t end = from + code - 1u; from < end; from++) {
            if (bytes[from] == 0u) {
                return n;
            }
            bytes[to++] = bytes[from];
        }
        if (code != 0xFFu && from < n) {
            bytes[to++] = 0;
        }
    }
    return to;
}

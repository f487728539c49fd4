#include "kd_conv_s8_window.h"

#include <string.h>

#include "kd_math.h"

static inline int8_t *fill(int8_t *to, int32_t n, int32_t value)
{
    for (int8_t *end = to + n; to < end; to++) {
        *to = (int8_t)value;
    }
    return to;
}

/* Word by word, because runs are short and a C library's memcpy may go by bytes. */
static inline int8_t *copy(int8_t *to, const int8_t *from, int32_t n)
{
    for (; n >= 4; n -= 4) {
        memcpy(to, from, 4);
        to += 4;
        from += 4;
    }
    for (; n > 0; n--) {
        *to++ = *from++;
    }
    return to;
}

#include "kd_conv_s8_window_body.h"

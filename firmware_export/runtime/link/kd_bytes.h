/* Little-endian numbers in byte buffers, whatever the core's own order and alignment. */
#ifndef KD_BYTES_H
#define KD_BYTES_H

#include <stdint.h>

#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* One access where the core allows it unaligned; a memcpy() of a freestanding build would be a call. */
#define KD_BYTES_LOAD(type, from) \
    type value; \
    __builtin_memcpy(&value, from, sizeof value); \
    return value
#define KD_BYTES_STORE(to, value) __builtin_memcpy(to, &value, sizeof value)
#else
static inline uint64_t kd_bytes_load(const uint8_t *at, unsigned n)
{
    uint64_t value = 0;
    while (n-- > 0u) {
        value = value << 8 | at[n];
    }
    return value;
}

static inline void kd_bytes_store(uint8_t *at, uint64_t value, unsigned n)
{
    for (; n > 0u; n--) {
        *at++ = (uint8_t)(value & 0xFFu);
        value >>= 8;
    }
}

#define KD_BYTES_LOAD(type, from) return (type)kd_bytes_load(from, sizeof(type))
#define KD_BYTES_STORE(to, value) kd_bytes_store(to, value, sizeof value)
#endif

static inline uint16_t kd_get16(const uint8_t *at)
{
    KD_BYTES_LOAD(uint16_t, at);
}

static inline uint32_t kd_get32(const uint8_t *at)
{
    KD_BYTES_LOAD(uint32_t, at);
}

static inline void kd_put16(uint8_t *at, uint16_t value)
{
    KD_BYTES_STORE(at, value);
}

static inline void kd_put32(uint8_t *at, uint32_t value)
{
    KD_BYTES_STORE(at, value);
}

static inline void kd_put64(uint8_t *at, uint64_t value)
{
    KD_BYTES_STORE(at, value);
}

#endif /* KD_BYTES_H */

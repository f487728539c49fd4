/* Arrays of integers whose type is told at run time: what converts between types is one text. */
#ifndef KD_INTEGER_H
#define KD_INTEGER_H

#include <stdint.h>

/* As aot/lower/convert_types.py numbers them. */
typedef enum {
    KD_INT8 = 0,
    KD_UINT8 = 1,
    KD_INT16 = 2,
    KD_INT32 = 3
} kd_integer;

/* Value i of an array. */
static inline int32_t kd_integer_at(const void *values, int32_t i, int32_t type)
{
    switch (type) {
    case KD_INT8:
        return ((const int8_t *)values)[i];
    case KD_UINT8:
        return ((const uint8_t *)values)[i];
    case KD_INT16:
        return ((const int16_t *)values)[i];
    default:
        return ((const int32_t *)values)[i];
    }
}

/* The same, set to a value cut to the type's range. */
static inline void kd_integer_put(void *values, int32_t i, int32_t type, int32_t value)
{
    switch (type) {
    case KD_INT8:
        ((int8_t *)values)[i] = (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
        break;
    case KD_UINT8:
        ((uint8_t *)values)[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
        break;
    case KD_INT16:
        ((int16_t *)values)[i] = (int16_t)(value < -32768 ? -32768 : value > 32767 ? 32767 : value);
        break;
    default:
        ((int32_t *)values)[i] = value;
        break;
    }
}

#endif /* KD_INTEGER_H */

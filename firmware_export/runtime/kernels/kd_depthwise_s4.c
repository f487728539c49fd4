#include "kd_depthwise_s4.h"

#include <string.h>

#include "kd_unpack_s4.h"

void kd_depthwise_s4(const kd_depthwise_s4_params *p, const int8_t *in, void *weights, void *scratch,
                     int8_t *out)
{
    const uint8_t *packed = p->packed;
    int8_t *to = weights;
    for (uint32_t group = p->groups; group > 0u; group--) {
        memcpy(to, packed, p->copied_bytes);
        to += p->copied_bytes;
        packed = kd_unpack_s4(packed + p->copied_bytes, p->values, to);
        to += p->values;
    }
    kd_depthwise_s8_params layer = p->layer;
    layer.weights = weights;
    kd_depthwise_s8(&layer, in, scratch, out);
}

#include "kd_conv_s4_groups.h"

#include "kd_unpack_s4.h"

void kd_conv_s4_groups(
    const kd_conv_s4_groups_params *p, const int8_t *in, int8_t *filter, int8_t *out)
{
    const uint32_t values =
        (uint32_t)p->conv.kernel_rows * p->conv.kernel_columns * p->conv.group_channels;
    const uint8_t *packed = p->packed;
    kd_conv_s8_general_params one = p->conv;
    one.weights = filter;
    one.out_channels = 1;
    for (uint32_t c = 0; c < p->conv.out_channels; c++) {
        packed = kd_unpack_s4(packed, values, filter);
        one.bias = p->conv.bias + c;
        one.multiplier = p->conv.multiplier + c;
        one.shift = p->conv.shift + c;
        const uint32_t group = c / p->conv.group_filters;
        kd_conv_s8_general(&one, in + group * p->conv.group_channels, out + c);
    }
}

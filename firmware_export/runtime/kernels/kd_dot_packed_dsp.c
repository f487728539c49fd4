#include "kd_dot_packed_code.h"

#include <arm_acle.h>
#include <string.h>

static uint32_t halfwords(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xFFFFu) | ((uint32_t)high << 16);
}

kd_packed_input kd_widen_s8(const int8_t *x, uint32_t n, uint32_t *out)
{
    kd_packed_input input = {.x = out};
    uint32_t left = n;
    for (; left >= 4u; left -= 4u) {
        uint32_t four;
        memcpy(&four, x, 4);
        *out++ = (uint32_t)__sxtb16((int8x4_t)four);
        *out++ = (uint32_t)__sxtb16((int8x4_t)((four >> 8) | (four << 24)));
        x += 4;
    }
    if (left == 3u || n < 3u) {
        *out++ = halfwords(x[0], left == 3u ? x[2] : 0);
        *out++ = halfwords(left > 1u ? x[1] : 0, 0);
        left = 0u;
    }
    if (left > 0u) {
        *out = halfwords(x[0], left > 1u ? x[1] : 0);
    }
    input.end = out;
    const uint32_t groups = (uint32_t)(out - input.x) / 2u;
    input.entry = KD_DOT_PACKED_ENTRY(groups);
    input.tail = left;
    return input;
}

/* In assembler as a whole, because it needs every register. */
__attribute__((naked)) const uint32_t *
kd_dot_packed(const uint32_t *w __attribute__((unused)),
              const kd_packed_input *input __attribute__((unused)),
              int32_t sums[4] __attribute__((unused)))
{
    __asm__(
        "push {r2, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
        "ldm r1, {r1, r6, r7, lr}\n\t"
        KD_DOT_PACKED_GROUPS
        "cmp lr, #0\n\t"
        "beq 2f\n\t"
        KD_DOT_PACKED_TAIL
        "2:\n\t"
        "sub r2, r2, r3\n\t"
        "sub r4, r4, r5\n\t"
        "pop {r1}\n\t"
        "stm r1, {r2, r3, r4, r5}\n\t"
        "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

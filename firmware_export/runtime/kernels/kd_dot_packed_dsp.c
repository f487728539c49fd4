#include "kd_dot_packed.h"

#include <arm_acle.h>
#include <string.h>

/* Groups of four columns in a round of kd_dot_packed(), and the bytes of code of one. */
#define ROUND 4u
#define GROUP_BYTES 56u

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
    input.entry = (0u - groups) % ROUND * GROUP_BYTES;
    input.tail = left;
    return input;
}

/* Four columns of four rows: 14 instructions of 4 bytes for 16 multiply-accumulates. */
#define GROUP                           \
    "ldmia.w r0!, {r7, r8, r9, r10}\n\t" \
    "ldrd r11, r12, [r1], #8\n\t"       \
    "smlad r2, r7, r11, r2\n\t"         \
    "sxtb16 r7, r7\n\t"                 \
    "smlad r4, r9, r11, r4\n\t"         \
    "sxtb16 r9, r9\n\t"                 \
    "smlad r3, r7, r11, r3\n\t"         \
    "smlad r5, r9, r11, r5\n\t"         \
    "smlad r2, r8, r12, r2\n\t"         \
    "sxtb16 r8, r8\n\t"                 \
    "smlad r4, r10, r12, r4\n\t"        \
    "sxtb16 r10, r10\n\t"               \
    "smlad r3, r8, r12, r3\n\t"         \
    "smlad r5, r10, r12, r5\n\t"

/* In assembler as a whole, because it needs every register. */
__attribute__((naked)) const uint32_t *
kd_dot_packed(const uint32_t *w __attribute__((unused)),
              const kd_packed_input *input __attribute__((unused)),
              int32_t sums[4] __attribute__((unused)))
{
    __asm__(
        "push {r2, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
        "ldmia r0!, {r2, r3, r4, r5}\n\t"
        "ldm r1, {r1, r6, r7, lr}\n\t"
        /* Relative to 4 bytes after the branch: itself and the nop take 2 each. */
        "add pc, r7\n\t"
        "nop\n"
        "1:\n\t" GROUP GROUP GROUP GROUP
        "cmp r1, r6\n\t"
        "bne 1b\n\t"
        "cmp lr, #0\n\t"
        "beq 2f\n\t"
        "ldr r11, [r1]\n\t"
        "ldmia r0!, {r7, r9}\n\t"
        "smlad r2, r7, r11, r2\n\t"
        "sxtb16 r7, r7\n\t"
        "smlad r4, r9, r11, r4\n\t"
        "sxtb16 r9, r9\n\t"
        "smlad r3, r7, r11, r3\n\t"
        "smlad r5, r9, r11, r5\n"
        "2:\n\t"
        "sub r2, r2, r3\n\t"
        "sub r4, r4, r5\n\t"
        "pop {r1}\n\t"
        "stm r1, {r2, r3, r4, r5}\n\t"
        "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

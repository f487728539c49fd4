/* For each unit two passes, over the input and over the hidden state, of four gate rows each; then the
 * unit's own arithmetic, all in registers. */
#include "kd_lstm_packed_s8.h"

#include <arm_acle.h>
#include <string.h>

#include "kd_dot_packed.h"
#include "kd_math.h"

/* How a sum becomes 16 bits; loaded by one LDM in this order. */
typedef struct {
    int32_t multiplier;
    int32_t half;   /* half of 2^right, 0 for right = 0 */
    uint32_t align; /* shift that makes the sum ready for the high half of a product */
    uint32_t sign;  /* right shift that leaves 1 of a negative number, nothing where right = 0 */
    uint32_t right;
} kd_packed_scale;

static void expand_scales(const int32_t *scales, kd_packed_scale expanded[8])
{
    for (uint32_t i = 0; i < 8u; i++) {
        const int32_t shift = scales[2u * i + 1u];
        const uint32_t left = shift > 0 ? (uint32_t)shift : 0u;
        const uint32_t right = shift < 0 ? (uint32_t)-shift : 0u;
        expanded[i].multiplier = scales[2u * i];
        expanded[i].half = (int32_t)((1u << right) >> 1);
        /* A of 256 A + B comes as 256 A, and is to become A * 2^(left + 1). */
        expanded[i].align = (i & 1u) != 0u ? left + 1u : 7u - left;
        expanded[i].sign = right != 0u ? 31u : 32u;
        expanded[i].right = right;
    }
}

/* One sum to 16 bits: SMMLAR is TFLite's high multiplication with half of the divisor added, and for
 * halves away from zero one is taken from negative ones. ALIGN: the instruction that aligns it. */
#define REQUANT(ALIGN, SUM, SCALES)                 \
    __asm__("ldmia %[scales]!, {r4, r5, r6, r8, r9}\n\t" \
            ALIGN " %[sum], %[sum], r6\n\t"         \
            "smmlar r4, %[sum], r4, r5\n\t"         \
            "lsr %[sum], %[sum], r8\n\t"            \
            "sub r4, r4, %[sum]\n\t"                \
            "asr %[sum], r4, r9\n\t"                \
            "ssat %[sum], #16, %[sum]"              \
            : [scales] "+r"(SCALES), [sum] "+r"(SUM) \
            :                                       \
            : "r4", "r5", "r6", "r8", "r9", "memory")

/* a in the low halfword, b in the high one. */
static inline uint32_t both(int32_t a, int32_t b)
{
    uint32_t halfwords;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(halfwords) : "r"(a), "r"(b));
    return halfwords;
}

/* The sums of kd_dot_packed() to 16 bits, added to those of the other part. */
static inline void add_requantized(const kd_packed_scale *scales, const int32_t sums[4],
                                   uint32_t gates[2])
{
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
    REQUANT("asr", a, scales);
    REQUANT("lsl", b, scales);
    REQUANT("asr", c, scales);
    REQUANT("lsl", d, scales);
    gates[0] = (uint32_t)__qadd16((int16x2_t)gates[0], (int16x2_t)both(a, b));
    gates[1] = (uint32_t)__qadd16((int16x2_t)gates[1], (int16x2_t)both(c, d));
}

/* Interpolated table entry of |x| in steps of 2^bits, with the sign of x. */
static inline int32_t look_up(const int16_t *table, int32_t x, uint32_t a, uint32_t bits)
{
    uint32_t pair;
    memcpy(&pair, table + (a >> bits), 4);
    const uint32_t part = a & ((1u << bits) - 1u);
    /* Halfwords: 2^bits - part for the lower entry, part for the upper. */
    const uint32_t weights = (part << 16) - part + (1u << bits);
    return __smuad((int16x2_t)pair, (int16x2_t)weights) ^ (x >> 31);
}

static inline uint32_t magnitude(int32_t x)
{
    return (uint32_t)((x ^ (x >> 31)) - (x >> 31));
}

static inline int32_t low(uint32_t halfwords)
{
    return (int16_t)(halfwords & 0xFFFFu);
}

static inline int32_t high(uint32_t halfwords)
{
    return (int32_t)halfwords >> 16;
}

/* kd_sigmoid_q15() and kd_tanh_q15(). */
static inline int32_t sigmoid(const int16_t *table, int32_t x)
{
    return (look_up(table, x, magnitude(x), 9u) + (1 << 24) + 512) >> 10;
}

static inline int32_t tanh_q15(const int16_t *table, int32_t x)
{
    return (look_up(table, x, __usat((int32_t)magnitude(x), 16), 8u) + 128) >> 8;
}

void kd_lstm_packed_s8(const kd_lstm_packed_s8_params *p, const int8_t *x, int8_t *out,
                       int8_t *hidden, int16_t *cell, uint32_t *scratch)
{
    kd_packed_input inputs[2];
    kd_packed_scale scales[8];
    expand_scales(p->scales, scales);
    inputs[0] = kd_widen_s8(x, p->n_input, scratch);
    scratch += KD_WIDENED_WORDS((uint32_t)p->n_input);
    inputs[1] = kd_widen_s8(hidden, p->units, scratch);

    const uint32_t *weights = p->weights;
    const int16_t *table = p->sigmoid;
    const int32_t zoom = 12 + p->cell_exponent; /* to units of 2^-12 */
    const int32_t factor = zoom > 0 ? 3 << zoom : 3;
    const uint32_t coarser = zoom < 0 ? (uint32_t)-zoom : 0u;
    const int32_t round = (1 << coarser) >> 1;
    const uint32_t added_right = (uint32_t)(30 + p->cell_exponent);
    const int32_t added_half = (1 << (added_right - 1u)) + 1;
    const int32_t hidden_multiplier = p->hidden_multiplier;
    const uint32_t hidden_right = (uint32_t)-p->hidden_shift;
    const int32_t hidden_half = (int32_t)((1u << hidden_right) >> 1);
    const int8_t *const end = out + p->units;
    do {
        uint32_t gates[2] = {0u, 0u}; /* input, forget and cell, output */
        for (uint32_t part = 0; part < 2u; part++) {
            int32_t sums[4];
            weights = kd_dot_packed(weights, &inputs[part], sums);
            add_requantized(scales + 4u * part, sums, gates);
        }

        const int32_t input = sigmoid(table, low(gates[0]) * 3);
        const int32_t update = tanh_q15(table, low(gates[1]) * 3);
        const int32_t forget = sigmoid(table, high(gates[0]) * 3);
        const int32_t output = sigmoid(table, high(gates[1]) * 3);
        /* Both products are scaled by powers of two, with two roundings that fall together thus:
         * add half and 1, for a negative one take 2 away. */
        const int32_t before = *cell;
        const int32_t kept = forget * before + 16385 + (before >> 31) + (before >> 31);
        const int32_t added = input * update + added_half + (update >> 31) + (update >> 31);
        const int32_t more = kd_clamp(added >> added_right, -32768, 32767);
        int32_t state = kd_clamp((kept >> 15) + more, -32768, 32767);
        if (p->cell_clip >= 0) {
            state = kd_clamp(state, -p->cell_clip, p->cell_clip);
        }
        *cell++ = (int16_t)state;
        const int32_t squashed = tanh_q15(table, (state * factor + round) >> coarser);
        const int32_t product = (squashed * output) << 1;
        int32_t value;
        __asm__("smmlar %0, %1, %2, %3"
                : "=r"(value)
                : "r"(product), "r"(hidden_multiplier), "r"(hidden_half));
        value = ((value + (product >> 31)) >> hidden_right) + p->zero_point;
        *out++ = (int8_t)kd_clamp(value, -128, 127);
    } while (out != end);
    memcpy(hidden, out - p->units, p->units);
}

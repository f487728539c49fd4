/* The units of a step in one piece of assembly, whose every number stands in a register when it is needed:
 * compilers spend an eighth of a step on moving them. For each unit two passes, over the input and over
 * the hidden state, of four gate rows each; then the unit's own arithmetic. */
#include "kd_lstm_packed_s8.h"

#include <string.h>

#include "kd_dot_packed_code.h"
#include "kd_math.h"

/* What the gates take from the input, or from the hidden state. */
typedef struct {
    kd_packed_input input;
    const int32_t *scales;
} kd_gate_part;

#define LAST (1u << 31) /* in input.tail of the last part */

/* What each unit needs, in the order in which LDM reads it. */
typedef struct {
    const uint32_t *weights; /* of the next unit */
    kd_gate_part parts[2];
    const int16_t *table;
    uint32_t steps; /* 3 << 23: a gate times this has steps of the logistic's table in its upper word */
    uint32_t ones;  /* 65535 */
    uint32_t whole; /* 512: a step's parts */
    int32_t half;   /* of the logistic's range, and of what is lost of it: (1 << 24) + 512 */
    int16_t *cell;  /* of the next unit */
    int32_t kept_half;
    int32_t added_half;
    uint32_t added_right;
    uint32_t coarser;
    int32_t entry; /* 1 << 24: what tanh takes times this has steps of its table in its upper word */
    int32_t least; /* of the cell */
    int32_t most;
    int32_t factor; /* tanh takes (cell * factor + round) >> coarser */
    int32_t round;
    int32_t hidden_multiplier;
    int32_t hidden_half;
    uint32_t hidden_right;
    int32_t zero_point;
    int8_t *out; /* of the next unit */
    const int8_t *end;
} kd_lstm_units;

/* A sum to 16 bits. R12 reads its scale: multiplier, constant, what halves away from zero take from
 * negative ones, right shift. TFLite's two roundings are one: both add a constant and round down. */
#define REQUANT(SUM)                    \
    "ldmia r12!, {r7, r8, r9, r10}\n\t" \
    "smmla r7, " SUM ", r7, r8\n\t"     \
    "and r9, r9, " SUM ", asr #31\n\t"  \
    "sub r7, r7, r9\n\t"                \
    "asr r7, r7, r10\n\t"               \
    "ssat " SUM ", #16, r7\n\t"

/* The gates input, forget, cell, output in r2 to r5, in 2^-12, 16 bits each. */
#define GATES                                                          \
    "ldr r0, [lr], #4\n"                                               \
    "2:\n\t"                                                           \
    "ldmia lr!, {r1, r6, r7}\n\t"                                      \
    KD_DOT_PACKED_GROUPS                                               \
    /* Of the tail's word: the carry is LAST, zero: there is none. */  \
    "ldmia lr!, {r6, r12}\n\t"                                         \
    "lsls r6, r6, #1\n\t"                                              \
    "beq 3f\n\t"                                                       \
    KD_DOT_PACKED_TAIL                                                 \
    "3:\n\t"                                                           \
    "sub r2, r2, r3\n\t"                                               \
    "lsl r3, r3, #8\n\t"                                               \
    "sub r4, r4, r5\n\t"                                               \
    "lsl r5, r5, #8\n\t"                                               \
    REQUANT("r2") REQUANT("r3") REQUANT("r4") REQUANT("r5")            \
    "bcs 4f\n\t"                                                       \
    "push {r2, r3, r4, r5}\n\t"                                        \
    "b 2b\n"                                                           \
    "4:\n\t"                                                           \
    "pop {r6, r7, r8, r9}\n\t"                                         \
    "add r2, r2, r6\n\t"                                               \
    "add r3, r3, r7\n\t"                                               \
    "add r4, r4, r8\n\t"                                               \
    "add r5, r5, r9\n\t"                                               \
    "ssat r2, #16, r2\n\t"                                             \
    "ssat r3, #16, r3\n\t"                                             \
    "ssat r4, #16, r4\n\t"                                             \
    "ssat r5, #16, r5\n\t"                                             \
    "ldr r1, [sp]\n\t"                                                 \
    "str r0, [r1]\n\t"

/* Interpolated entry of the table in r1 for the magnitude of X, with the sign of X. The product with
 * STEPS, or with its complement, has the entry's place in its upper word and the way to the next one in
 * the upper bits of the lower word; a magnitude less than 2^BITS is lost behind them. In r7 65535, in r8
 * 2^(32 - BITS); ends at LIMIT's entry. */
#define LOOK_UP(X, STEPS, BITS, LIMIT)       \
    "eor r9, " STEPS ", " X ", asr #31\n\t"  \
    "smull r10, r11, " X ", r9\n\t"          \
    LIMIT                                    \
    "ldr r11, [r1, r11, lsl #1]\n\t"         \
    "lsr r10, r10, #" BITS "\n\t"            \
    /* Halfwords: for the entry what is left of the step, for the next the way. */ \
    "mla r10, r10, r7, r8\n\t"               \
    "smuad r10, r10, r11\n\t"                \
    "eor " X ", r10, " X ", asr #31\n\t"

/* kd_sigmoid_q15() of 3 gates. */
#define SIGMOID(GATE)                \
    LOOK_UP(GATE, "r6", "23", "")    \
    "add " GATE ", " GATE ", r12\n\t" \
    "asr " GATE ", " GATE ", #10\n\t"

/* kd_tanh_q15(); the table's last two entries are equal. */
#define TANH(X, STEPS)                              \
    LOOK_UP(X, STEPS, "24", "usat r11, #8, r11\n\t") \
    "add " X ", " X ", #128\n\t"                    \
    "asr " X ", " X ", #8\n\t"

/* The gates become the cell, stored, and in r2 what tanh takes of it; the output gate stays in r5.
 * Both products are scaled by powers of two, with two roundings that fall together thus: add half and
 * 1, for a negative one take 2 away. */
#define CELL                            \
    "ldmia lr!, {r1, r6, r7, r8, r12}\n\t" \
    SIGMOID("r2") SIGMOID("r3") SIGMOID("r5") \
    "lsl r6, r6, #1\n\t"                \
    "lsr r8, r8, #1\n\t"                \
    TANH("r4", "r6")                    \
    "ldmia lr!, {r6, r9, r10, r12}\n\t" \
    "ldrsh r11, [r6]\n\t"               \
    "mla r3, r3, r11, r9\n\t"           \
    "add r3, r3, r11, asr #31\n\t"      \
    "add r3, r3, r11, asr #31\n\t"      \
    "mla r2, r2, r4, r10\n\t"           \
    "add r2, r2, r4, asr #31\n\t"       \
    "add r2, r2, r4, asr #31\n\t"       \
    "asr r2, r2, r12\n\t"               \
    "ssat r2, #16, r2\n\t"              \
    "add r2, r2, r3, asr #15\n\t"       \
    "ldmia lr!, {r3, r4, r9, r10, r11, r12}\n\t" \
    "cmp r2, r9\n\t"                    \
    "it lt\n\t"                         \
    "movlt r2, r9\n\t"                  \
    "cmp r2, r10\n\t"                   \
    "it gt\n\t"                         \
    "movgt r2, r10\n\t"                 \
    "strh r2, [r6], #2\n\t"             \
    "str r6, [lr, #-40]\n\t"            \
    "mla r2, r2, r11, r12\n\t"          \
    "asr r2, r2, r3\n\t"

/* The unit's output; the comparison says whether it was the last. */
#define OUTPUT                          \
    TANH("r2", "r4")                    \
    "mul r2, r2, r5\n\t"                \
    "lsl r2, r2, #1\n\t"                \
    "ldmia lr, {r3, r4, r6, r7, r8, r9}\n\t" \
    "smmlar r3, r2, r3, r4\n\t"         \
    "add r3, r3, r2, asr #31\n\t"       \
    "asr r3, r3, r6\n\t"                \
    "add r3, r3, r7\n\t"                \
    "ssat r3, #8, r3\n\t"               \
    "strb r3, [r8], #1\n\t"             \
    "str r8, [lr, #16]\n\t"             \
    "cmp r8, r9\n\t"

/* Every unit of a step. Stack: 56 bytes. */
__attribute__((naked)) static void all_units(kd_lstm_units *units __attribute__((unused)))
{
    __asm__("push {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
            "1:\n\t"
            "ldr lr, [sp]\n\t"
            GATES CELL OUTPUT
            "bne 1b\n\t"
            "pop {r0, r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

void kd_lstm_packed_s8(const kd_lstm_packed_s8_params *p, const int8_t *x, int8_t *out,
                       int8_t *hidden, int16_t *cell, uint32_t *scratch)
{
    uint32_t *const behind = scratch + KD_WIDENED_WORDS((uint32_t)p->n_input);
    const int32_t zoom = 12 + p->cell_exponent; /* to units of 2^-12 */
    const uint32_t coarser = (uint32_t)kd_max(-zoom, 0);
    const uint32_t added_right = (uint32_t)(30 + p->cell_exponent);
    const uint32_t hidden_right = (uint32_t)-p->hidden_shift;
    kd_lstm_units units = {
        .weights = p->weights,
        .parts = {{kd_widen_s8(x, p->n_input, scratch), p->scales},
                  {kd_widen_s8(hidden, p->units, behind), p->scales + 16}},
        .table = p->sigmoid,
        .steps = 3u << 23,
        .ones = 65535u,
        .whole = 512u,
        .half = (1 << 24) + 512,
        .cell = cell,
        .kept_half = (1 << 14) + 1,
        .added_half = (1 << (added_right - 1u)) + 1,
        .added_right = added_right,
        .coarser = coarser,
        .entry = 1 << 24,
        .least = p->cell_clip >= 0 ? -p->cell_clip : -32768,
        .most = p->cell_clip >= 0 ? p->cell_clip : 32767,
        .factor = 3 * (1 << kd_max(zoom, 0)),
        .round = (1 << coarser) >> 1,
        .hidden_multiplier = p->hidden_multiplier,
        .hidden_half = (int32_t)((1u << hidden_right) >> 1),
        .hidden_right = hidden_right,
        .zero_point = p->zero_point,
        .out = out,
        .end = out + p->units,
    };
    units.parts[1].input.tail |= LAST;
    all_units(&units);
    memcpy(hidden, out, p->units);
}

/* Assembly of kd_dot_packed(), for sources built for the DSP extension alone.
 *
 * Registers: r0 the packed rows, read on; r1 and r6 the input's x and end, r7 its entry; r2 to r5 the
 * sums of 256 a + b, b, 256 c + d, d. r7 to r12 are lost. */
#ifndef KD_DOT_PACKED_CODE_H
#define KD_DOT_PACKED_CODE_H

#include "kd_dot_packed.h"

/* Four columns of four rows: 14 instructions of 4 bytes for 16 multiply-accumulates. */
#define KD_DOT_PACKED_GROUP              \
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

/* Bias and groups, four in a round, the first of which begins behind `entry` bytes. These count from 2
 * bytes behind the instruction that follows the branch: PC is 4 ahead of a branch of 2 bytes. */
#define KD_DOT_PACKED_ENTRY(groups) ((0u - (groups)) % 4u * 56u - 2u)
#define KD_DOT_PACKED_GROUPS                                          \
    "ldmia r0!, {r2, r3, r4, r5}\n\t"                                 \
    "add pc, r7\n"                                                    \
    "9:\n\t" KD_DOT_PACKED_GROUP KD_DOT_PACKED_GROUP                  \
    KD_DOT_PACKED_GROUP KD_DOT_PACKED_GROUP                           \
    "cmp r1, r6\n\t"                                                  \
    "bne 9b\n\t"

/* The two columns that may be left over. */
#define KD_DOT_PACKED_TAIL        \
    "ldr r11, [r1]\n\t"           \
    "ldmia r0!, {r7, r9}\n\t"     \
    "smlad r2, r7, r11, r2\n\t"   \
    "sxtb16 r7, r7\n\t"           \
    "smlad r4, r9, r11, r4\n\t"   \
    "sxtb16 r9, r9\n\t"           \
    "smlad r3, r7, r11, r3\n\t"   \
    "smlad r5, r9, r11, r5\n"

#endif /* KD_DOT_PACKED_CODE_H */

/* Products of packed int8 weights with int16 inputs on cores with the DSP extension.
 *
 * A halfword holds the weights of two rows as 256 * a + b, a word those of two columns. SMLAD with the
 * word adds 256 * A + B to one sum, SMLAD with SXTB16 of it adds B to another: 4 multiply-accumulates
 * in 3 instructions. firmware_export/aot/layout.py packs, and checks that A fits 24 bits.
 * Needs a little-endian core. */
#ifndef KD_DOT_PACKED_H
#define KD_DOT_PACKED_H

#include <stdint.h>

/* An input as kd_dot_packed() takes it; members are loaded by one LDM in this order. */
typedef struct {
    const uint32_t *x;   /* words of two columns, 8-aligned */
    const uint32_t *end; /* behind its groups of four columns, of which there is at least one */
    uint32_t entry;      /* KD_DOT_PACKED_ENTRY() of the groups */
    uint32_t tail;       /* not 0: a word of two last columns follows */
} kd_packed_input;

/* Words that kd_widen_s8() writes for n columns, made even. */
#define KD_WIDENED_WORDS(n) (((n) + 3u) / 4u * 2u)

/* n (at least 1) int8 values as halfwords: of four columns first 0 and 2, then 1 and 3, as SXTB16
 * gives them; two that are left over in one word; what is missing to that is 0.
 * out: 8-aligned, KD_WIDENED_WORDS(n) words. Stack: 20 bytes. */
kd_packed_input kd_widen_s8(const int8_t *x, uint32_t n, uint32_t *out);

/* Products of four packed rows a, b, c, d with an input.
 * w: 4-aligned, what pack_rows() makes of them: the bias as {256 a + b, b, 256 c + d, d} modulo 2^32,
 * then the weights. sums: {256 a, b, 256 c, d}. Returns what follows in w. Stack: 40 bytes. */
const uint32_t *kd_dot_packed(const uint32_t *w, const kd_packed_input *input, int32_t sums[4]);

#endif /* KD_DOT_PACKED_H */

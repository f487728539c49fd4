/* kd_conv_s8() for cores with the DSP extension: two pixels and two output channels at a time.
 *
 * The weights' stream holds for each two channels a, b: for each four columns of the window a word
 * of columns 0, 2 and one of columns 1, 3, in which each halfword is 256 * weight_a + weight_b; then
 * 2 * bias of a and b, their multipliers, their right shifts less one (a byte each, then two of
 * nothing). With SMLAD over whole words giving S = 256 * A + B and SMLAD over the sign-extended low
 * bytes giving B, A is (S - B) >> 8, exact in wrapping arithmetic while |A| < 2^23. The lowering
 * sees to that, to |accumulator| < 2^30 and to right shifts of 1 and more. */
#include <stddef.h>

#include "kd_conv_s8.h"
#include "kd_conv_s8_narrow.h"
#include "kd_conv_s8_window.h"

/* Groups of four columns in a round of two_pixels(), and the bytes of code of one. */
#define ROUND 4u
#define QUAD_BYTES 48u

/* Two windows side by side as halfwords less the zero point: columns 0, 2 of the first, 0, 2 of
 * the second, 1, 3 of the first, 1, 3 of the second, and so on for `quads` (at least one) times four
 * columns. Returns the place behind them. */
static inline int32_t *widen(
    const int8_t *x0, const int8_t *x1, uint32_t less_zero, uint32_t quads, int32_t *to)
{
    __asm__ volatile("1:\n\t"
                     "ldr     r4, [%[x0]], #4\n\t"
                     "ldr     r5, [%[x1]], #4\n\t"
                     "sxtab16 r8, %[zero], r4, ror #8\n\t"
                     "sxtab16 r9, %[zero], r5, ror #8\n\t"
                     "sxtab16 r4, %[zero], r4\n\t"
                     "sxtab16 r5, %[zero], r5\n\t"
                     "stmia   %[to]!, {r4, r5, r8, r9}\n\t"
                     "subs    %[quads], %[quads], #1\n\t"
                     "bne     1b"
                     : [x0] "+r"(x0), [x1] "+r"(x1), [quads] "+r"(quads), [to] "+r"(to)
                     : [zero] "r"(less_zero)
                     : "r4", "r5", "r8", "r9", "cc", "memory");
    return to;
}

/* `rows` rows of n bytes, both at least one, whose ends and beginnings are `gap` bytes apart. */
static inline void collect(int8_t *to, const int8_t *from, int32_t gap, uint32_t n, uint32_t rows)
{
    uint32_t left, bytes;
    __asm__ volatile("1:\n\t"
                     "subs  %[left], %[n], #4\n\t"
                     "blt   3f\n"
                     "2:\n\t"
                     "ldr   %[bytes], [%[from]], #4\n\t"
                     "str   %[bytes], [%[to]], #4\n\t"
                     "subs  %[left], %[left], #4\n\t"
                     "bge   2b\n"
                     /* Bit 1 of what is left into C, bit 0 into N. */
                     "3:\n\t"
                     "lsls  %[left], %[left], #31\n\t"
                     "bcc   4f\n\t"
                     "ldrh  %[bytes], [%[from]], #2\n\t"
                     "strh  %[bytes], [%[to]], #2\n"
                     "4:\n\t"
                     "bpl   5f\n\t"
                     "ldrb  %[bytes], [%[from]], #1\n\t"
                     "strb  %[bytes], [%[to]], #1\n"
                     "5:\n\t"
                     "add   %[from], %[from], %[gap]\n\t"
                     "subs  %[rows], %[rows], #1\n\t"
                     "bne   1b"
                     : [to] "+r"(to), [from] "+r"(from), [rows] "+r"(rows), [left] "=&r"(left),
                       [bytes] "=&r"(bytes)
                     : [gap] "r"(gap), [n] "r"(n)
                     : "cc", "memory");
}

/* Two pixels; two_pixels() knows the members' places. */
typedef struct {
    const int32_t *x;  /* their widened windows */
    const int32_t *end;
    uint32_t entry;    /* bytes of code to skip in the first round */
    int32_t apart;     /* from the first pixel's results to the second's */
    int32_t rounding;
    const int8_t *last; /* behind the first one's results */
} kd_two;

#define QUAD                                                                                       \
    "ldrd  r7, r8, [r0], #8\n\t"                                                                   \
    "ldmia.w r1!, {r9, r10, r11, r12}\n\t"                                                         \
    "smlad r2, r7, r9, r2\n\t"                                                                     \
    "smlad r4, r7, r10, r4\n\t"                                                                    \
    "sxtb16 r7, r7\n\t"                                                                            \
    "smlad r2, r8, r11, r2\n\t"                                                                    \
    "smlad r4, r8, r12, r4\n\t"                                                                    \
    "sxtb16 r8, r8\n\t"                                                                            \
    "smlad r3, r7, r9, r3\n\t"                                                                     \
    "smlad r5, r7, r10, r5\n\t"                                                                    \
    "smlad r3, r8, r11, r3\n\t"                                                                    \
    "smlad r5, r8, r12, r5\n\t"

/* All channels of two pixels, before clamp and table: out is the first one's. In assembler as a
 * whole, because it needs every register: S and B of the first pixel in r2, r3, of the second in
 * r4, r5. */
__attribute__((naked)) static void two_pixels(const void *weights __attribute__((unused)),
                                              int8_t *out __attribute__((unused)),
                                              const kd_two *two __attribute__((unused)))
{
    __asm__(
        "push  {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
        "mov   lr, r1\n\t"
        "ldm   r2, {r4, r5, r6, r7, r8, r9}\n\t"
        "push  {r4, r5, r6, r7, r8, r9}\n"
        "1:\n\t"
        "ldm   sp, {r1, r6, r7}\n\t"
        "movs  r2, #0\n\t"
        "movs  r3, #0\n\t"
        "movs  r4, #0\n\t"
        "movs  r5, #0\n\t"
        /* Relative to 4 bytes after the branch: itself and the nop take 2 each. */
        "add   pc, r7\n\t"
        "nop\n"
        "2:\n\t" QUAD QUAD QUAD QUAD
        "cmp   r1, r6\n\t"
        "bne   2b\n\t"
        "ldmia r0!, {r6, r7, r8, r9, r10}\n\t"
        "ldrd  r11, r12, [sp, #12]\n\t"
        "sub   r2, r2, r3\n\t"
        "sub   r4, r4, r5\n\t"
        "add   r2, r6, r2, asr #7\n\t"
        "add   r4, r6, r4, asr #7\n\t"
        "add   r3, r7, r3, lsl #1\n\t"
        "add   r5, r7, r5, lsl #1\n\t"
        /* kd_narrow() */
        "smmulr r2, r2, r8\n\t"
        "smmulr r4, r4, r8\n\t"
        "smmulr r3, r3, r9\n\t"
        "smmulr r5, r5, r9\n\t"
        "uxtb  r6, r10\n\t"
        "lsr   r7, r10, #8\n\t"
        "add   r2, r2, r2, asr #31\n\t"
        "add   r4, r4, r4, asr #31\n\t"
        "add   r3, r3, r3, asr #31\n\t"
        "add   r5, r5, r5, asr #31\n\t"
        "asr   r2, r2, r6\n\t"
        "asr   r4, r4, r6\n\t"
        "asr   r3, r3, r7\n\t"
        "asr   r5, r5, r7\n\t"
        "add   r2, r2, r12\n\t"
        "add   r4, r4, r12\n\t"
        "add   r3, r3, r12\n\t"
        "add   r5, r5, r12\n\t"
        "ldr   r1, [sp, #20]\n\t"
        "ssat  r2, #8, r2, asr #1\n\t"
        "ssat  r4, #8, r4, asr #1\n\t"
        "ssat  r3, #8, r3, asr #1\n\t"
        "ssat  r5, #8, r5, asr #1\n\t"
        "strb  r4, [lr, r11]\n\t"
        "strb  r2, [lr], #1\n\t"
        "cmp   lr, r1\n\t"
        "beq   3f\n\t"
        "strb  r5, [lr, r11]\n\t"
        "strb  r3, [lr], #1\n\t"
        "cmp   lr, r1\n\t"
        "bne   1b\n"
        "3:\n\t"
        "add   sp, sp, #24\n\t"
        "pop   {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

/* Last place in a row where a window's rows lie in the input, each in one piece; -1 if nowhere. */
static int32_t last_inside(const kd_conv_s8_params *p)
{
    if (p->last_direct >= 0) {
        return p->last_direct;
    }
    return p->runs == 1u ? p->row_bytes - p->run_bytes : -1;
}

/* scratch: the window in whole words four times, and once more where it is not read in place. */
void kd_conv_s8(const kd_conv_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    const uint32_t quads = ((uint32_t)p->window_bytes + 3u) / 4u;
    const uint32_t less_zero = ((uint32_t)-p->in_zero & 0xffffu) * 0x10001u;
    int32_t *wide = scratch;
    /* The second window is widened from the last quarter of `wide`: what is written there is never
     * ahead of what has been read. */
    int8_t *copy0 = (int8_t *)(wide + 4u * quads);
    int8_t *copy1 = (int8_t *)(wide + 3u * quads);
    const int32_t last_x = last_inside(p) - p->x_bytes;
    const int32_t last_y = p->in_rows - (p->kernel_rows - 1) * p->row_step - 1;
    const int32_t row_step = p->row_step * p->row_bytes;
    kd_two two = {.x = wide,
                  .end = wide + 4u * quads,
                  .entry = (0u - quads) % ROUND * QUAD_BYTES,
                  .rounding = kd_narrow_rounding(p->out_zero)};
    kd_conv_s8_walk walk = kd_conv_s8_begin(p, in);
    uint32_t left = (uint32_t)p->batches * p->out_rows * p->out_columns;
    do {
        int8_t *const out0 = out + walk.out;
        const int8_t *x0, *x1;
        uint32_t rows = 1u, row_quads = quads;
        if (walk.columns > 2u && walk.x >= 0 && walk.x <= last_x && walk.y >= 0 &&
            walk.y <= last_y) {
            x0 = walk.image + walk.y * p->row_bytes + walk.x;
            x1 = x0 + p->x_bytes;
            two.apart = p->out_step;
            walk.out += 2 * p->out_step;
            walk.x += 2 * p->x_bytes;
            walk.columns -= 2u;
            left -= 2u;
            if (p->last_direct < 0 && p->run_bytes % 4 == 0) {
                rows = p->kernel_rows;
                row_quads = (uint32_t)p->run_bytes / 4u;
            } else if (p->last_direct < 0) {
                const int32_t gap = row_step - p->run_bytes;
                collect(copy0, x0, gap, (uint32_t)p->run_bytes, p->kernel_rows);
                collect(copy1, x1, gap, (uint32_t)p->run_bytes, p->kernel_rows);
                x0 = copy0;
                x1 = copy1;
            }
        } else {
            x1 = x0 = kd_conv_s8_any_window(p, &walk, copy0);
            two.apart = 0; /* a last single pixel is computed and stored twice */
            if (--left > 0u) {
                two.apart = out + walk.out - out0;
                x1 = kd_conv_s8_any_window(p, &walk, copy1);
                left--;
            }
        }
        int32_t *to = widen(x0, x1, less_zero, row_quads, wide);
        for (; rows > 1u; rows--) {
            x0 += row_step;
            x1 += row_step;
            to = widen(x0, x1, less_zero, row_quads, to);
        }
        two.last = out0 + p->out_channels;
        two_pixels(p->weights, out0, &two);
        int8_t *pixel = out0;
        for (;;) {
            kd_narrow_finish(pixel, p->out_channels, p->low, p->high, p->table);
            if (pixel == out0 + two.apart) {
                break;
            }
            pixel = out0 + two.apart;
        }
    } while (left > 0u);
}

/* kd_fc_s8() with Helium: four rows at a time. Where rows are no multiple of four, the last four begin
 * earlier and some are computed again. */
#include "kd_fc_s8.h"

#include "kd_conv_s8_vector.h"
#include "kd_dot_rows_helium.h"
#include "kd_look_up.h"
#include "kd_math.h"

/* What the assembly of some_fours() loads, in this order. */
typedef struct {
    int32_t second;    /* bytes from the first of four rows to the others; a row that is not there */
    int32_t third;     /* counts as the one before */
    int32_t fourth;
    int32_t n;         /* columns */
    int32_t back;      /* from where a vector of columns is read to, to their beginning */
    int32_t next;      /* from where the fourth row is read to, to the next row */
    const int8_t *end; /* of the output */
    uint32_t these;    /* of four rows: which are there */
} layout;

/* Sums, scales, clamps and stores four rows after the other, up to the end. */
static inline void some_fours(const layout *k, const int8_t *a, const int8_t *x, const int32_t *bias,
                              const kd_vector_scale *by, int32x4_t zero, int32x4_t low,
                              int32x4_t high, int8_t *out)
{
    const int8_t *b, *c, *d;
    int32_t s0, s1, s2, s3;
    __asm__ volatile("ldr  %[s0], [%[k], #28]\n\t"
                     "vmsr p0, %[s0]\n"
                     "1:\n\t"
                     "ldrd %[s0], %[s1], [%[k]]\n\t"
                     "ldrd %[s2], lr, [%[k], #8]\n\t"
                     "add  %[b], %[a], %[s0]\n\t"
                     "add  %[c], %[a], %[s1]\n\t"
                     "add  %[d], %[a], %[s2]\n\t"
                     "ldrd %[s0], %[s1], [%[bias]], #8\n\t"
                     "ldrd %[s2], %[s3], [%[bias]], #8\n\t"
                     KD_DOT_FOUR("lr", "x", "a", "b", "c", "d")
                     "vmov q0[2], q0[0], %[s0], %[s2]\n\t"
                     "vmov q0[3], q0[1], %[s1], %[s3]\n\t"
                     "vshl.s32 q0, q0, %q[left]\n\t"
                     "vqrdmulh.s32 q0, q0, %q[multiplier]\n\t"
                     "ldrd %[s0], %[s1], [%[k], #16]\n\t"
                     "vand q1, q0, %q[right]\n\t"
                     "vshr.s32 q1, q1, #31\n\t"
                     "sub  %[x], %[x], %[s0]\n\t"
                     "vqadd.s32 q0, q0, q1\n\t"
                     "vrshl.s32 q0, q0, %q[right]\n\t"
                     "add  %[a], %[d], %[s1]\n\t"
                     "vadd.i32 q0, q0, %q[zero]\n\t"
                     "ldr  %[s2], [%[k], #24]\n\t"
                     "vmax.s32 q0, q0, %q[low]\n\t"
                     "vmin.s32 q0, q0, %q[high]\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q0, [%[out]], #4\n\t"
                     "cmp  %[out], %[s2]\n\t"
                     "bne  1b"
                     : [s0] "=&Te"(s0), [s1] "=&Te"(s1), [s2] "=&Te"(s2), [s3] "=&Te"(s3),
                       [a] "+&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [x] "+&r"(x),
                       [bias] "+&r"(bias), [out] "+&l"(out)
                     : [k] "r"(k), [multiplier] "w"(by->multiplier), [left] "w"(by->left),
                       [right] "w"(by->right), [zero] "w"(zero), [low] "w"(low), [high] "w"(high)
                     : "lr", "q0", "q1", "cc", "memory");
}

static void all_rows(const kd_fc_s8_params *p, layout *k, const int8_t *x, int8_t *out)
{
    const int32_t last = kd_max(p->rows - 4, 0), by_row = p->by_row;
    const int32x4_t zero = vdupq_n_s32(p->zero_point);
    const int32x4_t low = vdupq_n_s32(p->low), high = vdupq_n_s32(p->high);
    kd_vector_scale scale =
        kd_vector_scale_of(vdupq_n_s32(p->scales[0]), vdupq_n_s32(p->scales[1]));
    int32_t together = by_row != 0 ? 4 : kd_max(p->rows & ~3, 4);
    for (int32_t row = 0; row < p->rows; row += together, together = 4) {
        const int32_t first = kd_min(row, last);
        if (by_row != 0) {
            const int32x4x2_t four = vld2q_s32(p->scales + 2 * first);
            scale = kd_vector_scale_of(four.val[0], four.val[1]);
        }
        k->end = out + first + together;
        some_fours(k, p->weights + first * k->n, x, p->bias + first, &scale, zero, low, high, out + first);
    }
}

void kd_fc_s8(const kd_fc_s8_params *p, const int8_t *x, int8_t *out)
{
    const int32_t n = (int32_t)p->columns, rows = p->rows, back = (n + 15) & ~15;
    /* Not in one initializer: compilers would call memset(). */
    layout k;
    k.n = n;
    k.back = back;
    k.next = n - back;
    k.these = vctp32q((uint32_t)rows);
    k.second = rows > 1 ? n : 0;
    k.third = rows > 2 ? k.second + n : k.second;
    k.fourth = rows > 3 ? k.third + n : k.third;
    for (uint32_t batch = p->batches; batch > 0u; batch--, x += n, out += rows) {
        all_rows(p, &k, x, out);
        if (p->table != NULL) {
            kd_look_up(p->table, out, rows);
        }
    }
}

/* All channels of the input lie in one strip, in which windows overlap: a value is copied once for each row
 * of a window, however many columns that has. */
#include "kd_conv_strips_s8.h"

#include "kd_dot_rows_helium.h"
#include "kd_strips_helium.h"

/* So many bytes, or as many more as fill the last vector. */
static inline int32_t whole_vectors(int32_t bytes)
{
    return (bytes + KD_VECTOR_BYTES - 1) & ~(KD_VECTOR_BYTES - 1);
}

/* How pixels go into the strip's columns. */
typedef struct {
    uint8x16_t lanes;  /* where bytes of a group of pixels go, from the first */
    int32_t group;     /* pixels of a vector; 0 if one is more than that */
    int32_t deep;      /* bytes of a pixel */
    int32_t column;    /* bytes of the strip's */
} target_of_turn;

static target_of_turn target_of(const kd_strips_params *p, const kd_strips_tile *t)
{
    const int32_t deep = p->in_channels, column = t->column;
    uint8_t lanes[KD_VECTOR_BYTES];
    for (int32_t i = 0, at = 0, in_pixel = 0; i < KD_VECTOR_BYTES; i++) {
        lanes[i] = (uint8_t)(at + in_pixel);
        if (++in_pixel == deep) {
            in_pixel = 0;
            at += column;
        }
    }
    /* Places of lanes have eight bits. */
    const int32_t most = deep > KD_VECTOR_BYTES ? 0 : (UINT8_MAX + 1 - deep) / column + 1;
    const target_of_turn target = {vldrbq_u8(lanes), kd_min(KD_VECTOR_BYTES / deep, most), deep, column};
    return target;
}

static int8_t *turn(
    const void *target, const int8_t *from, int32_t apart, int32_t n, int8_t *to)
{
    const target_of_turn *const t = target;
    const int32_t column = t->column, deep = t->deep;
    if (t->group > 0) {
        for (int32_t group = kd_min(t->group, n); n > 0; n -= n / group * group, group = n) {
            __asm__ volatile("vctp.8 %[bytes]\n\t"
                             "dls lr, %[groups]\n"
                             "1:\n\t"
                             "vpstt\n\t"
                             "vldrbt.8 q0, [%[from]]\n\t"
                             "vstrbt.8 q0, [%[to], %q[lanes]]\n\t"
                             "add %[from], %[from], %[apart]\n\t"
                             "add %[to], %[to], %[next]\n\t"
                             "le lr, 1b"
                             : [from] "+l"(from), [to] "+r"(to)
                             : [bytes] "r"(group * deep), [groups] "r"(n / group),
                               [apart] "r"(group * apart), [next] "r"(group * column),
                               [lanes] "w"(t->lanes)
                             : "lr", "q0", "cc", "memory");
        }
    } else if (n > 0) {
        const int32_t read = whole_vectors(deep);
        __asm__ volatile("1:\n\t"
                         "dlstp.8 lr, %[deep]\n"
                         "2:\n\t"
                         "vldrb.8 q0, [%[from]], #16\n\t"
                         "vstrb.8 q0, [%[to]], #16\n\t"
                         "letp lr, 2b\n\t"
                         "subs %[n], %[n], #1\n\t"
                         "add  %[from], %[from], %[skip]\n\t"
                         "add  %[to], %[to], %[next]\n\t"
                         "bne  1b"
                         : [to] "+r"(to), [from] "+r"(from), [n] "+r"(n)
                         : [deep] "r"(deep), [skip] "r"(apart - read), [next] "r"(column - read)
                         : "lr", "q0", "cc", "memory");
    }
    return to;
}

/* What the assembly of long_windows() loads, in this order. */
typedef struct {
    int32_t bias;       /* twice */
    int32_t again;
    int32_t multiplier;
    int32_t left;       /* shifts, 0 or more, */
    int32_t right;      /* 0 or less */
    int32_t rounds;     /* 1 where there is a right one */
    int32_t back;       /* from where weights are read to, to their beginning */
    int32_t out;
    int32_t n;          /* bytes of a window */
} four;

/* All pixels of a tile in one channel, whose windows are of n bytes. */
static inline void long_windows(kd_strips_common common, kd_strips_constants k, const int8_t *w,
                                int32_t n, int8_t *out)
{
    const int32_t back = whole_vectors(n);
    const four f = {k.bias, k.bias, k.multiplier, kd_max(k.shift, 0), kd_min(k.shift, 0), k.shift < 0,
                    back, (int32_t)(intptr_t)out, n};
    const int32_t *places = common.places;
    int32_t fours = common.fours, x0, x1, x2, x3, s0, s1, s2, s3;
    __asm__ volatile("1:\n\t"
                     "ldrd %[x0], %[x1], [%[places]], #8\n\t"
                     "ldrd %[x2], %[x3], [%[places]], #8\n\t"
                     "ldr  lr, [%[f], #32]\n\t"
                     "ldrd %[s0], %[s1], [%[f]]\n\t"
                     "ldrd %[s2], %[s3], [%[f]]\n\t"
                     KD_DOT_FOUR("lr", "w", "x0", "x1", "x2", "x3")
                     "vmov q0[2], q0[0], %[s0], %[s2]\n\t"
                     "vmov q0[3], q0[1], %[s1], %[s3]\n\t"
                     "ldrd %[s0], %[s1], [%[f], #8]\n\t"
                     "ldrd %[s2], %[s3], [%[f], #16]\n\t"
                     KD_SCALE_FOUR("s0", "s1", "s2", "s3")
                     "ldrd %[s0], %[x1], [%[f], #24]\n\t"
                     "ldr  %[x0], [%[places]], #4\n\t"
                     "sub  %[w], %[w], %[s0]\n\t"
                     KD_STORE_FOUR("x0", "x1")
                     "subs %[fours], %[fours], #1\n\t"
                     "bne  1b"
                     : [s0] "=&Te"(s0), [s1] "=&Te"(s1), [s2] "=&Te"(s2), [s3] "=&Te"(s3),
                       [x0] "=&r"(x0), [x1] "=&r"(x1), [x2] "=&r"(x2), [x3] "=&r"(x3), [w] "+&r"(w),
                       [places] "+&r"(places), [fours] "+&r"(fours)
                     : [f] "r"(&f), [zero] "w"(common.zero), [low] "w"(common.low),
                       [high] "w"(common.high), [lanes] "w"(common.lanes)
                     : "lr", "q0", "q1", "cc", "memory");
}

static void all_channels(
    const kd_strips_params *p, const kd_strips_tile *t, int8_t *out)
{
    const kd_strips_common common = kd_strips_common_of(p, t);
    const int32_t n = p->kernel_rows * p->kernel_columns * p->in_channels;
    const int8_t *stream = p->stream;
    for (int32_t i = p->out_channels; i > 0; i--, out++, stream += n) {
        const kd_strips_constants k = kd_strips_next(&stream);
        if (n > KD_VECTOR_BYTES) {
            long_windows(common, k, stream, n, out);
        } else {
            kd_strips_channel(common, k, vldrbq_z_s8(stream, vctp8q((uint32_t)n)), NULL, out);
        }
    }
}

static void one_tile(const kd_strips_params *p, const kd_strips_tile *t, const void *own,
                     const int8_t *image, int32_t y, int32_t x, int8_t *out)
{
    kd_strips_fill(p, t, image, y, x, p->in_channels, turn, own);
    all_channels(p, t, out);
    if (p->table != NULL) {
        kd_strips_look_up(p, t, p->out_channels, out);
    }
}

void kd_conv_strips_s8(
    const kd_conv_strips_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    const int32_t zeros = whole_vectors(p->in_channels);
    const kd_strips_tile t = kd_strips_tile_of(p, scratch, p->in_channels, 1, zeros, 1);
    const target_of_turn target = target_of(p, &t);
    kd_strips_each(p, &t, in, out, one_tile, &target);
}

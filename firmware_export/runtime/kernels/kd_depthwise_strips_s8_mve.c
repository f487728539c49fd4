/* Each of a block of channels has a strip of its own. An output value is one load and one VMLADAV with
 * weights that stay in a register. */
#include "kd_depthwise_strips_s8.h"

#include "kd_strips_helium.h"

#define BLOCK 16 /* channels, at most; up to 8 if not so many */

/* Where a channel's columns go in the strips. */
typedef struct {
    uint16x8_t strips;
    uint16x8_t others; /* of the second eight channels */
    int32_t column;    /* bytes */
    int32_t channels;
} target_of_turn;

static int8_t *turn(const void *target, const int8_t *from, int32_t apart, int32_t n, int8_t *to)
{
    const target_of_turn *const t = target;
    if (t->channels == BLOCK) {
        __asm__ volatile("wls lr, %[n], 2f\n"
                         "1:\n\t"
                         "vldrb.u16 q0, [%[from]]\n\t"
                         "vldrb.u16 q1, [%[from], #8]\n\t"
                         "vstrb.16 q0, [%[to], %q[strips]]\n\t"
                         "add %[from], %[from], %[apart]\n\t"
                         "vstrb.16 q1, [%[to], %q[others]]\n\t"
                         "add %[to], %[to], %[column]\n\t"
                         "le lr, 1b\n"
                         "2:"
                         : [from] "+l"(from), [to] "+r"(to)
                         : [n] "r"(n), [apart] "r"(apart), [column] "r"(t->column),
                           [strips] "w"(t->strips), [others] "w"(t->others)
                         : "lr", "q0", "q1", "memory");
    } else if (t->channels == BLOCK / 2) {
        __asm__ volatile("wls lr, %[n], 2f\n"
                         "1:\n\t"
                         "vldrb.u16 q0, [%[from]]\n\t"
                         "add %[from], %[from], %[apart]\n\t"
                         "vstrb.16 q0, [%[to], %q[strips]]\n\t"
                         "add %[to], %[to], %[column]\n\t"
                         "le lr, 1b\n"
                         "2:"
                         : [from] "+l"(from), [to] "+r"(to)
                         : [n] "r"(n), [apart] "r"(apart), [column] "r"(t->column),
                           [strips] "w"(t->strips)
                         : "lr", "q0", "memory");
    } else {
        __asm__ volatile("vctp.16 %[channels]\n\t"
                         "wls lr, %[n], 2f\n"
                         "1:\n\t"
                         "vpstt\n\t"
                         "vldrbt.u16 q0, [%[from]]\n\t"
                         "vstrbt.16 q0, [%[to], %q[strips]]\n\t"
                         "add %[from], %[from], %[apart]\n\t"
                         "add %[to], %[to], %[column]\n\t"
                         "le lr, 1b\n"
                         "2:"
                         : [from] "+l"(from), [to] "+r"(to)
                         : [n] "r"(n), [apart] "r"(apart), [column] "r"(t->column),
                           [strips] "w"(t->strips), [channels] "r"(t->channels)
                         : "lr", "q0", "memory", "cc");
    }
    return to;
}

/* Of a window's bytes: where the weights stand, and all bits set; zeros between two columns and behind. */
typedef struct {
    uint8_t at[KD_VECTOR_BYTES];
    uint8_t live[KD_VECTOR_BYTES];
} places;

static void find_places(const kd_strips_params *p, const kd_strips_tile *t, places *to)
{
    const int32_t rows = p->kernel_rows;
    for (int32_t i = 0, row = 0, tap = 0; i < KD_VECTOR_BYTES; i++) {
        const int live = row < rows && tap < rows * p->kernel_columns;
        to->at[i] = live ? (uint8_t)tap : 0u;
        to->live[i] = live ? UINT8_MAX : 0u;
        tap += row < rows;
        row = row + 1 < t->strip_rows ? row + 1 : 0;
    }
}

/* n channels from the first of the stream on. */
static void some_channels(
    const kd_strips_params *p, const kd_strips_tile *t, const places *own, const int8_t *stream, int32_t n,
    int8_t *out)
{
    const kd_strips_common common = kd_strips_common_of(p, t);
    const uint8x16_t at = vldrbq_u8(own->at), live = vldrbq_u8(own->live);
    const int32_t next = t->strip, taps = p->kernel_rows * p->kernel_columns;
    const int8_t *strip = t->strips;
    for (; n > 0; n--, strip += next) {
        const kd_strips_constants k = kd_strips_next(&stream);
        const int8x16_t w =
            vandq_s8(vldrbq_gather_offset_s8(stream, at), vreinterpretq_s8_u8(live));
        kd_strips_channel(common, k, w, strip, out++);
        stream += taps;
    }
}

static void one_tile(const kd_strips_params *p, const kd_strips_tile *t, const void *own,
                     const int8_t *image, int32_t y, int32_t x, int8_t *out)
{
    const int32_t block = p->block, all = p->in_channels, taps = p->kernel_rows * p->kernel_columns;
    const uint16x8_t strips = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)t->strip);
    for (int32_t c = 0; c < all; c += block) {
        /* The last sixteen begin earlier where channels are no multiple of that. */
        const int32_t first = block == BLOCK ? kd_min(c, all - BLOCK) : c;
        const int32_t channels = kd_min(all - first, block);
        const target_of_turn target = {
            strips, vaddq_n_u16(strips, (uint16_t)(8 * t->strip)), t->column, channels};
        kd_strips_fill(p, t, image + first, y, x, 1, turn, &target);
        some_channels(p, t, own, p->stream + first * (KD_HEADER_BYTES + taps), channels, out + first);
        if (p->table != NULL) {
            kd_strips_look_up(p, t, channels, out + first);
        }
    }
}

void kd_depthwise_strips_s8(
    const kd_depthwise_strips_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    const kd_strips_tile t = kd_strips_tile_of(p, scratch, 1, p->block, KD_VECTOR_BYTES, 0);
    places own;
    find_places(p, &t, &own);
    kd_strips_each(p, &t, in, out, one_tile, &own);
}

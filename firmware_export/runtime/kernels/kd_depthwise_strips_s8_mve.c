/* The input of a tile of output pixels is turned so that what a channel's window reads adjoins: for each of a
 * block of channels a strip of columns, each of as many bytes as a window has rows. An output value is then
 * one load and one VMLADAV with weights that stay in a register, and four are narrowed at a time. */
#include "kd_depthwise_strips_s8.h"

#include <arm_mve.h>
#include <stddef.h>

#include "kd_math.h"

#define BLOCK 16 /* channels, at most; up to 8 if not so many */

/* A tile's shape, and where its input lies. */
typedef struct {
    int32_t pixels;
    int shared;          /* whether windows of a row share columns of a strip, or each has its own */
    int whole;           /* whether a tile is as wide as the image, and windows share columns */
    int32_t row_columns; /* of a strip, for one row of the output */
    int32_t strip;       /* bytes of a channel's strip */
    int32_t *windows;    /* where the pixels' windows begin in a strip */
    int8_t *zeros;       /* BLOCK times in_zero */
    int8_t *strips;
} tile;

static tile tile_of(const kd_depthwise_strips_s8_params *p, void *scratch)
{
    const int32_t columns = p->tile_columns;
    tile t;
    t.shared = p->column_step == 1u && p->stride_columns <= p->kernel_columns;
    t.whole = t.shared && columns == p->out_columns;
    const int32_t apart = t.shared ? p->stride_columns : p->kernel_columns;
    t.pixels = p->tile_rows * columns;
    t.row_columns = (columns - 1) * apart + p->kernel_columns;
    t.strip = p->tile_rows * t.row_columns * p->kernel_rows;
    t.windows = scratch;
    /* Behind whole fours the last four pixels come, some of them again. */
    const int32_t whole = t.pixels & ~3, all = (t.pixels + 3) & ~3;
    for (int32_t i = 0; i < all; i++) {
        const int32_t pixel = i < whole ? i : t.pixels - all + i;
        const int32_t column = pixel / columns * t.row_columns + pixel % columns * apart;
        t.windows[i] = column * p->kernel_rows;
    }
    t.zeros = (int8_t *)(t.windows + all);
    t.strips = t.zeros + BLOCK;
    const int8x16_t zeros = vdupq_n_s8((int8_t)p->in_zero);
    for (int8_t *at = t.zeros; at < t.strips + p->block * t.strip; at += BLOCK) {
        vstrbq_s8(at, zeros);
    }
    return t;
}

/* Where a channel's columns go in the strips. */
typedef struct {
    uint16x8_t strips;
    uint16x8_t others; /* of the second eight channels */
    int32_t rows;      /* from column to column */
    int32_t channels;
} target;

/* n pixels that lie `apart` bytes apart into columns of strips. Returns the place of the next column. */
static inline int8_t *turn(const target *t, const int8_t *from, int32_t apart, int32_t n, int8_t *to)
{
    if (t->channels == BLOCK) {
        __asm__ volatile("wls lr, %[n], 2f\n"
                         "1:\n\t"
                         "vldrb.u16 q0, [%[from]]\n\t"
                         "vldrb.u16 q1, [%[from], #8]\n\t"
                         "vstrb.16 q0, [%[to], %q[strips]]\n\t"
                         "add %[from], %[from], %[apart]\n\t"
                         "vstrb.16 q1, [%[to], %q[others]]\n\t"
                         "add %[to], %[to], %[rows]\n\t"
                         "le lr, 1b\n"
                         "2:"
                         : [from] "+l"(from), [to] "+r"(to)
                         : [n] "r"(n), [apart] "r"(apart), [rows] "r"(t->rows),
                           [strips] "w"(t->strips), [others] "w"(t->others)
                         : "lr", "q0", "q1", "memory");
    } else {
        __asm__ volatile("vctp.16 %[channels]\n\t"
                         "wls lr, %[n], 2f\n"
                         "1:\n\t"
                         "vpstt\n\t"
                         "vldrbt.u16 q0, [%[from]]\n\t"
                         "vstrbt.16 q0, [%[to], %q[strips]]\n\t"
                         "add %[from], %[from], %[apart]\n\t"
                         "add %[to], %[to], %[rows]\n\t"
                         "le lr, 1b\n"
                         "2:"
                         : [from] "+l"(from), [to] "+r"(to)
                         : [n] "r"(n), [apart] "r"(apart), [rows] "r"(t->rows),
                           [strips] "w"(t->strips), [channels] "r"(t->channels)
                         : "lr", "q0", "memory", "cc");
    }
    return to;
}

/* The strips of a tile whose first window begins at row y, column x of the image. */
static void fill_strips(const kd_depthwise_strips_s8_params *p, const tile *t, const int8_t *image,
                        int32_t y, int32_t x, int32_t channels)
{
    const int32_t apart = p->channels, rows = p->kernel_rows, in_columns = p->in_columns;
    const int32_t row_columns = t->row_columns, row_step = p->row_step;
    const uint16x8_t strips = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)t->strip);
    const target block = {strips, vaddq_n_u16(strips, (uint16_t)(8 * t->strip)), rows, channels};
    /* Where a tile is as wide as the image, the padding beside it stays as it is. */
    const int32_t first = t->whole ? kd_clamp(-x, 0, row_columns) : 0;
    const int32_t behind = t->whole ? kd_clamp(in_columns - x, first, row_columns) : row_columns;
    int8_t *to = t->strips + first * rows;
    for (int32_t row = p->tile_rows; row > 0; row--, y += p->stride_rows, to += row_columns * rows) {
        for (int32_t i = 0; i < rows; i++) {
            const int32_t at_y = y + i * row_step;
            const int here = at_y >= 0 && at_y < p->in_rows;
            const int8_t *const from = image + at_y * in_columns * apart;
            int8_t *at = to + i;
            int32_t at_x = x + first, tap = 0, n = 1;
            for (int32_t left = behind - first; left > 0; left -= n) {
                const int inside = at_x >= 0 && at_x < in_columns;
                if (t->shared) {
                    n = kd_min(left, at_x < 0 ? -at_x : inside ? in_columns - at_x : left);
                }
                const int live = here && inside;
                at = turn(&block, live ? from + at_x * apart : t->zeros, live ? apart : 0, n, at);
                if (t->shared) {
                    at_x += n;
                } else if (++tap < p->kernel_columns) {
                    at_x += p->column_step;
                } else {
                    tap = 0;
                    at_x += p->stride_columns - (p->kernel_columns - 1) * p->column_step;
                }
            }
        }
    }
}

/* What the assembly of all_channels() loads, in this order. */
typedef struct {
    int32_t multiplier; /* of the channel, as the next four */
    int32_t left;       /* shifts, 0 or more, */
    int32_t right;      /* 0 or less */
    int32_t rounds;     /* 1 where there is a right one */
    int32_t bias;
    int32_t out_zero;
    int32_t next_out;   /* four pixels */
} constants;

/* All pixels of a tile in so many channels from c on. */
static void all_channels(const kd_depthwise_strips_s8_params *p, const tile *t, uint32_t c,
                         int32_t channels, int8_t *out)
{
    const int32_t taps = p->kernel_rows * p->kernel_columns, pixels = t->pixels;
    const int32_t *const multiplier = p->multiplier + c, *const bias = p->bias + c;
    const int8_t *const shifts = p->shift + c, *weights = (const int8_t *)p->weights + c * (uint32_t)taps;
    const mve_pred16_t live = vctp8q((uint32_t)taps);
    const uint32x4_t lanes = vmulq_n_u32(vidupq_n_u32(0, 1), p->channels);
    const int32x4_t low = vdupq_n_s32(p->low), high = vdupq_n_s32(p->high);
    const int8_t *strip = t->strips;
    const int32_t last = (pixels - 4) * p->channels;
    constants k = {.out_zero = p->out_zero, .next_out = 4 * p->channels};
    for (int32_t i = 0; i < channels; i++, weights += taps, strip += t->strip, out++) {
        const int8x16_t w = vldrbq_z_s8(weights, live);
        const int32_t shift = shifts[i];
        k.multiplier = multiplier[i];
        k.left = shift > 0 ? shift : 0;
        k.right = shift < 0 ? shift : 0;
        k.rounds = shift < 0;
        k.bias = bias[i];
        const int32_t *windows = t->windows;
        int8_t *to = out;
        int32_t x0, x1, x2, x3 = pixels / 4, s0, s1, s2, s3;
        for (;;) {
            __asm__ volatile("dls lr, %[x3]\n"
                             "1:\n\t"
                             "ldrd %[x0], %[x1], [%[windows]], #8\n\t"
                             "ldrd %[x2], %[x3], [%[windows]], #8\n\t"
                             "add  %[x0], %[strip], %[x0]\n\t"
                             "vldrb.8 q0, [%[x0]]\n\t"
                             "add  %[x1], %[strip], %[x1]\n\t"
                             "vmladav.s8 %[s0], q0, %q[w]\n\t"
                             "vldrb.8 q1, [%[x1]]\n\t"
                             "add  %[x2], %[strip], %[x2]\n\t"
                             "vmladav.s8 %[s1], q1, %q[w]\n\t"
                             "vldrb.8 q0, [%[x2]]\n\t"
                             "add  %[x3], %[strip], %[x3]\n\t"
                             "vmladav.s8 %[s2], q0, %q[w]\n\t"
                             "vldrb.8 q1, [%[x3]]\n\t"
                             "ldrd %[x0], %[x1], [%[k]]\n\t"
                             "vmladav.s8 %[s3], q1, %q[w]\n\t"
                             "ldrd %[x2], %[x3], [%[k], #8]\n\t"
                             "vmov q0[2], q0[0], %[s0], %[s2]\n\t"
                             "vmov q0[3], q0[1], %[s1], %[s3]\n\t"
                             "ldrd %[s0], %[s1], [%[k], #16]\n\t"
                             "vadd.i32 q0, q0, %[s0]\n\t"
                             "vshl.s32 q0, %[x1]\n\t"
                             "vqrdmulh.s32 q0, q0, %[x0]\n\t"
                             "vshr.s32 q1, q0, #31\n\t"
                             "vmla.s32 q0, q1, %[x3]\n\t"
                             "ldr  %[s2], [%[k], #24]\n\t"
                             "vrshl.s32 q0, %[x2]\n\t"
                             "vadd.i32 q0, q0, %[s1]\n\t"
                             "vmax.s32 q0, q0, %q[low]\n\t"
                             "vmin.s32 q0, q0, %q[high]\n\t"
                             "vstrb.32 q0, [%[to], %q[lanes]]\n\t"
                             "add  %[to], %[to], %[s2]\n\t"
                             "le   lr, 1b"
                             : [s0] "=&Te"(s0), [s1] "=&Te"(s1), [s2] "=&Te"(s2), [s3] "=&Te"(s3),
                               [x0] "=&r"(x0), [x1] "=&r"(x1), [x2] "=&r"(x2), [x3] "+&r"(x3),
                               [windows] "+r"(windows), [to] "+r"(to)
                             : [strip] "r"(strip), [k] "r"(&k), [w] "w"(w),
                               [low] "w"(low), [high] "w"(high), [lanes] "w"(lanes)
                             : "lr", "q0", "q1", "memory");
            if ((pixels & 3) == 0 || windows > t->windows + pixels) {
                break;
            }
            to = out + last;
            x3 = 1;
        }
    }
}

/* The values that the table has for n of a pixel. */
static void look_up(const int8_t *table, int8_t *out, uint32_t n)
{
    const mve_pred16_t these = vctp8q(n);
    const uint8x16_t at = veorq_u8(vldrbq_z_u8((uint8_t *)out, these), vdupq_n_u8(128));
    vstrbq_p_s8(out, vldrbq_gather_offset_s8(table, at), these);
}

static void one_tile(const kd_depthwise_strips_s8_params *p, const tile *t, const int8_t *image, int32_t row,
                     int32_t column, int8_t *out)
{
    const int32_t y = row * p->stride_rows - p->pad_rows;
    const int32_t x = column * p->stride_columns - p->pad_columns;
    const uint32_t block = p->block, all = p->channels;
    out += (row * p->out_columns + column) * p->channels;
    for (uint32_t c = 0; c < all; c += block) {
        /* The last sixteen begin earlier where channels are no multiple of that. */
        const uint32_t first = block == BLOCK && c + BLOCK > all ? all - BLOCK : c;
        const uint32_t channels = all - first < block ? all - first : block;
        fill_strips(p, t, image + first, y, x, (int32_t)channels);
        all_channels(p, t, first, (int32_t)channels, out + first);
        for (int32_t i = p->table != NULL ? t->pixels - 1 : -1; i >= 0; i--) {
            look_up(p->table, out + first + (uint32_t)i * all, channels);
        }
    }
}

void kd_depthwise_strips_s8(
    const kd_depthwise_strips_s8_params *p, const int8_t *in, void *scratch, int8_t *out)
{
    const tile t = tile_of(p, scratch);
    for (uint32_t batch = p->batches; batch > 0u; batch--) {
        for (int32_t row = 0; row < p->out_rows; row += p->tile_rows) {
            /* The last tile begins earlier where tiles do not fill the image. */
            const int32_t at_row = kd_min(row, p->out_rows - p->tile_rows);
            for (int32_t column = 0; column < p->out_columns; column += p->tile_columns) {
                const int32_t at_column = kd_min(column, p->out_columns - p->tile_columns);
                one_tile(p, &t, in, at_row, at_column, out);
            }
        }
        in += p->in_rows * p->in_columns * p->channels;
        out += p->out_rows * p->out_columns * p->channels;
    }
}

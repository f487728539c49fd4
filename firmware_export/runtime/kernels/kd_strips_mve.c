/* Strips of the input: see kd_strips.h. */
#include "kd_strips.h"

#include <arm_mve.h>

#include "kd_look_up.h"
#include "kd_math.h"

/* The place of pixel i of a run. */
static int32_t *place_of(int32_t *run, int32_t i)
{
    return run + i + (i >> 2);
}

/* The end of a run of n pixels that begins at `first` in the output. Behind whole fours its last four pixels
 * come, some of them again. Returns where the next run's places go. */
static int32_t *end_run(int32_t *run, int32_t n, int32_t first, int32_t step)
{
    const int32_t fours = (n + 3) / 4;
    for (int32_t i = 3; i >= 0 && (n & 3) != 0; i--) {
        *place_of(run, (n & ~3) + i) = *place_of(run, kd_max(n - 4 + i, 0));
    }
    for (int32_t i = 0; i < fours; i++, run += 5) {
        run[4] = first + kd_max(kd_min(4 * i, n - 4), 0) * step;
    }
    return run;
}

kd_strips_tile kd_strips_tile_of(
    const kd_strips_params *p, void *scratch, int32_t deep, int32_t strips, int32_t zeros, int absolute)
{
    const int32_t columns = p->tile_columns, rows = p->tile_rows;
    kd_strips_tile t;
    t.shared = p->column_step == 1u && p->stride_columns <= p->kernel_columns;
    const int whole = columns == p->out_columns, together = whole && p->out_row_gap == 0;
    t.whole = t.shared && whole;
    t.one = t.whole && rows == p->out_rows;
    const int32_t apart = t.shared ? p->stride_columns : p->kernel_columns;
    t.strip_rows = (p->band_rows - 1) * p->stride_rows + p->kernel_rows;
    t.column = t.strip_rows * deep;
    t.row_columns = (columns - 1) * apart + p->kernel_columns;
    t.strip = rows / p->band_rows * t.row_columns * t.column;
    t.runs = together ? 1 : rows;
    t.run_pixels = together ? rows * columns : columns;
    t.next_run = p->out_columns * p->out_step + p->out_row_gap;
    t.fours = t.runs * ((t.run_pixels + 3) / 4);
    t.places = scratch;
    t.zeros = (int8_t *)(t.places + 5 * t.fours);
    t.strips = t.zeros + zeros;
    int32_t *run = t.places;
    int32_t band = absolute ? (int32_t)(intptr_t)t.strips : 0;
    for (int32_t row = 0, in_band = 0, pixel = 0; row < rows; row++) {
        int32_t place = band + in_band * p->stride_rows * deep;
        for (int32_t i = columns; i > 0; i--, place += apart * t.column) {
            *place_of(run, pixel++) = place;
        }
        if (pixel == t.run_pixels) {
            run = end_run(run, pixel, together ? 0 : row * t.next_run, p->out_step);
            pixel = 0;
        }
        if (++in_band == p->band_rows) {
            in_band = 0;
            band += t.row_columns * t.column;
        }
    }
    const int8x16_t zero = vdupq_n_s8((int8_t)p->in_zero);
    for (int8_t *to = t.zeros; to < t.strips + strips * t.strip; to += KD_VECTOR_BYTES) {
        vstrbq_s8(to, zero);
    }
    return t;
}

/* n columns of padding from `at` on. */
static void pad(const kd_strips_tile *t, int32_t n, int32_t deep, kd_strips_turn *turn, const void *target,
                int8_t *at)
{
    for (int32_t i = n > 0 ? t->strip_rows : 0; i > 0; i--, at += deep) {
        turn(target, t->zeros, 0, n, at);
    }
}

/* Strips in which windows of a row share columns. Of a tile as wide as the image the padding beside it stays
 * as it is; where it is as high, too, all padding does. */
static void fill_shared(const kd_strips_params *p, const kd_strips_tile *t, const int8_t *image, int32_t y,
                        int32_t x, int32_t deep, kd_strips_turn *turn, const void *target)
{
    const int32_t apart = p->in_channels, row_bytes = p->in_columns * apart, all = t->row_columns;
    const int32_t first = kd_clamp(-x, 0, all), end = kd_clamp(p->in_columns - x, first, all);
    const int32_t n = end - first, in_rows = p->in_rows, step = p->row_step;
    int8_t *to = t->strips;
    image += (x + first) * apart;
    for (int32_t row = p->tile_rows; row > 0; row -= p->band_rows) {
        const int8_t *from = image + y * row_bytes;
        int8_t *at = to + first * t->column;
        const int32_t last = y + t->strip_rows * step;
        for (int32_t i = y; i < last; i += step, from += step * row_bytes, at += deep) {
            if (i >= 0 && i < in_rows) {
                turn(target, from, apart, n, at);
            } else if (!t->one) {
                turn(target, t->zeros, 0, n, at);
            }
        }
        if (!t->whole) {
            pad(t, first, deep, turn, target, to);
            pad(t, all - end, deep, turn, target, to + end * t->column);
        }
        y += p->band_rows * p->stride_rows;
        to += all * t->column;
    }
}

/* Strips in which each window has its own columns. */
static void fill_apart(const kd_strips_params *p, const kd_strips_tile *t, const int8_t *image, int32_t y,
                       int32_t x, int32_t deep, kd_strips_turn *turn, const void *target)
{
    const int32_t apart = p->in_channels, in_columns = p->in_columns;
    const int32_t next = p->stride_columns - (p->kernel_columns - 1) * p->column_step;
    int8_t *to = t->strips;
    for (int32_t row = p->tile_rows; row > 0; row -= p->band_rows) {
        for (int32_t i = 0; i < t->strip_rows; i++) {
            const int32_t at_y = y + i * p->row_step;
            const int here = at_y >= 0 && at_y < p->in_rows;
            const int8_t *const from = image + at_y * in_columns * apart;
            int8_t *at = to + i * deep;
            for (int32_t left = t->row_columns, at_x = x, tap = 0; left > 0; left--) {
                const int live = here && at_x >= 0 && at_x < in_columns;
                at = turn(target, live ? from + at_x * apart : t->zeros, 0, 1, at);
                const int more = ++tap < p->kernel_columns;
                at_x += more ? p->column_step : next;
                tap = more ? tap : 0;
            }
        }
        y += p->band_rows * p->stride_rows;
        to += t->row_columns * t->column;
    }
}

void kd_strips_fill(const kd_strips_params *p, const kd_strips_tile *t, const int8_t *image, int32_t y,
                    int32_t x, int32_t deep, kd_strips_turn *turn, const void *target)
{
    (t->shared ? fill_shared : fill_apart)(p, t, image, y, x, deep, turn, target);
}

void kd_strips_look_up(
    const kd_strips_params *p, const kd_strips_tile *t, int32_t channels, int8_t *out)
{
    for (int32_t run = t->runs; run > 0; run--, out += t->next_run) {
        const int adjoining = channels == p->out_step;
        const int32_t n = adjoining ? t->run_pixels * channels : channels;
        int8_t *at = out;
        for (int32_t i = adjoining ? 1 : t->run_pixels; i > 0; i--, at += p->out_step) {
            kd_look_up(p->table, at, n);
        }
    }
}

void kd_strips_each(const kd_strips_params *p, const kd_strips_tile *t, const int8_t *in, int8_t *out,
                    kd_strips_one_tile *one_tile, const void *own)
{
    out += p->out_first;
    for (uint32_t batch = p->batches; batch > 0u; batch--) {
        for (int32_t row = 0; row < p->out_rows; row += p->tile_rows) {
            /* The last tile begins earlier where tiles do not fill the image. */
            const int32_t at_row = kd_min(row, p->out_rows - p->tile_rows);
            for (int32_t column = 0; column < p->out_columns; column += p->tile_columns) {
                const int32_t at_column = kd_min(column, p->out_columns - p->tile_columns);
                one_tile(p, t, own, in, at_row * p->stride_rows - p->pad_rows,
                         at_column * p->stride_columns - p->pad_columns,
                         out + at_row * t->next_run + at_column * p->out_step);
            }
        }
        in += p->in_rows * p->in_columns * p->in_channels;
        out += p->out_rows * t->next_run;
    }
}

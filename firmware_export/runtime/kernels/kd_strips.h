/* What convolutions share whose input Helium lays into strips: kd_conv_strips_s8, kd_depthwise_strips_s8. */
#ifndef KD_STRIPS_H
#define KD_STRIPS_H

#include <stddef.h>
#include <stdint.h>

/* A strip holds columns of the input, in each of them the rows that a band of the output's rows reads one
 * below the other. What a window reads then adjoins, but for what is between two of its
 * columns. A tile is as many bands and columns as are computed at a time. */
typedef struct {
    const int8_t *stream;      /* by output channel: a word of bias, with the input's zero point folded in,
                                * one of multiplier, a byte of shift, left where positive, and weights:
                                * [column of the window][row of it][input channel]; bytes behind
                                * them, so that a channel may be read from its beginning as a vector */
    const int8_t *table;       /* 256 values that replace value + 128 after clamping; or NULL */
    int32_t out_first;         /* of the output, bytes: where the first pixel goes, */
    int32_t out_step;          /* what is between two pixels' beginnings, */
    int32_t out_row_gap;       /* and what is added to that behind a row */
    uint16_t batches;
    uint16_t in_rows;
    uint16_t in_columns;
    uint16_t in_channels;
    uint16_t kernel_rows;
    uint16_t kernel_columns;
    uint16_t stride_rows;
    uint16_t stride_columns;
    uint16_t row_step;         /* dilation */
    uint16_t column_step;
    int16_t pad_rows;          /* above and left of the first input pixel; negative: left out */
    int16_t pad_columns;
    uint16_t out_rows;
    uint16_t out_columns;
    uint16_t out_channels;
    uint16_t band_rows;        /* of the output; 1, or windows overlap and are not dilated */
    uint16_t tile_rows;        /* of the output: whole bands, */
    uint16_t tile_columns;     /* and all columns or a multiple of 4 */
    int16_t in_zero;           /* the input's zero point, */
    int16_t out_zero;          /* the output's before the table */
    int8_t low;                /* clamp, both ends included; the whole range where a table is */
    int8_t high;
    uint8_t block;             /* depthwise: channels at a time, 16, 8 or fewer; else 0 */
} kd_strips_params;

#define KD_VECTOR_BYTES 16

/* A tile's shape, and where its strips lie. */
typedef struct {
    int shared;          /* whether windows of a row share columns of a strip, or each has its own */
    int whole;           /* whether a tile is as wide as the image, and windows share columns */
    int one;             /* whether it is as high, too */
    int32_t strip_rows;  /* of a band: rows of the input */
    int32_t column;      /* bytes of a strip's column */
    int32_t row_columns; /* of a strip, for one band */
    int32_t strip;       /* bytes of a strip */
    int32_t runs;        /* of pixels that lie evenly in the output, */
    int32_t run_pixels;  /* so many each, */
    int32_t next_run;    /* so many bytes from one to the next */
    int32_t fours;       /* of pixels, of all runs */
    int32_t *places;     /* of each four: where their windows begin, and where their output does */
    int8_t *zeros;       /* a pixel of in_zero */
    int8_t *strips;
} kd_strips_tile;

/* n pixels of the input that lie `apart` bytes apart go into columns of strips. Returns the place of the
 * next column. */
typedef int8_t *kd_strips_turn(
    const void *target, const int8_t *from, int32_t apart, int32_t n, int8_t *to);

/* What to do with a tile: its first window begins at row y, column x of the image, its output at `out`.
 * own: what the kernel has set up for all tiles. */
typedef void kd_strips_one_tile(const kd_strips_params *p, const kd_strips_tile *t, const void *own,
                                const int8_t *image, int32_t y, int32_t x, int8_t *out);

/* deep: bytes of a strip's pixel. strips: how many there are. zeros: bytes of in_zero, a multiple of 16.
 * absolute: places of windows are addresses, else offsets into a strip. */
kd_strips_tile kd_strips_tile_of(
    const kd_strips_params *p, void *scratch, int32_t deep, int32_t strips, int32_t zeros, int absolute);

/* The strips of a tile whose first window begins at row y, column x of the image. */
void kd_strips_fill(const kd_strips_params *p, const kd_strips_tile *t, const int8_t *image, int32_t y,
                    int32_t x, int32_t deep, kd_strips_turn *turn, const void *target);

/* The values that the table has in place of so many of each pixel of a tile. */
void kd_strips_look_up(
    const kd_strips_params *p, const kd_strips_tile *t, int32_t channels, int8_t *out);

/* Every tile of every image. */
void kd_strips_each(const kd_strips_params *p, const kd_strips_tile *t, const int8_t *in, int8_t *out,
                    kd_strips_one_tile *one_tile, const void *own);

#endif /* KD_STRIPS_H */

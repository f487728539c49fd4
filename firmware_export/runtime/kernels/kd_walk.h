/* Walking over tensors of any rank: rows of values, and the axes from row to row. */
#ifndef KD_WALK_H
#define KD_WALK_H

#include <stdbool.h>
#include <stdint.h>

/* Axes outside of a row, at most; a tensor has up to 8 and the row takes one. */
#define KD_MAX_AXES 7

/* Rows over two tensors at once, in values (copies: in bytes). */
typedef struct {
    int32_t count;       /* values in a row */
    int32_t a_step;      /* from value to value in the first tensor, 0 repeats one value */
    int32_t b_step;      /* and in the second */
    int32_t n_axes;      /* 0 to KD_MAX_AXES */
    const int32_t *axes; /* size, step in a, step in b of each axis, the innermost first */
} kd_rows;

/* Where a row begins in each tensor; all zeros for the first. */
typedef struct {
    int32_t a;
    int32_t b;
    int32_t index[KD_MAX_AXES];
} kd_walk;

/* Goes to the next row. Returns false, with `at` at the first row again, behind the last one. */
bool kd_walk_next(const kd_rows *rows, kd_walk *at);

#endif /* KD_WALK_H */

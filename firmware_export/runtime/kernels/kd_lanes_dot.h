/* Four rows of weights against one or two vectors of values. After a kd_lanes_….h. */
#ifndef KD_LANES_DOT_H
#define KD_LANES_DOT_H

/* Of fewer values no lane is filled. */
#define KD_LEAST_VALUES 8u

/* Four totals on their way. */
typedef struct {
    kd_sums a, b, c, d;
} kd_four_sums;

static inline kd_four_sums kd_no_four_sums(void)
{
    const kd_four_sums none = {kd_no_sums(), kd_no_sums(), kd_no_sums(), kd_no_sums()};
    return none;
}

static inline kd_four_sums kd_add_four(kd_four_sums s, kd_values a, kd_values b, kd_values c,
                                       kd_values d, kd_values x)
{
    s.a = kd_add_products(s.a, a, x);
    s.b = kd_add_products(s.b, b, x);
    s.c = kd_add_products(s.c, c, x);
    s.d = kd_add_products(s.d, d, x);
    return s;
}

/* sums[i] = rows[i] . x for i from 0 to 3, over n (at least 1) columns. No value behind a row is read:
 * the last columns are read again with those before them, which count as nothing. */
static inline void kd_four_rows(const int8_t *const rows[4], const int8_t *x, uint32_t n,
                                int32_t sums[4])
{
    const int8_t *const a = rows[0], *const b = rows[1], *const c = rows[2], *const d = rows[3];
    const uint32_t left = n % KD_LANES;
    kd_four_sums s = kd_no_four_sums();
    if (n < KD_LEAST_VALUES) {
        for (int i = 0; i < 4; i++) {
            sums[i] = 0;
            for (uint32_t at = 0; at < n; at++) {
                sums[i] += rows[i][at] * x[at];
            }
        }
        return;
    }
    for (uint32_t at = 0; at + KD_LANES <= n; at += KD_LANES) {
        s = kd_add_four(s, kd_load_values(a + at), kd_load_values(b + at), kd_load_values(c + at),
                        kd_load_values(d + at), kd_load_values(x + at));
    }
    if (n < KD_LANES) {
        s = kd_add_four(s, kd_load_ends(a, n), kd_load_ends(b, n), kd_load_ends(c, n),
                        kd_load_ends(d, n), kd_load_ends(x, n));
    } else if (left > 0u) {
        const uint32_t at = n - KD_LANES;
        s = kd_add_four(s, kd_load_values(a + at), kd_load_values(b + at), kd_load_values(c + at),
                        kd_load_values(d + at), kd_load_last(x + at, left));
    }
    kd_store_sums(s.a, s.b, s.c, s.d, sums);
}

/* The same with two vectors of values; n: at least KD_LEAST_VALUES. */
static inline void kd_four_rows_twice(const int8_t *const rows[4], const int8_t *x, const int8_t *y,
                                      uint32_t n, int32_t of_x[4], int32_t of_y[4])
{
    const int8_t *const a = rows[0], *const b = rows[1], *const c = rows[2], *const d = rows[3];
    const uint32_t left = n % KD_LANES;
    kd_four_sums s = kd_no_four_sums(), t = kd_no_four_sums();
    for (uint32_t at = 0; at + KD_LANES <= n; at += KD_LANES) {
        const kd_values u = kd_load_values(a + at), v = kd_load_values(b + at);
        const kd_values w = kd_load_values(c + at), z = kd_load_values(d + at);
        s = kd_add_four(s, u, v, w, z, kd_load_values(x + at));
        t = kd_add_four(t, u, v, w, z, kd_load_values(y + at));
    }
    if (n < KD_LANES) {
        const kd_values u = kd_load_ends(a, n), v = kd_load_ends(b, n);
        const kd_values w = kd_load_ends(c, n), z = kd_load_ends(d, n);
        s = kd_add_four(s, u, v, w, z, kd_load_ends(x, n));
        t = kd_add_four(t, u, v, w, z, kd_load_ends(y, n));
    } else if (left > 0u) {
        const uint32_t at = n - KD_LANES;
        const kd_values u = kd_load_values(a + at), v = kd_load_values(b + at);
        const kd_values w = kd_load_values(c + at), z = kd_load_values(d + at);
        s = kd_add_four(s, u, v, w, z, kd_load_last(x + at, left));
        t = kd_add_four(t, u, v, w, z, kd_load_last(y + at, left));
    }
    kd_store_sums(s.a, s.b, s.c, s.d, of_x);
    kd_store_sums(t.a, t.b, t.c, t.d, of_y);
}

#endif /* KD_LANES_DOT_H */

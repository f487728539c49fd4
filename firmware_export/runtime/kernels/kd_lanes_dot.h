/* Four rows of weights against one or two vectors of values. After a kd_lanes_….h. */
#ifndef KD_LANES_DOT_H
#define KD_LANES_DOT_H

/* The n values at `from`, zeros behind; n: below KD_LANES. */
static inline kd_values kd_load_few(const int8_t *from, uint32_t n)
{
    int8_t values[KD_LANES] = {0};
    for (uint32_t i = 0; i < n; i++) {
        values[i] = from[i];
    }
    return kd_load_values(values);
}

/* sums[i] = rows[i] . x for i from 0 to 3, over n (at least 1) columns. No value behind a row is read:
 * the last columns are read again with those before them, which count as nothing. */
static inline void kd_four_rows(const int8_t *const rows[4], const int8_t *x, uint32_t n,
                                int32_t sums[4])
{
    kd_sums s[4] = {kd_no_sums(), kd_no_sums(), kd_no_sums(), kd_no_sums()};
    if (n < KD_LANES) {
        const kd_values v = kd_load_few(x, n);
        for (int i = 0; i < 4; i++) {
            s[i] = kd_add_products(s[i], kd_load_few(rows[i], n), v);
        }
    } else {
        const uint32_t left = n % KD_LANES;
        for (uint32_t at = 0; at + KD_LANES <= n; at += KD_LANES) {
            const kd_values v = kd_load_values(x + at);
            for (int i = 0; i < 4; i++) {
                s[i] = kd_add_products(s[i], kd_load_values(rows[i] + at), v);
            }
        }
        if (left > 0u) {
            const uint32_t at = n - KD_LANES;
            const kd_values v = kd_load_last(x + at, left);
            for (int i = 0; i < 4; i++) {
                s[i] = kd_add_products(s[i], kd_load_values(rows[i] + at), v);
            }
        }
    }
    kd_store_sums(s, sums);
}

/* The same with two vectors of values; n: at least KD_LANES. */
static inline void kd_four_rows_twice(const int8_t *const rows[4], const int8_t *x, const int8_t *y,
                                      uint32_t n, int32_t of_x[4], int32_t of_y[4])
{
    kd_sums s[4] = {kd_no_sums(), kd_no_sums(), kd_no_sums(), kd_no_sums()};
    kd_sums t[4] = {kd_no_sums(), kd_no_sums(), kd_no_sums(), kd_no_sums()};
    const uint32_t left = n % KD_LANES;
    for (uint32_t at = 0; at + KD_LANES <= n; at += KD_LANES) {
        const kd_values v = kd_load_values(x + at), w = kd_load_values(y + at);
        for (int i = 0; i < 4; i++) {
            const kd_values row = kd_load_values(rows[i] + at);
            s[i] = kd_add_products(s[i], row, v);
            t[i] = kd_add_products(t[i], row, w);
        }
    }
    if (left > 0u) {
        const uint32_t at = n - KD_LANES;
        const kd_values v = kd_load_last(x + at, left), w = kd_load_last(y + at, left);
        for (int i = 0; i < 4; i++) {
            const kd_values row = kd_load_values(rows[i] + at);
            s[i] = kd_add_products(s[i], row, v);
            t[i] = kd_add_products(t[i], row, w);
        }
    }
    kd_store_sums(s, of_x);
    kd_store_sums(t, of_y);
}

#endif /* KD_LANES_DOT_H */

/* The text of kd_dot_rows() on a phone's or computer's vectors. After a kd_lanes_….h. */
#include "kd_dot_rows.h"
#include "kd_lanes_dot.h"

void kd_dot_rows(const int8_t *const rows[4], const int8_t *x, uint32_t n, int32_t sums[4])
{
    int32_t products[4];
    kd_four_rows(rows, x, n, products);
    for (int i = 0; i < 4; i++) {
        sums[i] += products[i];
    }
}

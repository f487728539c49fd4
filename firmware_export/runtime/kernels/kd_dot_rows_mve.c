#include "kd_dot_rows.h"

#include "kd_dot_rows_helium.h"

void kd_dot_rows(const int8_t *const rows[4], const int8_t *x, uint32_t n, int32_t sums[4])
{
    kd_dot_rows_helium(rows[0], rows[1], rows[2], rows[3], x, n, sums, sums);
}

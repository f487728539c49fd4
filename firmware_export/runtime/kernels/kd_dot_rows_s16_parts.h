/* kd_dot_rows_s16() over parts of a row that need 32 bits. Before it: kd_dot_part(), which gives the
 * sums of n columns, up to KD_COLUMNS_OF_32_BITS. */

void kd_dot_rows_s16(const int8_t *weights, uint32_t pitch, const int16_t *x, uint32_t n,
                     int64_t sums[4])
{
    for (uint32_t at = 0; at < n; at += KD_COLUMNS_OF_32_BITS) {
        const uint32_t left = n - at;
        const uint32_t part = left < KD_COLUMNS_OF_32_BITS ? left : KD_COLUMNS_OF_32_BITS;
        int32_t narrow[4];
        kd_dot_part(weights + at, pitch, x + at, part, narrow);
        for (uint32_t i = 0; i < 4u; i++) {
            sums[i] += narrow[i];
        }
    }
}

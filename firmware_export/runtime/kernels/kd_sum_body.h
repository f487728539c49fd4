/* The text of kd_sum_s8() and kd_sum_s16(). Before it: KD_SUM, KD_VALUE, KD_SUM_BITS, KD_HIGH_MUL and,
 * for int8, KD_SUM_TABLE; kd_rescale.h. */

void KD_SUM(const kd_sum_params *p, const KD_VALUE *a, const KD_VALUE *b, KD_VALUE *out)
{
    kd_walk at = {0};
    do {
        const KD_VALUE *x = a + at.a;
        const KD_VALUE *y = b + at.b;
        for (int32_t i = 0; i < p->rows.count; i++) {
            const int32_t first = KD_HIGH_MUL((*x + p->a_offset) * (1 << KD_SUM_BITS), p->a_multiplier);
            const int32_t second = KD_HIGH_MUL((*y + p->b_offset) * (1 << KD_SUM_BITS), p->b_multiplier);
            const int32_t sum =
                kd_round_right(first, p->a_right) + p->sign * kd_round_right(second, p->b_right);
            const int32_t raw = kd_round_right(KD_HIGH_MUL(sum, p->multiplier), p->right) + p->offset;
            const int32_t value = kd_clamp(raw, p->low, p->high);
#ifdef KD_SUM_TABLE
            *out++ = p->table != NULL ? p->table[value + 128] : (KD_VALUE)value;
#else
            *out++ = (KD_VALUE)value;
#endif
            x += p->rows.a_step;
            y += p->rows.b_step;
        }
    } while (kd_walk_next(&p->rows, &at));
}

/* The text of kd_mul_s8() and kd_mul_s16(). Before it: KD_MUL, KD_VALUE and, for int8, KD_MUL_TABLE. */

void KD_MUL(const kd_mul_params *p, const KD_VALUE *a, const KD_VALUE *b, KD_VALUE *out)
{
    kd_walk at = {0};
    do {
        const KD_VALUE *x = a + at.a;
        const KD_VALUE *y = b + at.b;
        for (int32_t i = 0; i < p->rows.count; i++) {
            const int32_t product = (*x + p->a_offset) * (*y + p->b_offset);
            const int32_t raw = kd_rescale(product, p->multiplier, p->shift) + p->offset;
            const int32_t value = kd_clamp(raw, p->low, p->high);
#ifdef KD_MUL_TABLE
            *out++ = p->table != NULL ? p->table[value + 128] : (KD_VALUE)value;
#else
            *out++ = (KD_VALUE)value;
#endif
            x += p->rows.a_step;
            y += p->rows.b_step;
        }
    } while (kd_walk_next(&p->rows, &at));
}

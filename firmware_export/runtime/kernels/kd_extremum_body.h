/* The text of kd_extremum_s8() and kd_extremum_s16(). Before it: KD_EXTREMUM, its KD_PARAMS, KD_VALUE. */

void KD_EXTREMUM(const KD_PARAMS *p, const KD_VALUE *a, const KD_VALUE *b, KD_VALUE *out)
{
    kd_walk at = {0};
    do {
        const KD_VALUE *x = a + at.a;
        const KD_VALUE *y = b + at.b;
        for (int32_t i = 0; i < p->rows.count; i++) {
            *out++ = (*x < *y) == (p->minimum != 0) ? *x : *y;
            x += p->rows.a_step;
            y += p->rows.b_step;
        }
    } while (kd_walk_next(&p->rows, &at));
}

/* The text of kd_reduce_s8() and kd_reduce_s16(). Before it: KD_REDUCE, KD_VALUE, KD_LOW, KD_HIGH. */

static int32_t kd_sum_of(const kd_rows *rows, const KD_VALUE *in)
{
    kd_walk at = {0};
    int32_t sum = 0;
    do {
        const KD_VALUE *x = in + at.a;
        for (int32_t i = 0; i < rows->count; i++) {
            sum += *x;
            x += rows->a_step;
        }
    } while (kd_walk_next(rows, &at));
    return sum;
}

void KD_REDUCE(const kd_reduce_params *p, const KD_VALUE *in, KD_VALUE *out)
{
    kd_walk at = {0};
    do {
        const KD_VALUE *x = in + at.a;
        for (int32_t i = 0; i < p->kept.count; i++) {
            const int32_t sum = kd_sum_of(&p->reduced, x) + p->sum_offset;
            const int32_t raw = kd_rescale(sum, p->multiplier, p->shift) + p->offset;
            *out++ = (KD_VALUE)kd_clamp(raw, KD_LOW, KD_HIGH);
            x += p->kept.a_step;
        }
    } while (kd_walk_next(&p->kept, &at));
}

/* The text of kd_softmax_s8() and kd_softmax_s8_s16(). Before it: KD_SOFTMAX, KD_RESULT, KD_BITS and,
 * where a core has faster forms of kd_high_mul(a, b), KD_HIGH_MUL of |a| < 2^30 and
 * KD_HIGH_MUL_UPPER of b >= 2^30. */

#define KD_LEAST_RESULT (-(1 << (KD_BITS - 1)))

#ifndef KD_HIGH_MUL
#if defined(__GNUC__)
__attribute__((noinline)) /* inline, the products would be a quarter of the code */
#endif
static int32_t kd_product(int32_t a, int32_t b)
{
    return kd_high_mul(a, b);
}
#define KD_HIGH_MUL kd_product
#define KD_HIGH_MUL_UPPER kd_product
#define KD_HIGH_MUL_ANY kd_product
#else
#define KD_HIGH_MUL_ANY kd_high_mul
#endif

/* x / 2^right, halves up, of x >= 0; right is at least 1. */
static inline int32_t kd_halves_up(int32_t x, int32_t right)
{
    return ((x >> (right - 1)) + 1) >> 1;
}

/* exp(a) in 2^-31, of a <= 0 in 2^-26: gemmlowp's fixed-point function with 5 integer bits. */
static int32_t kd_exp(int32_t a)
{
    /* exp(-1), exp(-2), ... exp(-16) in 2^-31. */
    static const int32_t powers[] = {790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = 1 << 24;
    if (a == 0) {
        return INT32_MAX;
    }
    const int32_t in_quarter = (a & (quarter - 1)) - quarter;
    /* Taylor around -1/8. */
    const int32_t x = in_quarter * 32 + (1 << 28);
    const int32_t x2 = KD_HIGH_MUL(x, x);
    const int32_t x3 = KD_HIGH_MUL(x2, x);
    const int32_t x4 = KD_HIGH_MUL(x2, x2);
    const int32_t third = KD_HIGH_MUL(kd_halves_up(x4, 2) + x3, 715827883);
    int32_t result = 1895147668 + KD_HIGH_MUL(x + kd_halves_up(third + x2, 1), 1895147668);
    uint32_t quarters = (uint32_t)(in_quarter - a) >> 24;
    if ((quarters & 1u) != 0u) {
        result = KD_HIGH_MUL_UPPER(result, 1672461947); /* exp(-1/4) */
    }
    if ((quarters & 2u) != 0u) {
        result = KD_HIGH_MUL_UPPER(result, 1302514674); /* exp(-1/2) */
    }
    const int32_t *power = powers;
    for (quarters >>= 2; quarters != 0u; quarters >>= 1, power++) {
        if ((quarters & 1u) != 0u) {
            result = KD_HIGH_MUL(*power, result);
        }
    }
    return result;
}

/* 1 / (1 + a) in 2^-31, of a in [0, 1) in 2^-31: three steps after Newton. */
static int32_t kd_one_over_one_plus(int32_t a)
{
    const int32_t half = (int32_t)(((uint32_t)a + 0x80000000u) >> 1);
    int32_t x = 1515870810 + KD_HIGH_MUL_UPPER(-1010580540, half); /* 48/17 - 32/17 half, in 2^-29 */
    for (int32_t i = 0; i < 3; i++) {
        x += KD_HIGH_MUL((1 << 29) - KD_HIGH_MUL_UPPER(x, half), x) * 4;
    }
    return x >= 1 << 30 ? INT32_MAX : x * 2;
}

/* How much a value that is `difference` away from its row's largest one counts, in 2^-31. */
static int32_t kd_share(const kd_softmax_params *p, int32_t difference)
{
    if (difference < p->least) {
        return 0;
    }
    return kd_exp(KD_HIGH_MUL_UPPER(kd_shift_left(difference, (uint32_t)p->left), p->multiplier));
}

void KD_SOFTMAX(const kd_softmax_params *p, const int8_t *in, KD_RESULT *out)
{
    for (int32_t row = 0; row < p->rows; row++) {
        int32_t most = -128;
        for (int32_t c = 0; c < p->depth; c++) {
            most = kd_max(most, in[c]);
        }
        int32_t sum = 0;
        for (int32_t c = 0; c < p->depth; c++) {
            sum += kd_halves_up(kd_share(p, in[c] - most), 12);
        }
        uint32_t top = (uint32_t)sum; /* its highest bit at 31 */
        int32_t right = 12 + 31 - KD_BITS;
        while (top < 0x80000000u) {
            top <<= 1;
            right--;
        }
        const int32_t scale = kd_one_over_one_plus((int32_t)(top - 0x80000000u));
        for (int32_t c = 0; c < p->depth; c++) {
            const int32_t share = KD_HIGH_MUL_ANY(kd_share(p, in[c] - most), scale);
            const int32_t result = right > 31 ? 0 : kd_halves_up(share, right);
            out[c] = (KD_RESULT)kd_min(result + KD_LEAST_RESULT, -1 - KD_LEAST_RESULT);
        }
        in += p->depth;
        out += p->depth;
    }
}

/* How several models answer as one: the arithmetic of kd_edge.base.composition, bit for bit.
 *
 * Scores are int8, `n` of them: places (of one, or pixels) of `classes` scores each. n is a multiple
 * of classes; classes is 1 or more. No function fails, allocates or keeps anything. */
#ifndef KD_RULE_H
#define KD_RULE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How one model's scores come onto the answer's scale.
 * factor: 0 to 2^20; the factors of an average add up to 2^20, give or take one a model. */
typedef struct kd_rule_scale {
    int32_t zero_point; /* of the model's scores, -128 to 127 */
    int32_t factor;     /* steps of the answer in one of the model's, times 2^20 */
} kd_rule_scale;

/* Steps from the best score of a place to its next, 0 to 255; the smallest of all places.
 * classes: 2 or more. Stack: 32 bytes. */
int32_t kd_rule_margin(const int8_t *scores, uint32_t n, uint32_t classes);

/* The place of the best of n scores, the first of equals; of one score 1 if it is `threshold` or
 * more, else 0. Stack: 16 bytes. */
uint32_t kd_rule_pick(const int8_t *scores, uint32_t n, int32_t threshold);

/* out[i] = round((scores[i] - zero_point) * factor / 2^20) + answer_zero, halves up, within int8. A
 * score below the best of its place stays below it. out may be scores. Stack: 48 bytes. */
void kd_rule_rescale(const int8_t *scores, uint32_t n, uint32_t classes, kd_rule_scale scale,
                     int32_t answer_zero, int8_t *out);

/* sums[i] += (scores[i] - zero_point) * factor. Stack: 16 bytes. */
void kd_rule_add(const int8_t *scores, uint32_t n, kd_rule_scale scale, int32_t *sums);

/* out[i] = round(sums[i] / 2^20) + answer_zero, halves up, within int8. Stack: 16 bytes. */
void kd_rule_mean(const int32_t *sums, uint32_t n, int32_t answer_zero, int8_t *out);

#ifdef __cplusplus
}
#endif

#endif /* KD_RULE_H */

#include "kd_decide.h"

#include <stddef.h>
#include <string.h>

#include "kd_bytes.h"
#include "kd_decision_rule.h"
#include "kd_link.h"
#include "kd_settings.h"
#if KD_LINK_HEAD
#include "kd_head.h"
#endif

/* KD_LINK_BESIDE_BYTES are those of the decision, and of which of several models answered. */
#define ANSWER_BYTES (KD_OUTPUT_SIZE + KD_LINK_BESIDE_BYTES)
#define MODEL_BYTES (ANSWER_BYTES - KD_DECISION_BLOCK_FIXED)

void kd_decide_forget(void)
{
    kd_decision_reset(&kd_decider, &kd_decider_memory);
}

const int8_t *kd_decide(const int8_t *scores, bool follows)
{
    static uint8_t answer[ANSWER_BYTES];
    uint8_t *at = answer + MODEL_BYTES;
    if (!follows) {
        kd_decide_forget();
    }
    const kd_decision_rule *rule = &kd_decider;
#if KD_LINK_HEAD
    kd_decision_rule own = kd_decider;
    own.prototypes = NULL; /* they are scores of the built layer */
    rule = kd_head_is_own() ? &own : rule;
#endif
    const kd_decision found = kd_decision_take(rule, &kd_decider_memory, scores);
    memcpy(answer, scores, MODEL_BYTES);
    kd_put16(at + KD_DECISION_BLOCK_SAID, found.said);
    kd_put16(at + KD_DECISION_BLOCK_LEADING, found.leading);
    kd_put16(at + KD_DECISION_BLOCK_CONFIDENCE, found.confidence);
    at[KD_DECISION_BLOCK_MARKS] = (uint8_t)((found.onset ? KD_MARK_ONSET : 0u) |
                                            (found.rejected ? KD_MARK_REJECTED : 0u));
    return (const int8_t *)answer;
}

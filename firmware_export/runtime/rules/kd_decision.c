#include "kd_decision.h"

#include <stddef.h>
#include <string.h>

/* What a window that knows nothing says against every class. */
static uint8_t idle(const kd_decision_rule *rule)
{
    return rule->majority ? 1u : 0u;
}

void kd_decision_reset(const kd_decision_rule *rule, kd_decision_memory *memory)
{
    memset(memory->rows, idle(rule), (size_t)rule->windows * rule->classes);
    for (uint32_t c = 0; c < rule->classes; c++) {
        memory->sums[c] = (uint16_t)(idle(rule) * rule->windows);
    }
    memory->said = KD_DECISION_NOBODY;
    memory->candidate = KD_DECISION_NOBODY;
    memory->run = 0;
    memory->quiet = 0;
    memory->place = 0;
}

/// one window ///

static uint32_t best_of(const int8_t *scores, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t c = 1; c < n; c++) {
        best = scores[c] > scores[best] ? c : best;
    }
    return best;
}

static uint32_t distance(const int8_t *scores, const int8_t *prototype, uint32_t n)
{
    uint32_t sum = 0;
    for (uint32_t c = 0; c < n; c++) {
        const int32_t apart = scores[c] - prototype[c];
        sum += (uint32_t)(apart * apart);
    }
    return sum;
}

static bool is_rejected(const kd_decision_rule *rule, const int8_t *scores, uint32_t best)
{
    uint32_t total = 0;
    int32_t margin = KD_DECISION_STEPS;
    for (uint32_t c = 0; c < rule->classes; c++) {
        const int32_t below = scores[best] - scores[c];
        total += rule->shares[below];
        margin = c != best && below < margin ? below : margin;
    }
    return KD_DECISION_ONE * KD_DECISION_ONE / total < rule->least_share ||
           margin < rule->least_margin ||
           (rule->prototypes != NULL &&
            distance(scores, rule->prototypes + (size_t)best * rule->classes, rule->classes) >
                rule->most_distance);
}

static void remember(const kd_decision_rule *rule, kd_decision_memory *memory,
                     const int8_t *scores, uint32_t best, bool rejected)
{
    uint8_t *row = memory->rows + (size_t)memory->place * rule->classes;
    for (uint32_t c = 0; c < rule->classes; c++) {
        uint8_t against = idle(rule);
        if (!rejected) {
            against = rule->majority ? (uint8_t)(c != best) : (uint8_t)(scores[best] - scores[c]);
        }
        memory->sums[c] = (uint16_t)(memory->sums[c] - row[c] + against);
        row[c] = against;
    }
    memory->place = (uint8_t)(memory->place + 1u == rule->windows ? 0u : memory->place + 1u);
}

/// the last windows together ///

/* Mean steps that a class lies below the leading one, halves up. */
static uint32_t below(const kd_decision_rule *rule, const uint16_t *sums, uint32_t c,
                      uint32_t leading)
{
    return (2u * (uint32_t)(sums[c] - sums[leading]) + rule->windows) / (2u * rule->windows);
}

/* Of all classes' weights, of which `share` takes one's part. */
static uint32_t total_of(const kd_decision_rule *rule, const uint16_t *sums, uint32_t leading)
{
    uint32_t total = 0;
    for (uint32_t c = 0; c < rule->classes && !rule->majority; c++) {
        total += rule->shares[below(rule, sums, c, leading)];
    }
    return total;
}

static uint16_t share(const kd_decision_rule *rule, const uint16_t *sums, uint32_t c,
                      uint32_t leading, uint32_t total)
{
    if (rule->majority) {
        return (uint16_t)((uint32_t)(rule->windows - sums[c]) * KD_DECISION_ONE / rule->windows);
    }
    return (uint16_t)(rule->shares[below(rule, sums, c, leading)] * KD_DECISION_ONE / total);
}

/// what is said ///

/* Counts windows for which a class that may be said leads, and returns whether it is said now. */
static bool begins(const kd_decision_rule *rule, kd_decision_memory *memory, uint32_t leading,
                   bool sure)
{
    if (!sure || leading == rule->rest || leading == memory->said) {
        memory->candidate = KD_DECISION_NOBODY;
        memory->run = 0;
    } else {
        if (leading != memory->candidate) {
            memory->run = 0;
        }
        memory->run = (uint16_t)(memory->run + (memory->run < rule->least_windows));
        memory->candidate = (uint16_t)leading;
    }
    if (memory->quiet > 0u) {
        memory->quiet--;
        return false;
    }
    return memory->run >= rule->least_windows;
}

kd_decision kd_decision_take(const kd_decision_rule *rule, kd_decision_memory *memory,
                             const int8_t *scores)
{
    kd_decision found;
    const uint32_t best = best_of(scores, rule->classes);
    found.rejected = is_rejected(rule, scores, best);
    remember(rule, memory, scores, best, found.rejected);
    uint32_t leading = 0;
    for (uint32_t c = 1; c < rule->classes; c++) {
        leading = memory->sums[c] < memory->sums[leading] ? c : leading;
    }
    const uint32_t total = total_of(rule, memory->sums, leading);
    found.leading = (uint16_t)leading;
    found.confidence = share(rule, memory->sums, leading, leading, total);
    const bool sure = found.confidence >= rule->enter;
    if (memory->said != KD_DECISION_NOBODY &&
        (share(rule, memory->sums, memory->said, leading, total) < rule->leave ||
         (sure && leading == rule->rest))) {
        memory->said = KD_DECISION_NOBODY;
    }
    found.onset = begins(rule, memory, leading, sure);
    if (found.onset) {
        memory->said = found.leading;
        memory->candidate = KD_DECISION_NOBODY;
        memory->run = 0;
        memory->quiet = rule->refractory_windows;
    }
    found.said = memory->said;
    return found;
}

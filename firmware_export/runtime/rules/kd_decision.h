/* From a model's scores to what is said: rejection, the last windows together, hysteresis. The
 * arithmetic of kd_edge.base.decision, bit for bit, which has the rules in words.
 *
 * No function fails or allocates. */
#ifndef KD_DECISION_H
#define KD_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A share of 1. */
#define KD_DECISION_ONE 32768u
/* No class. */
#define KD_DECISION_NOBODY 0xFFFFu
/* Entries of `shares`: differences of two int8 scores. */
#define KD_DECISION_STEPS 256

typedef struct kd_decision_rule {
    const uint16_t *shares;    /* KD_DECISION_STEPS: weight of a class so many steps below the best;
                                * the first is KD_DECISION_ONE */
    const int8_t *prototypes;  /* a row of scores for each class; NULL: none */
    uint32_t most_distance;    /* squared steps to the best class's prototype */
    uint16_t classes;          /* 2 to 65534 */
    uint16_t rest;             /* the class that is never said, or KD_DECISION_NOBODY */
    uint16_t least_share;      /* of one window; shares are in units of 1 / KD_DECISION_ONE */
    uint16_t enter;            /* of the last windows together */
    uint16_t leave;            /* at most `enter` */
    uint16_t least_windows;    /* in a row before a class is said, 1 or more */
    uint16_t refractory_windows;
    uint8_t windows;           /* that decide together, 1 to 255 */
    uint8_t least_margin;      /* steps from a window's best class to the next */
    bool majority;             /* of votes, in place of the mean of log-probabilities */
} kd_decision_rule;

/* What a rule remembers. rows: windows * classes. sums: classes. */
typedef struct kd_decision_memory {
    uint8_t *rows;
    uint16_t *sums;
    uint16_t said;
    uint16_t candidate;
    uint16_t run;
    uint16_t quiet;
    uint8_t place;
} kd_decision_memory;

typedef struct kd_decision {
    uint16_t said;       /* the class that is said, or KD_DECISION_NOBODY */
    uint16_t leading;    /* the class that the last windows speak for most */
    uint16_t confidence; /* its share */
    bool onset;          /* `said` begins with this window */
    bool rejected;       /* this window was not sure enough to count */
} kd_decision;

/* Forgets all windows. Stack: 24 bytes. */
void kd_decision_reset(const kd_decision_rule *rule, kd_decision_memory *memory);

/* Takes one more window's scores, `classes` of them. Stack: 80 bytes. */
kd_decision kd_decision_take(const kd_decision_rule *rule, kd_decision_memory *memory,
                             const int8_t *scores);

#ifdef __cplusplus
}
#endif

#endif /* KD_DECISION_H */

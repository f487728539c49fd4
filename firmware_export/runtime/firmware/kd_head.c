#include "kd_head.h"

#include <string.h>

#include "kd_bytes.h"
#include "kd_crc32.h"
#include "kd_firmware_config.h"
#include "kd_keep.h"
#include "kd_model.h"
#if KD_HAS_DECISION
#include "kd_decide.h"
#endif

/* The numbers of a layer are used where they arrived. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a HEAD_BLOCK is little-endian, and this core is not"
#endif

#define ROWS ((uint32_t)KD_MODEL_HEAD_ROWS)
#define COLUMNS ((uint32_t)KD_MODEL_HEAD_COLUMNS)
#define SCALES ((uint32_t)KD_MODEL_HEAD_SCALES)
#define SCALES_AT (KD_HEAD_BLOCK_FIXED / 4u) /* in words */
#define BIAS_AT (SCALES_AT + 2u * SCALES)
#define WEIGHTS_AT (4u * (BIAS_AT + ROWS)) /* in bytes */
#define HEAD_BYTES (WEIGHTS_AT + ROWS * COLUMNS)
#define SHA256_BYTES 32u
/* Of a sum, before its zero point is added. */
#define MOST_SUM ((INT64_C(1) << 31) - 256)

typedef char kd_head_words_are_aligned[KD_HEAD_BLOCK_FIXED % 4u == 0u ? 1 : -1];

/* Helium loads the numbers of four rows at once, whether there are so many or not. */
#define BEHIND (ROWS < 4u ? 4u : 0u)

typedef union block {
    uint8_t bytes[HEAD_BYTES];
    int32_t words[(HEAD_BYTES + 3u) / 4u + BEHIND];
} block;

/* The one in use, if any is, and the one that is being put together. */
static block blocks[2];
static uint8_t used;
static bool own;
static uint32_t placed;
/* What is kept without power. */
static bool kept_own;
static uint32_t kept_crc;

static uint32_t crc_of(const block *b)
{
    return kd_get32(b->bytes + KD_HEAD_BLOCK_CRC);
}

static const uint8_t *built_sha256(void)
{
    return kd_hello + KD_HELLO_ANSWER_MODEL_SHA256;
}

/// is it one of ours ///

/* No input makes a sum of this row leave 32 bits. */
static bool row_is_possible(const block *b, uint32_t row)
{
    const int32_t *scale = b->words + SCALES_AT + (SCALES > 1u ? 2u * row : 0u);
    const int8_t *weights = (const int8_t *)b->bytes + WEIGHTS_AT + row * COLUMNS;
    int64_t most = b->words[BIAS_AT + row];
    most = most < 0 ? -most : most;
    for (uint32_t i = 0; i < COLUMNS; i++) {
        most += 128 * (weights[i] < 0 ? -weights[i] : weights[i]);
    }
    if (scale[0] < 0 || scale[1] < -31 || scale[1] > 30) {
        return false;
    }
    return most * (INT64_C(1) << (scale[1] > 0 ? scale[1] : 0)) <= MOST_SUM;
}

/* Returns 0, or KD_WHY_…. */
static uint32_t fault_of(const block *b)
{
    if (crc_of(b) != kd_crc32(b->bytes + 4, HEAD_BYTES - 4u)) {
        return KD_WHY_DAMAGED;
    }
    if (memcmp(b->bytes + KD_HEAD_BLOCK_BUILT_SHA256, built_sha256(), SHA256_BYTES) != 0) {
        return KD_WHY_MODEL;
    }
    if (kd_get16(b->bytes + KD_HEAD_BLOCK_ROWS) != ROWS ||
        kd_get16(b->bytes + KD_HEAD_BLOCK_COLUMNS) != COLUMNS ||
        kd_get32(b->bytes + KD_HEAD_BLOCK_SCALES) != SCALES) {
        return KD_WHY_SHAPE;
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        if (!row_is_possible(b, row)) {
            return KD_WHY_NUMBERS;
        }
    }
    return 0;
}

/// which one answers ///

void kd_head_use(bool wearers)
{
    const block *b = &blocks[used];
    if (wearers && own) {
        kd_model_set_head((const int8_t *)b->bytes + WEIGHTS_AT, b->words + BIAS_AT,
                          b->words + SCALES_AT);
    } else {
        kd_model_set_head(NULL, NULL, NULL);
    }
}

static void answer_by(uint8_t which, bool wearers)
{
    used = which;
    own = wearers;
    placed = 0;
    kd_head_use(true);
#if KD_HAS_DECISION
    kd_decide_forget(); /* the windows before were another layer's */
#endif
}

bool kd_head_is_own(void)
{
    return own;
}

const uint8_t *kd_head_model_sha256(void *user)
{
    (void)user;
    return own ? blocks[used].bytes + KD_HEAD_BLOCK_MODEL_SHA256 : built_sha256();
}

void kd_head_start(void)
{
    kept_own = kd_keep_read(KD_KEPT_HEAD, blocks[0].bytes, HEAD_BYTES) == HEAD_BYTES &&
               fault_of(&blocks[0]) == 0u;
    kept_crc = crc_of(&blocks[0]);
    answer_by(0, kept_own);
}

/// what the host asks ///

static kd_status set(kd_link_head *head)
{
    block *b = &blocks[own ? 1u - used : used];
    const uint32_t n = (uint32_t)head->n_data;
    head->detail = HEAD_BYTES;
    if (n == 0u || head->offset > HEAD_BYTES || n > HEAD_BYTES - head->offset) {
        return KD_STATUS_SIZE;
    }
    if (head->offset > placed) {
        /* The last part once more, because its answer was lost. */
        if (own && head->offset + n == HEAD_BYTES &&
            memcmp(blocks[used].bytes + head->offset, head->data, n) == 0) {
            return KD_STATUS_OK;
        }
        head->detail = placed;
        return KD_STATUS_ORDER;
    }
    memcpy(b->bytes + head->offset, head->data, n);
    placed = head->offset + n;
    if (placed == HEAD_BYTES) {
        head->detail = fault_of(b);
        if (head->detail != 0u) {
            placed = head->offset;
            return KD_STATUS_REFUSED;
        }
        answer_by((uint8_t)(b - blocks), true);
    }
    return KD_STATUS_OK;
}

static bool is_kept(void)
{
    return own == kept_own && (!own || crc_of(&blocks[used]) == kept_crc);
}

static kd_status keep(kd_link_head *head)
{
    /* The host asks again where the answer was lost or flash took long: it is not worn twice. */
    if (own && is_kept()) {
        return KD_STATUS_OK;
    }
    if (!kd_keep_write(KD_KEPT_HEAD, blocks[used].bytes, own ? HEAD_BYTES : 0u)) {
        head->detail = KD_WHY_NOT_KEPT;
        return KD_STATUS_REFUSED;
    }
    kept_own = own;
    kept_crc = crc_of(&blocks[used]);
    return KD_STATUS_OK;
}

static void tell(kd_link_head *head, uint32_t n_told)
{
    uint8_t *to = head->answer;
    to[KD_HEAD_ANSWER_OWN] = own ? 1u : 0u;
    to[KD_HEAD_ANSWER_KEPT] = is_kept() ? 1u : 0u;
    kd_put32(to + KD_HEAD_ANSWER_HEAD_BYTES, HEAD_BYTES);
    kd_put32(to + KD_HEAD_ANSWER_PLACED, placed);
    memcpy(to + KD_HEAD_ANSWER_BUILT_SHA256, built_sha256(), SHA256_BYTES);
    memcpy(to + KD_HEAD_ANSWER_MODEL_SHA256, kd_head_model_sha256(NULL), SHA256_BYTES);
    if (n_told > KD_LINK_MAX_PAYLOAD - KD_HEAD_ANSWER_FIXED) {
        n_told = KD_LINK_MAX_PAYLOAD - KD_HEAD_ANSWER_FIXED;
    }
    memcpy(to + KD_HEAD_ANSWER_FIXED, blocks[used].bytes + head->offset, n_told);
    head->n_answer = KD_HEAD_ANSWER_FIXED + n_told;
}

kd_status kd_head_do(void *user, kd_link_head *head)
{
    const bool tells = head->action == KD_ACTION_TELL;
    const uint32_t n_whole = tells && own ? HEAD_BYTES : 0u;
    kd_status done = KD_STATUS_OK;
    (void)user;
    if (head->action == KD_ACTION_SET) {
        done = set(head);
        head->offset = 0;
    } else if (head->n_data != 0u || head->offset > n_whole) {
        head->detail = n_whole;
        return head->n_data != 0u ? KD_STATUS_SIZE : KD_STATUS_RANGE;
    } else if (head->action == KD_ACTION_RESET) {
        answer_by(used, false);
    } else if (head->action == KD_ACTION_KEEP) {
        done = keep(head);
    } else if (!tells) {
        head->detail = KD_ACTION_KEEP + 1u;
        return KD_STATUS_RANGE;
    }
    tell(head, n_whole - head->offset);
    return done;
}

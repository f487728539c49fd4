#include "kd_normaliser.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "kd_bytes.h"
#include "kd_crc32.h"
#include "kd_firmware_config.h"
#include "kd_keep.h"

#define SHA256_AT 4u
#define SHA256_BYTES 32u
#define FROZEN_AT (SHA256_AT + SHA256_BYTES)
#define STATES_AT (FROZEN_AT + 4u)

typedef char kd_normaliser_kept_is_whole[
    STATES_AT + KD_NORMALISER_BYTES == KD_NORMALISER_KEPT_BYTES ? 1 : -1];

/* Aligned for those who write flash by words. */
static union {
    uint8_t bytes[KD_NORMALISER_KEPT_BYTES];
    uint32_t words[KD_NORMALISER_KEPT_BYTES / 4u];
} kept;
static bool is_kept;

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void put(uint8_t *to)
{
    kd_running_state state;
    uint32_t i;
    for (i = 0; i < KD_WEARER_STATES; i++) {
        kd_front_end_get_state(i, &state);
        kd_put32(to, bits_of(state.mean));
        kd_put32(to + 4, bits_of(state.square));
        kd_put32(to + 8, state.windows);
        to += KD_NORMALISER_STATE_BYTES;
    }
}

static kd_running_state state_at(const uint8_t *from)
{
    kd_running_state state;
    state.mean = float_of(kd_get32(from));
    state.square = float_of(kd_get32(from + 4));
    state.windows = kd_get32(from + 8);
    return state;
}

static kd_status set(const uint8_t *states)
{
    uint32_t i;
    for (i = 0; i < KD_WEARER_STATES; i++) {
        const kd_running_state state = state_at(states + (size_t)i * KD_NORMALISER_STATE_BYTES);
        if (!kd_running_is_possible(&state)) {
            return KD_STATUS_RANGE;
        }
    }
    for (i = 0; i < KD_WEARER_STATES; i++) {
        const kd_running_state state = state_at(states + (size_t)i * KD_NORMALISER_STATE_BYTES);
        kd_front_end_set_state(i, &state);
    }
    return KD_STATUS_OK;
}

/// what outlives the power ///

static const uint8_t *built_sha256(void)
{
    return kd_hello + KD_HELLO_ANSWER_MODEL_SHA256;
}

static uint32_t crc_of_kept(void)
{
    return kd_crc32(kept.bytes + SHA256_AT, KD_NORMALISER_KEPT_BYTES - SHA256_AT);
}

static kd_status keep(void)
{
    const uint32_t before = kd_get32(kept.bytes);
    memcpy(kept.bytes + SHA256_AT, built_sha256(), SHA256_BYTES);
    kd_put32(kept.bytes + FROZEN_AT, kd_front_end_is_frozen() ? 1u : 0u);
    put(kept.bytes + STATES_AT);
    kd_put32(kept.bytes, crc_of_kept());
    /* The host asks again where the answer was lost or flash took long: it is not worn twice. */
    if (!is_kept || kd_get32(kept.bytes) != before) {
        is_kept = kd_keep_write(KD_KEPT_NORMALISER, kept.bytes, KD_NORMALISER_KEPT_BYTES);
    }
    return is_kept ? KD_STATUS_OK : KD_STATUS_REFUSED;
}

void kd_normaliser_start(void)
{
    const uint32_t n = kd_keep_read(KD_KEPT_NORMALISER, kept.bytes, KD_NORMALISER_KEPT_BYTES);
    is_kept = n == KD_NORMALISER_KEPT_BYTES && kd_get32(kept.bytes) == crc_of_kept() &&
              memcmp(kept.bytes + SHA256_AT, built_sha256(), SHA256_BYTES) == 0 &&
              set(kept.bytes + STATES_AT) == KD_STATUS_OK;
    if (is_kept) {
        kd_front_end_freeze(kd_get32(kept.bytes + FROZEN_AT) != 0u);
    }
}

/// what the host asks ///

kd_status kd_normaliser_do(void *user, uint8_t action, uint8_t *states, uint8_t *frozen)
{
    kd_status done = KD_STATUS_OK;
    (void)user;
    if (action == KD_ACTION_RESET) {
        kd_front_end_reset();
    } else if (action == KD_ACTION_FREEZE || action == KD_ACTION_THAW) {
        kd_front_end_freeze(action == KD_ACTION_FREEZE);
    } else if (action == KD_ACTION_SET) {
        done = set(states);
    } else if (action == KD_ACTION_KEEP) {
        done = keep();
    }
    put(states);
    *frozen = kd_front_end_is_frozen() ? 1u : 0u;
    return done;
}

/* libFuzzer target for the firmware's end of HEAD.
 *
 * The input is read as items of (what, offset, length, data):
 *   what 0 to 15   an action as the link hands it over
 *   what 16 to 31  a layer made of the data, sealed as a host would, in two parts
 *   what 32 to 47  a start; before it one byte of what is kept is changed, if there is any data
 * After each item the kernel runs on the inputs that make its sums largest. */
#include <stdlib.h>
#include <string.h>

#include "kd_bytes.h"
#include "kd_crc32.h"
#include "kd_fc_s8.h"
#include "kd_head.h"
#include "kd_keep.h"
#include "kd_model.h"

enum { ROWS = KD_MODEL_HEAD_ROWS, COLUMNS = KD_MODEL_HEAD_COLUMNS };
enum { NUMBERS = 12 * ROWS + ROWS * COLUMNS, BYTES = KD_HEAD_BLOCK_FIXED + NUMBERS };

const uint8_t kd_hello[KD_HELLO_ANSWER_FIXED] = {0};

static const int8_t built_weights[ROWS * COLUMNS] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const int32_t built_bias[ROWS] = {-1, 0, 1};
static const int32_t built_scales[2 * ROWS] = {1 << 30, 0, 1 << 30, -1, 1 << 30, 1};
static kd_fc_s8_params layer = {built_weights, built_bias, built_scales, NULL, COLUMNS, ROWS, 1, 0,
                                -128, 127, 1};
static uint8_t kept[BYTES];
static uint32_t n_kept;
static bool can_keep;

static void check(int holds)
{
    if (!holds) {
        abort();
    }
}

void kd_model_set_head(const int8_t *weights, const int32_t *bias, const int32_t *scales)
{
    layer.weights = weights != NULL ? weights : built_weights;
    layer.bias = weights != NULL ? bias : built_bias;
    layer.scales = weights != NULL ? scales : built_scales;
}

bool kd_keep_write(kd_kept what, const uint8_t *bytes, uint32_t n)
{
    check(what == KD_KEPT_HEAD);
    check(n == 0u || n == BYTES);
    if (can_keep) {
        memcpy(kept, bytes, n);
        n_kept = n;
    }
    return can_keep;
}

uint32_t kd_keep_read(kd_kept what, uint8_t *bytes, uint32_t most)
{
    check(what == KD_KEPT_HEAD && most == BYTES);
    memcpy(bytes, kept, n_kept);
    return n_kept;
}

/* No sum leaves 32 bits, also after its shift: the sanitizers see the kernel, this the shift. */
static void run_hardest(void)
{
    for (uint32_t row = 0; row < ROWS; row++) {
        for (int up = 0; up < 2; up++) {
            int8_t x[COLUMNS], out[ROWS];
            int64_t sum = layer.bias[row];
            for (uint32_t i = 0; i < COLUMNS; i++) {
                const int8_t w = layer.weights[row * COLUMNS + i];
                x[i] = (int8_t)((w < 0) == (up != 0) ? -128 : 127);
                sum += w * x[i];
            }
            const int32_t shift = layer.scales[2u * row + 1u];
            check(shift >= -31 && shift <= 30 && layer.scales[2u * row] >= 0);
            sum *= INT64_C(1) << (shift > 0 ? shift : 0);
            check(sum <= INT32_MAX && sum >= INT32_MIN);
            kd_fc_s8(&layer, x, out);
        }
    }
}

static void copy_layer(uint8_t *to)
{
    memcpy(to, layer.scales, 8u * ROWS);
    memcpy(to + 8u * ROWS, layer.bias, 4u * ROWS);
    memcpy(to + 12u * ROWS, layer.weights, ROWS * COLUMNS);
}

static kd_status ask(uint8_t action, uint32_t offset, const uint8_t *data, size_t n)
{
    static uint8_t answer[KD_LINK_MAX_PAYLOAD];
    uint8_t before[NUMBERS], after[NUMBERS];
    /* Of their own size, so that a byte too far is seen. */
    uint8_t *exact = malloc(n + 1u);
    check(exact != NULL);
    memcpy(exact + 1, data, n);
    kd_link_head head = {.action = action, .offset = offset, .data = exact + 1, .n_data = n,
                         .answer = answer};
    const bool own = kd_head_is_own();
    copy_layer(before);
    const kd_status status = kd_head_do(NULL, &head);
    copy_layer(after);
    if (status != KD_STATUS_OK || action == KD_ACTION_TELL || action == KD_ACTION_KEEP) {
        check(kd_head_is_own() == own && memcmp(before, after, NUMBERS) == 0);
    }
    if (status == KD_STATUS_OK) {
        check(head.n_answer >= KD_HEAD_ANSWER_FIXED && head.n_answer <= KD_LINK_MAX_PAYLOAD);
        check(answer[KD_HEAD_ANSWER_OWN] == kd_head_is_own());
        check(kd_get32(answer + KD_HEAD_ANSWER_PLACED) < BYTES);
        check(memcmp(answer + KD_HEAD_ANSWER_MODEL_SHA256, kd_head_model_sha256(NULL), 32) == 0);
    }
    free(exact);
    return status;
}

/* A block of these numbers, the rest of which is right. */
static void send_sealed(const uint8_t *data, size_t n, uint32_t cut)
{
    uint8_t block[BYTES] = {0};
    memcpy(block + KD_HEAD_BLOCK_FIXED, data, n < NUMBERS ? n : NUMBERS);
    memset(block + KD_HEAD_BLOCK_MODEL_SHA256, 0xA5, 32);
    kd_put16(block + KD_HEAD_BLOCK_ROWS, ROWS);
    kd_put16(block + KD_HEAD_BLOCK_COLUMNS, COLUMNS);
    kd_put32(block + KD_HEAD_BLOCK_SCALES, KD_MODEL_HEAD_SCALES);
    kd_put32(block + KD_HEAD_BLOCK_CRC, kd_crc32(block + 4, BYTES - 4u));
    cut = 1u + cut % (BYTES - 1u);
    check(ask(KD_ACTION_SET, 0, block, cut) == KD_STATUS_OK);
    const kd_status status = ask(KD_ACTION_SET, cut, block + cut, BYTES - cut);
    check(status == KD_STATUS_OK || status == KD_STATUS_REFUSED);
    check(ask(KD_ACTION_SET, cut, block + cut, BYTES - cut) == status);
    if (status == KD_STATUS_OK) {
        check(kd_head_is_own() && layer.weights != built_weights);
        check(memcmp(layer.scales, block + KD_HEAD_BLOCK_FIXED, 8u * ROWS) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    n_kept = 0;
    kd_head_start();
    check(!kd_head_is_own());
    while (size >= 3u) {
        const uint8_t what = data[0];
        const uint32_t offset = data[1];
        const size_t n = data[2] < size - 3u ? data[2] : size - 3u;
        data += 3;
        size -= 3u;
        can_keep = (what & 64u) == 0u;
        if ((what & 48u) == 0u) {
            (void)ask(what & 15u, offset, data, n);
        } else if ((what & 48u) == 16u) {
            send_sealed(data, n, offset);
        } else {
            if (n > 0u && n_kept > 0u) {
                kept[offset % n_kept] ^= data[0];
            }
            kd_head_start();
        }
        run_hardest();
        data += n;
        size -= n;
    }
    return 0;
}

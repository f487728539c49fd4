/* kd_phone.h for Java and Kotlin: the native methods of org.kdedge.Native.
 *
 * No jni.h: of the environment one function is called, whose place the JNI specification fixes. Windows and
 * samples lie in direct buffers, which are made once, and scores are copied into one. So no call allocates. */
#include <stddef.h>
#include <stdint.h>

#include "kd_firmware_config.h"
#include "kd_phone.h"

/* "Interface Function Table" of the JNI specification: NewDirectByteBuffer(env, address, capacity). */
#define NEW_DIRECT_BYTE_BUFFER 229

typedef void *reference;
typedef void (*function)(void);
typedef const function *const *environment;
typedef reference (*new_buffer)(environment env, void *address, int64_t capacity);

/* A method without arguments that is a function of kd_phone.h; declared first, as strict compilers ask. */
#define NAME(name) Java_org_kdedge_Native_##name
#define PLAIN(type, name, c_name) \
    KD_PHONE_API type NAME(name)(environment env, reference owner); \
    type NAME(name)(environment env, reference owner) \
    { \
        (void)env; \
        (void)owner; \
        return (type)c_name(); \
    }
#define OF_TWO(name, c_name) \
    KD_PHONE_API int32_t NAME(name)(environment env, reference owner, int32_t a, int32_t b); \
    int32_t NAME(name)(environment env, reference owner, int32_t a, int32_t b) \
    { \
        (void)env; \
        (void)owner; \
        return c_name(a, b); \
    }
#define OF_ONE(name, c_name) \
    KD_PHONE_API int32_t NAME(name)(environment env, reference owner, int32_t a); \
    int32_t NAME(name)(environment env, reference owner, int32_t a) \
    { \
        (void)env; \
        (void)owner; \
        return c_name(a); \
    }
#define BUFFER(name, address, n_bytes) \
    KD_PHONE_API reference NAME(name)(environment env, reference owner); \
    reference NAME(name)(environment env, reference owner) \
    { \
        (void)owner; \
        return buffer(env, address, n_bytes); \
    }

static int8_t last_scores[KD_OUTPUT_SIZE];
static int8_t last_inputs[KD_INT8_BYTES];

static reference buffer(environment env, void *address, int32_t n_bytes)
{
    if (address == NULL) {
        return NULL;
    }
    return ((new_buffer)(*env)[NEW_DIRECT_BYTE_BUFFER])(env, address, n_bytes);
}

/* Copies the last scores to where the buffer of Native.scores() is. Returns 0; -100 if there are none. */
static int32_t fetch(void)
{
    const int8_t *from = kd_phone_scores();
    if (from == NULL) {
        return -100;
    }
    for (size_t i = 0; i < KD_OUTPUT_SIZE; i++) {
        last_scores[i] = from[i];
    }
    return 0;
}

/* Copies the inputs of the window that waits to where the buffer of Native.inputs() is. */
static int32_t fetch_inputs(void)
{
    kd_phone_inputs(last_inputs);
    return 0;
}

/* Takes the scores that another engine wrote where the buffer of Native.scores() is. */
static int32_t take(void)
{
    return kd_phone_take(last_scores);
}

static int32_t outside(int32_t on)
{
    kd_phone_outside(on);
    return 0;
}

static int32_t forget(void)
{
    kd_phone_forget_wearer();
    return 0;
}

PLAIN(int32_t, version, kd_phone_version)
PLAIN(int32_t, scoreBytes, kd_phone_score_bytes)
PLAIN(int32_t, int8Bytes, kd_phone_int8_bytes)
PLAIN(int32_t, rawBytes, kd_phone_raw_bytes)
PLAIN(int32_t, decides, kd_phone_decides)
PLAIN(int32_t, start, kd_phone_start)
PLAIN(int32_t, roomValues, kd_phone_room_values)
PLAIN(int32_t, poll, kd_phone_poll)
PLAIN(int64_t, lost, kd_phone_lost)
PLAIN(int64_t, number, kd_phone_number)
PLAIN(int32_t, said, kd_phone_said)
PLAIN(int32_t, leading, kd_phone_leading)
PLAIN(int32_t, confidence, kd_phone_confidence)
PLAIN(int32_t, marks, kd_phone_marks)
PLAIN(int32_t, fetchScores, fetch)
PLAIN(int32_t, forgetWearer, forget)
PLAIN(int32_t, fetchInputs, fetch_inputs)
PLAIN(int32_t, takeScores, take)
OF_ONE(outside, outside)
OF_TWO(run, kd_phone_run)
OF_TWO(push, kd_phone_push)
OF_TWO(lose, kd_phone_lose)
BUFFER(window, kd_phone_window(),
       kd_phone_raw_bytes() > kd_phone_int8_bytes() ? kd_phone_raw_bytes() : kd_phone_int8_bytes())
BUFFER(room, kd_phone_room(), 2 * kd_phone_room_values())
BUFFER(inputs, last_inputs, (int32_t)sizeof last_inputs)
BUFFER(scores, last_scores, (int32_t)sizeof last_scores)

#include <string.h>

#include <stdint.h>

/* Without this a compiler would see what the loops do, and call the function that they are in. */
#if defined(__clang__)
#define KD_AS_WRITTEN __attribute__((no_builtin))
#elif defined(__GNUC__)
#define KD_AS_WRITTEN __attribute__((optimize("no-tree-loop-distribute-patterns")))
#else
#define KD_AS_WRITTEN
#endif

KD_AS_WRITTEN void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    uint8_t *put = to;
    const uint8_t *get = from;
    for (; n > 0u; n--) {
        *put++ = *get++;
    }
    return to;
}

KD_AS_WRITTEN void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *put = to;
    const uint8_t *get = from;
    if ((uintptr_t)put <= (uintptr_t)get) {
        for (; n > 0u; n--) {
            *put++ = *get++;
        }
        return to;
    }
    for (; n > 0u; n--) {
        put[n - 1u] = get[n - 1u];
    }
    return to;
}

KD_AS_WRITTEN void *memset(void *to, int value, size_t n)
{
    uint8_t *put = to;
    for (; n > 0u; n--) {
        *put++ = (uint8_t)value;
    }
    return to;
}

KD_AS_WRITTEN int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *left = a, *right = b;
    for (; n > 0u; n--, left++, right++) {
        if (*left != *right) {
            return *left < *right ? -1 : 1;
        }
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

KD_AS_WRITTEN size_t strlen(const char *text)
{
    size_t n = 0;
    while (text[n] != '\0') {
        n++;
    }
    return n;
}

/* What the sources need of <string.h>, for compilers that bring no C library: WebAssembly. */
#ifndef KD_NO_LIBC_STRING_H
#define KD_NO_LIBC_STRING_H

#include <stddef.h>

/* As C99 7.21. Compilers call these three of their own accord, too. */
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);
int strcmp(const char *a, const char *b);
size_t strlen(const char *text);

#endif /* KD_NO_LIBC_STRING_H */

/* A program for a connected phone: kd_phone_bench GOLDEN RUNS
 *
 * Answers every vector of the file, then times RUNS of them in turn, after a few that it does not time:
 *
 *     scores 7f80..    of each vector, two hexadecimal digits a score
 *     ns 58211         of each timed run: window to scores
 *     end              so that a host knows that nothing is missing
 *
 * Returns 0; 1 if the file cannot be read, 2 if its arguments are wrong, 3 if the model fails. */
#define _POSIX_C_SOURCE 199309L

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kd_phone.h"

#define UNTIMED 10

static long vectors;

/* Vectors begin behind their number, and scores stand behind each. */
static int load(FILE *golden, long number)
{
    const size_t bytes = (size_t)kd_phone_int8_bytes();
    const long row = kd_phone_int8_bytes() + kd_phone_score_bytes();
    return fseek(golden, 4 + number * row, SEEK_SET) == 0 &&
           fread(kd_phone_window(), 1, bytes, golden) == bytes;
}

static int answer_all(FILE *golden)
{
    for (vectors = 0; load(golden, vectors); vectors++) {
        if (kd_phone_run(0, 0) != 0) {
            return 3;
        }
        (void)printf("scores ");
        for (int32_t i = 0; i < kd_phone_score_bytes(); i++) {
            (void)printf("%02x", (unsigned)(uint8_t)kd_phone_scores()[i]);
        }
        (void)printf("\n");
    }
    return vectors > 0 ? 0 : 1;
}

static int64_t now_ns(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static int time_runs(FILE *golden, long runs)
{
    for (long run = -UNTIMED; run < runs; run++) {
        if (!load(golden, (run + UNTIMED) % vectors)) {
            return 1;
        }
        const int64_t start = now_ns();
        if (kd_phone_run(0, 0) != 0) {
            return 3;
        }
        const int64_t ns = now_ns() - start;
        if (run >= 0) {
            (void)printf("ns %lld\n", (long long)ns);
        }
    }
    return 0;
}

int main(int count, char **arguments)
{
    if (count != 3) {
        return 2;
    }
    FILE *golden = fopen(arguments[1], "rb");
    if (golden == NULL) {
        return 1;
    }
    int status = answer_all(golden);
    if (status == 0) {
        status = time_runs(golden, strtol(arguments[2], NULL, 10));
    }
    (void)fclose(golden);
    if (status == 0) {
        (void)printf("end\n");
    }
    return status;
}

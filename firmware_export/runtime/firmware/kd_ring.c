#include "kd_ring.h"

#include <stddef.h>
#include <string.h>

void kd_ring_start(kd_ring *ring)
{
    ring->count = 0;
    ring->end = 0;
    ring->end_at = 0;
    ring->broken = false;
    ring->kept = 0;
    ring->kept_at = 0;
    ring->lost = 0;
}

/* The place `n` samples behind place `at`; n is at most the capacity. */
static uint32_t behind(const kd_ring *ring, uint32_t at, uint32_t n)
{
    const uint32_t before_wrap = ring->capacity - at;
    return n < before_wrap ? at + n : n - before_wrap;
}

void kd_ring_push(kd_ring *ring, const int16_t *samples, uint32_t n)
{
    const uint32_t room = ring->broken ? 0u : ring->capacity - (ring->end - ring->kept);
    const uint32_t taken = n < room ? n : room;
    uint32_t at = ring->end_at;
    for (uint32_t i = 0; i < taken; i++) {
        memcpy(ring->values + (size_t)at * ring->channels, samples + (size_t)i * ring->channels,
               ring->channels * sizeof *samples);
        at = behind(ring, at, 1u);
    }
    ring->end_at = at;
    ring->count = ring->count + n;
    ring->broken = ring->broken || taken < n;
    /* Last, so that the reader sees no sample before its values. */
    ring->end = ring->end + taken;
}

void kd_ring_lose(kd_ring *ring, uint32_t n)
{
    ring->count = ring->count + n;
    ring->broken = true;
}

const int16_t *kd_ring_at(const kd_ring *ring, uint32_t number, uint32_t *run)
{
    const uint32_t at = behind(ring, ring->kept_at, number - ring->kept);
    const uint32_t there = ring->end - number;
    const uint32_t before_wrap = ring->capacity - at;
    *run = there < before_wrap ? there : before_wrap;
    return ring->values + (size_t)at * ring->channels;
}

void kd_ring_release(kd_ring *ring, uint32_t number)
{
    ring->kept_at = behind(ring, ring->kept_at, number - ring->kept);
    ring->kept = number;
}

uint32_t kd_ring_resume(kd_ring *ring)
{
    uint32_t next;
    /* While it is broken the writer leaves `end` alone. Samples that an interrupt brings before the
     * last line of a turn are dropped too: then `end` is behind, and another turn is due. */
    do {
        ring->broken = true;
        next = ring->count;
        ring->lost += next - ring->end;
        ring->kept_at = ring->end_at;
        ring->end = next;
        ring->kept = next;
        ring->broken = false;
    } while (ring->count != ring->end);
    return next;
}

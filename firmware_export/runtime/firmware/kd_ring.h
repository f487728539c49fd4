/* The last samples of one sensor, numbered since the stream began.
 *
 * One writer, which may be an interrupt, and one reader, the main loop, on one core. A sample that
 * finds no room is dropped, and so is every one after it until the reader has taken what there is and
 * calls kd_ring_resume(): what stands in the ring never has a hole in it. Dropped samples have their
 * numbers all the same. */
#ifndef KD_RING_H
#define KD_RING_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kd_ring {
    int16_t *values;   /* capacity times channels */
    uint32_t capacity; /* samples */
    uint32_t channels;
    /* The writer's. Numbers are modulo 2^32, and go round after 12 days at 4 kHz: compare them by
     * their difference. Places in `values` are kept beside them, because they do not go round alike. */
    volatile uint32_t count; /* samples that came, dropped ones among them */
    volatile uint32_t end;   /* number after the last one kept */
    volatile uint32_t end_at; /* the place of that number */
    volatile bool broken;    /* samples have been dropped since */
    /* The reader's. */
    volatile uint32_t kept;  /* number of the oldest sample that it still wants */
    uint32_t kept_at;        /* its place */
    uint32_t lost;           /* samples dropped since kd_ring_start, up to the last resume */
} kd_ring;

/* Empties the ring and counts from 0. No writer may be at work. */
void kd_ring_start(kd_ring *ring);

/* Adds n samples of `channels` values each; drops those that find no room. Writer only. */
void kd_ring_push(kd_ring *ring, const int16_t *samples, uint32_t n);

/* Says that n samples were lost before they came here. Writer only. */
void kd_ring_lose(kd_ring *ring, uint32_t n);

/* The values of sample `number`, which is from ring->kept to ring->end - 1. *run: how many samples
 * stand there in a row, it among them, at least 1. Reader only. */
const int16_t *kd_ring_at(const kd_ring *ring, uint32_t number, uint32_t *run);

/* Gives samples before `number` up, which is from ring->kept to ring->end. Reader only. */
void kd_ring_release(kd_ring *ring, uint32_t number);

/* If the ring is broken: gives up everything and takes samples again. Reader only.
 * Returns the number of the next sample. */
uint32_t kd_ring_resume(kd_ring *ring);

#ifdef __cplusplus
}
#endif

#endif /* KD_RING_H */

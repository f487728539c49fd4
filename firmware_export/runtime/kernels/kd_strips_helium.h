/* What is computed from strips of the input, four pixels at a time; for `_mve.c` files. */
#ifndef KD_STRIPS_HELIUM_H
#define KD_STRIPS_HELIUM_H

#include <arm_mve.h>
#include <stddef.h>

#include "kd_math.h"
#include "kd_strips.h"

#define KD_HEADER_BYTES 9 /* of an output channel's constants */

/* The four sums in q0, scaled, by names of the assembly's operands. Halves go away from zero: one is taken
 * from negative values before VRSHL. */
#define KD_SCALE_FOUR(multiplier, left, right, rounds)                                              \
    "vshl.s32 q0, %[" left "]\n\t"                                                                  \
    "vqrdmulh.s32 q0, q0, %[" multiplier "]\n\t"                                                    \
    "vshr.s32 q1, q0, #31\n\t"                                                                      \
    "vmla.s32 q0, q1, %[" rounds "]\n\t"                                                            \
    "vrshl.s32 q0, %[" right "]\n\t"

/* Then with the zero point, clamped and stored. to: a register with their place, from `out` on. */
#define KD_STORE_FOUR(to, out)                                                                           \
    "vadd.i32 q0, q0, %q[zero]\n\t"                                                                 \
    "vmax.s32 q0, q0, %q[low]\n\t"                                                                  \
    "add  %[" to "], %[" out "], %[" to "]\n\t"                                                     \
    "vmin.s32 q0, q0, %q[high]\n\t"                                                                 \
    "vstrb.32 q0, [%[" to "], %q[lanes]]\n\t"

/* Where four pixels of a run go, as bytes from the first; of a run of fewer, some to one place. */
static inline uint32x4_t kd_strips_lanes(const kd_strips_params *p, const kd_strips_tile *t)
{
    const int32x4_t all = vreinterpretq_s32_u32(vidupq_n_u32(0, 1));
    const int32x4_t here = vaddq_n_s32(all, kd_min(t->run_pixels - 4, 0));
    return vmulq_n_u32(vreinterpretq_u32_s32(vmaxq_s32(here, vdupq_n_s32(0))), (uint32_t)p->out_step);
}

/* What all channels of a tile share. */
typedef struct {
    const int32_t *places;
    int32_t fours;
    uint32x4_t lanes;
    int32x4_t low;
    int32x4_t high;
    int32x4_t zero;
} kd_strips_common;

static inline kd_strips_common kd_strips_common_of(const kd_strips_params *p, const kd_strips_tile *t)
{
    const kd_strips_common common = {
        t->places,             t->fours,
        kd_strips_lanes(p, t), vdupq_n_s32(p->low),
        vdupq_n_s32(p->high),  vdupq_n_s32(p->out_zero),
    };
    return common;
}

/* An output channel's constants, of which weights follow. */
typedef struct {
    int32_t bias;
    int32_t multiplier;
    int8_t shift;
} kd_strips_constants;

/* Reads them, and goes on to the weights. */
static inline kd_strips_constants kd_strips_next(const int8_t **stream)
{
    const int8x16_t header = vldrbq_s8(*stream);
    const int32x4_t words = vreinterpretq_s32_s8(header);
    const kd_strips_constants k = {
        vgetq_lane_s32(words, 0), vgetq_lane_s32(words, 1), vgetq_lane_s8(header, 8)};
    *stream += KD_HEADER_BYTES;
    return k;
}

/* All pixels of a tile in one channel, whose windows are a vector each: w are the weights, with zeros for
 * what is between two columns of a window. strip: what is added to the places of windows. */
static inline void kd_strips_channel(kd_strips_common common, kd_strips_constants k, int8x16_t w,
                                     const int8_t *strip, int8_t *out)
{
    const int32x4_t bias = vdupq_n_s32(k.bias);
    const int32_t *places = common.places;
    int32_t x0, x1, x2, x3 = common.fours;
    __asm__ volatile("dls  lr, %[x3]\n"
                     "1:\n\t"
                     "ldrd %[x0], %[x1], [%[places]], #8\n\t"
                     "ldrd %[x2], %[x3], [%[places]], #8\n\t"
                     "add  %[x0], %[strip], %[x0]\n\t"
                     "vldrb.8 q0, [%[x0]]\n\t"
                     "add  %[x1], %[strip], %[x1]\n\t"
                     "vmladav.s8 %[x0], q0, %q[w]\n\t"
                     "vldrb.8 q1, [%[x1]]\n\t"
                     "add  %[x2], %[strip], %[x2]\n\t"
                     "vmladav.s8 %[x1], q1, %q[w]\n\t"
                     "vldrb.8 q0, [%[x2]]\n\t"
                     "add  %[x3], %[strip], %[x3]\n\t"
                     "vmladav.s8 %[x2], q0, %q[w]\n\t"
                     "vldrb.8 q1, [%[x3]]\n\t"
                     "vmladav.s8 %[x3], q1, %q[w]\n\t"
                     "vmov q0[2], q0[0], %[x0], %[x2]\n\t"
                     "vmov q0[3], q0[1], %[x1], %[x3]\n\t"
                     "vadd.i32 q0, q0, %q[bias]\n\t"
                     KD_SCALE_FOUR("multiplier", "left", "right", "rounds")
                     "ldr  %[x0], [%[places]], #4\n\t"
                     KD_STORE_FOUR("x0", "out")
                     "le   lr, 1b"
                     : [x0] "=&Te"(x0), [x1] "=&Te"(x1), [x2] "=&Te"(x2), [x3] "+&Te"(x3),
                       [places] "+&r"(places)
                     : [strip] "r"(strip), [out] "r"(out), [multiplier] "r"(k.multiplier),
                       [left] "r"(kd_max(k.shift, 0)), [right] "r"(kd_min(k.shift, 0)),
                       [rounds] "r"(k.shift < 0), [w] "w"(w), [bias] "w"(bias),
                       [zero] "w"(common.zero), [low] "w"(common.low), [high] "w"(common.high),
                       [lanes] "w"(common.lanes)
                     : "lr", "q0", "q1", "memory");
}

#endif /* KD_STRIPS_HELIUM_H */

#include "kd_walk.h"

bool kd_walk_next(const kd_rows *rows, kd_walk *at)
{
    const int32_t *axis = rows->axes;
    for (int32_t i = 0; i < rows->n_axes; i++, axis += 3) {
        at->a += axis[1];
        at->b += axis[2];
        if (++at->index[i] < axis[0]) {
            return true;
        }
        at->index[i] = 0;
        at->a -= axis[0] * axis[1];
        at->b -= axis[0] * axis[2];
    }
    return false;
}

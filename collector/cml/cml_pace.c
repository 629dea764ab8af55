// SPDX-License-Identifier: MIT

#include "cml_pace.h"

time_us_t
cml_pace_wait (unsigned failures, uint32_t random)
{
    time_us_t wait = SECOND_US;

    for (unsigned i = 1; i < failures && wait < CML_PACE_MOST; i++) {
        wait *= 2;
    }
    wait = wait < CML_PACE_MOST ? wait : CML_PACE_MOST;
    return wait - (time_us_t) ((uint64_t) wait / 2 * random / UINT32_MAX);
}

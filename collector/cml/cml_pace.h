// cml_pace.h - when a connection that has ended is tried again; pure.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_PACE_H
#define COLLECTOR_CML_PACE_H

#include "../../common/clock.h"

#include <stdint.h>

#define CML_PACE_MOST   (30 * SECOND_US)
#define CML_PACE_GIVEUP 3  //  failures in a row, after which a server is polled meanwhile

//  1, 2, 4, 8, 16, 30, 30 s after the first failure in a row and those that follow it, each
//  shortened by up to a half by random, so that those that lost one network do not all come
//  back at once.
time_us_t cml_pace_wait (unsigned failures, uint32_t random);

#endif

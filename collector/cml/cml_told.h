// cml_told.h - what was told of something that rarely changes, so that it is told when it
// does; pure.
//
// A server's health and licence are a few kilobytes that stay the same for days; they go
// into an observation when they differ from what was told last, when the aggregator knows
// nothing any more, and at least each CML_TOLD_AGAIN_US, which heals what the bus may have
// lost. Kept is a hash, not the text: a change that has the same 64 bits is told with the
// next healing.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_TOLD_H
#define COLLECTOR_CML_TOLD_H

#include "../../common/clock.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#define CML_TOLD_AGAIN_US (10 * MINUTE_US)

typedef struct cml_told {  //  zero: nothing was told
    bool known;
    uint64_t hash;
    time_us_t at;  //  steady
} cml_told_t;

//  True when the content is to be told now, and then it counts as told.
bool cml_told_is_due (cml_told_t *self, struct json_object *content, time_us_t now_steady);

void cml_told_forget (cml_told_t *self);

#endif

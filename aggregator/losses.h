// losses.h - what collectors said and we did not hear: asked for again, or counted as lost.
//
// Pure. A gap in a source's numbers is noted as a range; when the source asks over control (for its
// lease) the range goes out with the answer, and its publisher sends again what it still keeps. What
// comes is crossed off; what has not come within wait_us is lost: it is counted, and the source
// is told to begin anew, so that it says all it left out as told before.
//
// Bounded: RANGES_MAX a source; what is noted beyond it is lost at once.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_LOSSES_H
#define AGGREGATOR_LOSSES_H

#include "../common/envelope.h"

#include <stdbool.h>
#include <stdint.h>

#define LOSSES_RANGES_MAX 16

typedef struct losses losses_t;

losses_t *losses_new (time_us_t wait_us);
void losses_destroy (losses_t **self_p);

//  Numbers from..to of this source did not come. Returns how many of them are lost at once.
uint64_t losses_note (losses_t *self, const char *source, const char *epoch, uint64_t from,
                      uint64_t to, time_us_t steady);

//  A number came that is not the next: true when it was missing, and it is no more.
bool losses_came (losses_t *self, const char *source, const char *epoch, uint64_t number);

//  The source asks: calls fn for each range that it has not been asked for yet, and for one that it
//  has, when it did not come within its share of the wait: what is sent again can be lost again.
#define LOSSES_ASKED_MOST 3
typedef void losses_range_fn (void *argument, uint64_t from, uint64_t to);
void losses_ask (losses_t *self, const char *source, time_us_t steady, losses_range_fn *fn,
                 void *argument);

//  True once after something of this source was lost for good: it is to begin anew.
bool losses_takes_fresh (losses_t *self, const char *source);

//  Calls fn for each source of which something is given up now, with how many.
typedef void losses_lost_fn (void *argument, const char *source, uint64_t count);
void losses_expire (losses_t *self, time_us_t steady, losses_lost_fn *fn, void *argument);

#endif

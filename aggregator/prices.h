// prices.h - what an hour of an instance costs; pure.
//
// Prices are configuration, for AWS's differ by region, contract and month: entries
//
//     [<region>/]<instance type> = <USD an hour>
//
// apart by ',' in the setting itself, or one a line in the file that it names ('#' begins a
// comment). An entry of a region counts before the type's own. A type that has none has no price.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_PRICES_H
#define AGGREGATOR_PRICES_H

#include "../common/reason.h"

#include <stddef.h>

#define PRICES_MAX     10000
#define PRICE_MOST_USD 10000  //  an hour

typedef struct prices prices_t;

//  What has a '=' in it is a list, anything else the path of a file; "": no prices. Null and why:
//  which entry, and of a file which line.
prices_t *prices_read (const char *setting, reason_t *why);
void prices_destroy (prices_t **self_p);

size_t prices_count (const prices_t *self);
//  UNKNOWN when there is none; self and type may be null.
double prices_of (const prices_t *self, const char *region, const char *type);

#endif

// load_order.h - whose word on utilisation comes first: `cml, cloudwatch, *` unless configured.
//
// Names are kinds of collectors (the second part of a CloudEvents source); `*` stands for all
// that are not named, in the order in which they first spoke. Who is not in the list does not
// count.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_LOAD_ORDER_H
#define AGGREGATOR_LOAD_ORDER_H

#include "../common/envelope.h"

#include <stdbool.h>
#include <stddef.h>

#define LOAD_ORDER_MAX     8
#define LOAD_ORDER_DEFAULT "cml, cloudwatch, *"

typedef struct load_order {
    char kinds [LOAD_ORDER_MAX][ENVELOPE_KIND_SIZE];
    size_t count;
} load_order_t;

//  0, or -EINVAL and *self untouched: an empty list, a name twice, too long or too many.
int load_order_parse (load_order_t *self, const char *text, reason_t *why);

//  The kind has a place of its own, not only by `*`.
bool load_order_names (const load_order_t *self, const char *kind);

#endif

// pretty.h - an event as one line for people.
//
// One table says for each type what of its data is worth reading, and in which colour; what has no
// row is told member by member. All that comes from outside is made plain (common/plain.h).
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_PRETTY_H
#define GATEWAY_CLI_PRETTY_H

#include "../../common/json.h"

typedef struct pretty pretty_t;

//  Null when memory is out.
pretty_t *pretty_new (bool colour);
void pretty_destroy (pretty_t **self_p);

//  Learns a worker's name from a snapshot, or from the data of any event that has one.
void pretty_learn (pretty_t *self, struct json_object *data);

//  The line of an event's whole object, without its end.
void pretty_write (pretty_t *self, struct json_object *event, buffer_t *out);

//  Colours are for a terminal whose user has not said NO_COLOR (no-color.org).
bool pretty_wants_colour (int fd);

#endif

// sums.h - the numbers of the part of the fleet that somebody may see, as system.stats tells those of all.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_SUMS_H
#define GATEWAY_SUMS_H

#include "replica.h"
#include "view.h"

//  The object, as the next value.
void sums_write (replica_t *replica, const view_t *view, json_writer_t *json);

#endif

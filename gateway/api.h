// api.h - REST answers out of the replica: workers, one worker by source, the whole state.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_API_H
#define GATEWAY_API_H

#include "event_log.h"
#include "replica.h"

//  query gives a parameter's value or null. 0, or -EINVAL and why names the parameter.
typedef const char *api_query_fn (void *argument, const char *name);

int api_workers (replica_t *replica, const event_log_t *log, api_query_fn *query, void *argument,
                 buffer_t *out, reason_t *why);
//  others is the aggregator's answer about what other kinds of collectors told, null: none came.
//  -ENOENT when there is no such worker.
int api_worker (replica_t *replica, const char *id, const buffer_t *others, buffer_t *out,
                reason_t *why);
void api_state (replica_t *replica, const event_log_t *log, buffer_t *out);

#endif

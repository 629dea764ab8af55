// api.h - REST answers out of the replica: workers, one worker by source, the whole state; each as
// far as the view (view.h) of whoever asks goes.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_API_H
#define GATEWAY_API_H

#include "event_log.h"
#include "replica.h"
#include "view.h"

//  query gives a parameter's value or null. 0, or -EINVAL and why names the parameter.
typedef const char *api_query_fn (void *argument, const char *name);

//  0, or -EINVAL for what is no status of a worker; null is fine.
int api_check_status (const char *status, reason_t *why);

int api_workers (replica_t *replica, const event_log_t *log, const view_t *view,
                 api_query_fn *query, void *argument, buffer_t *out, reason_t *why);
//  others is the aggregator's answer about what other kinds of collectors told, null: none came.
//  -ENOENT when there is no such worker.
int api_worker (replica_t *replica, const view_t *view, const char *id, const buffer_t *others,
                buffer_t *out, reason_t *why);
//  The worker of this id, by worker or EC2 instance, if it may be seen; else null.
const replica_worker_t *api_find (replica_t *replica, const view_t *view, const char *id);
//  The last event that the replica covers.
void api_member_last_id (json_writer_t *json, const event_log_t *log);
void api_state (replica_t *replica, const event_log_t *log, const view_t *view, buffer_t *out);

#endif

// monitor_form.h - events in the words of the monitor protocol, as one WebSocket message each.
//
// Monitors (monitor.h) are clients of an older hub: their events are flat, `{"type":
// "job_status_changed", …, "timestamp": <ms>}`, where a stream's have an envelope and `data`. The
// message is made of the frame's own bytes, by the table below, when the first monitor wants it,
// and kept with the frame for all others. Besides what that hub's clients know, each has `event_id`
// and `seq`, by which a monitor goes on where it was, and `source`.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_MONITOR_FORM_H
#define GATEWAY_MONITOR_FORM_H

#include "replica.h"

#define MONITOR_NAME_SIZE 65

//  The message, borrowed; null when memory is out. mask as it was for the frame: null when all is
//  told. Its bytes' JSON stands where any frame's does.
frame_t *monitor_form (frame_t *frame, replica_t *replica, const mask_t *mask);

//  The name of an event of this type for monitors: the table's, else its own with underscores.
void monitor_form_name (event_type_t type, const char *own, char name [MONITOR_NAME_SIZE]);

//  The jobs of a full state (api.h), with their times in milliseconds as in the events.
void monitor_form_jobs (const char *json, size_t size, json_writer_t *out);

//  When the event was said, in milliseconds; 0: it does not say.
int64_t monitor_form_time_ms (const frame_t *frame);

#endif

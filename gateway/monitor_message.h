// monitor_message.h - what a monitor says: one JSON object, read and checked.
//
// | type | members |
// | --- | --- |
// | monitor_connect | request_full_state, last_event_id |
// | monitor_subscribe | subscriptions (or topics), filters |
// | subscribe | topics (or subscriptions), filters |
// | heartbeat | |
// | resync_request | last_event_timestamp or last_event_id, topics, filters |
//
// Each may name its monitor_id; filters are job_types, worker_ids, priority_range. Members that
// are not known are passed over, as timestamp is; a filter that is not known is refused, for what
// it was to keep out would come.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_MONITOR_MESSAGE_H
#define GATEWAY_MONITOR_MESSAGE_H

#include "filter.h"

#define MONITOR_ID_SIZE       65
#define MONITOR_EVENT_ID_SIZE 40

typedef enum monitor_type {
    MONITOR_CONNECT,
    MONITOR_SUBSCRIBE,
    MONITOR_HEARTBEAT,
    MONITOR_RESYNC,
    MONITOR_TYPE_UNKNOWN
} monitor_type_t;

typedef struct monitor_message {
    monitor_type_t type;
    const char *type_name;                  //  as it was said; null: it was not
    char monitor_id [MONITOR_ID_SIZE];      //  "": not said
    char event_id [MONITOR_EVENT_ID_SIZE];  //  last_event_id; "": not said
    int64_t timestamp_ms;                   //  last_event_timestamp; -1: not said
    bool full_state;
    struct json_object *tree, *topics, *filters;
} monitor_message_t;

//  Why a message is not taken: the code of the error that answers it.
#define MONITOR_MALFORMED    "malformed"     //  no JSON object with a type
#define MONITOR_UNKNOWN_TYPE "unknown_type"  //  none of the table's
#define MONITOR_INVALID      "invalid"       //  a member is not as it should be

//  Null, or the error's code, and why names what is wrong. Either way the message is to be cleared.
const char *monitor_message_read (monitor_message_t *self, const char *text, size_t size,
                                  reason_t *why);
void monitor_message_clear (monitor_message_t *self);

//  The filter as it is to be by the topics, when some were said, and the filters of the message,
//  which stand in place of those before. Null, or the error's code.
const char *monitor_message_filter (const monitor_message_t *self, filter_t *filter, reason_t *why);

#endif

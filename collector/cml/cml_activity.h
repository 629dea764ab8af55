// cml_activity.h - when people last used a CML server, of its telemetry events; pure.
//
// GET /telemetry/events answers the whole log each time (3,136 events on one server were
// measured), in no order that is promised. What counts as somebody's activity is a list of
// categories (reference: apis.md, CML), and of `user_activity` only what is neither a
// built-in account's (its id begins 00000000-0000-) nor our own, which our reading makes.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_ACTIVITY_H
#define COLLECTOR_CML_ACTIVITY_H

#include "../../common/clock.h"

#include <json-c/json.h>
#include <stddef.h>

#define CML_ACTIVITY_NEWEST   10
#define CML_ACTIVITY_BUILT_IN "00000000-0000-"

typedef struct cml_event {
    const char *category;  //  of the table, never of the answer
    time_us_t time;
} cml_event_t;

typedef struct cml_activity {
    size_t count;
    cml_event_t newest [CML_ACTIVITY_NEWEST];  //  newest first
} cml_activity_t;

//  What counts among the events; items of another shape are passed over. account_id is our
//  own, "" when it is not known.
cml_activity_t cml_activity_of (struct json_object *events, const char *account_id);

//  TIME_UNKNOWN when nothing counted.
time_us_t cml_activity_last (const cml_activity_t *self);

//  The array that is told: objects with category and timestamp, newest first. A new
//  reference; null when memory is out.
struct json_object *cml_activity_array (const cml_activity_t *self);

#endif

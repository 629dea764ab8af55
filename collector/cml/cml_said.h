// cml_said.h - one message that a CML server has pushed, as far as it concerns us; pure.
//
// Since 2.9 wss://<host>/ws/ui says what happens, one JSON object a message:
//
//     {"event_type":"system_stats","data":{…}}           as GET /system_stats, every 3 s or so
//     {"event_type":"lab_stats","lab_id":…,"data":{…}}    of each running lab
//     {"event_type":"state_change","element_type":"node","element_id":…,"event":"BOOTED","lab_id":…}
//     {"event_type":"lab_event","event":"state","lab_id":…,"data":{"state":"STARTED"}}
//
// and lab_event also with created, modified, deleted. Every member but event_type may be
// absent; a type that is not here is CML_SAID_OTHER, no fault.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_SAID_H
#define COLLECTOR_CML_SAID_H

#include "../../common/reason.h"

#include <json-c/json.h>
#include <stddef.h>

typedef enum cml_said_type {
    CML_SAID_SYSTEM_STATS,
    CML_SAID_LAB_STATS,
    CML_SAID_STATE_CHANGE,
    CML_SAID_LAB_EVENT,
    CML_SAID_OTHER,
    CML_SAID_TYPES
} cml_said_type_t;

//  "system_stats", …; "other" for the last.
const char *cml_said_name (cml_said_type_t type);

typedef struct cml_said {
    cml_said_type_t type;
    struct json_object *tree;  //  owned; all else is borrowed from it, null when absent
    struct json_object *data;  //  an object
    const char *lab_id, *element_type, *element_id, *event;
    const char *state;  //  of a lab_event
} cml_said_t;

//  0, -EINVAL (not an object with an event_type) or -E2BIG, and why.
int cml_said_read (cml_said_t *self, const void *text, size_t size, size_t size_max, reason_t *why);
void cml_said_clear (cml_said_t *self);

#endif

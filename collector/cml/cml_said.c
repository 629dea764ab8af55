// SPDX-License-Identifier: MIT

#include "cml_said.h"

#include "../../common/json.h"

#include "../../common/cleanup.h"

#include <errno.h>
#include <string.h>

static const char *const NAMES [CML_SAID_TYPES] = {
    [CML_SAID_SYSTEM_STATS] = "system_stats",
    [CML_SAID_LAB_STATS] = "lab_stats",
    [CML_SAID_STATE_CHANGE] = "state_change",
    [CML_SAID_LAB_EVENT] = "lab_event",
    [CML_SAID_OTHER] = "other",
};

const char *
cml_said_name (cml_said_type_t type)
{
    return NAMES [type];
}

static cml_said_type_t
type_of (const char *name)
{
    cml_said_type_t type = CML_SAID_SYSTEM_STATS;

    while (type < CML_SAID_OTHER && strcmp (name, NAMES [type]) != 0) {
        type++;
    }
    return type;
}

int
cml_said_read (cml_said_t *self, const void *text, size_t size, size_t size_max, reason_t *why)
{
    _cleanup_ (json_destroy) struct json_object *tree = NULL;

    int rc = json_parse (&tree, text, size, size_max, why);
    if (rc < 0) {
        return rc;
    }
    const char *name = json_get_text (tree, "event_type");
    if (!name) {
        return reason_set (why, -EINVAL, "no object with an event_type");
    }
    *self = (cml_said_t){
        .type = type_of (name),
        .data = json_get_object (tree, "data"),
        .lab_id = json_get_text (tree, "lab_id"),
        .element_type = json_get_text (tree, "element_type"),
        .element_id = json_get_text (tree, "element_id"),
        .event = json_get_text (tree, "event"),
    };
    self->state = json_get_text (self->data, "state");
    self->tree = take_ptr (tree);
    return 0;
}

void
cml_said_clear (cml_said_t *self)
{
    json_destroy (&self->tree);
    *self = (cml_said_t){0};
}

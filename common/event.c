// event.c - see event.h.
//
// SPDX-License-Identifier: MIT

#include "event.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static const struct {
    const char *name;
    event_place_t place;
    const char *source;
} ROWS [EVENT_TYPE_COUNT] = {
#define ROW(symbol, name, place, source) [EVENT_##symbol] = {name, EVENT_PLACE_##place, source},
    EVENT_CATALOGUE (ROW)
#undef ROW
};

const char *
event_type_name (event_type_t type)
{
    assert (type >= 0 && type < EVENT_TYPE_COUNT);
    return ROWS [type].name;
}

event_place_t
event_type_place (event_type_t type)
{
    assert (type >= 0 && type < EVENT_TYPE_COUNT);
    return ROWS [type].place;
}

const char *
event_type_source (event_type_t type)
{
    assert (type >= 0 && type < EVENT_TYPE_COUNT);
    return ROWS [type].source;
}

static event_type_t
find (const char *name, bool ingest)
{
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        if ((ROWS [type].place == EVENT_PLACE_INGEST) == ingest &&
            strcmp (ROWS [type].name, name) == 0) {
            return (event_type_t) type;
        }
    }
    return EVENT_UNKNOWN;
}

event_type_t
event_type_parse (const char *name)
{
    return find (name, false);
}

event_type_t
event_type_parse_ingest (const char *name)
{
    return find (name, true);
}

const char *
event_type_document (event_type_t type)
{
    switch (type) {
    case EVENT_JOB_PROGRESS_REPORTED: return "ingest.job.progress";
    case EVENT_JOB_COMPLETED_REPORTED: return "ingest.job.completed";
    case EVENT_JOB_FAILED_REPORTED: return "ingest.job.failed";
    default: return event_type_name (type);
    }
}

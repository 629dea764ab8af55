// event.c - see event.h.
//
// SPDX-License-Identifier: MIT

#include "event.h"

#include <assert.h>
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

event_type_t
event_type_parse (const char *name)
{
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        if (strcmp (ROWS [type].name, name) == 0) {
            return (event_type_t) type;
        }
    }
    return EVENT_UNKNOWN;
}

// SPDX-License-Identifier: MIT

#include "cml_publish.h"

#include "../../common/cleanup.h"

static observation_t
observation_of (const cml_place_t *place, event_type_t type)
{
    observation_t observation;

    observation_init (&observation, type);
    observation.envelope.time = collector_now (place->core).wall;
    return observation;
}

static void
publish (const cml_place_t *place, observation_t *observation)
{
    collector_publish (place->core, observation, place->subject);
}

void
cml_publish_system (const cml_place_t *place, cml_found_t *found, cml_told_t *health,
                    cml_told_t *licensing)
{
    observation_t observation = observation_of (place, EVENT_SYSTEM_OBSERVED);
    system_observed_t *out = &observation.system_observed;

    cml_observe_system (out, found, health, licensing, collector_now (place->core).steady);
    out->endpoint = *place->endpoint ? place->endpoint : NULL;
    out->interval_seconds = place->interval_seconds;
    publish (place, &observation);
}

void
cml_publish_labs (const cml_place_t *place, cml_found_t *found, cml_labs_t *labs)
{
    observation_t observation = observation_of (place, EVENT_LABS_OBSERVED);
    _cleanup_ (json_destroy) struct json_object *owned = NULL;

    observation.labs_observed.interval_seconds = place->interval_seconds;
    if (cml_observe_labs (&observation.labs_observed, found, labs, &owned)) {
        publish (place, &observation);
    }
}

void
cml_publish_lab_state (const cml_place_t *place, const char *lab_id, const char *node_id,
                       const char *state)
{
    observation_t observation = observation_of (place, EVENT_LAB_STATE_CHANGED);
    lab_state_changed_t *out = &observation.lab_state_changed;

    out->lab_id = lab_id;
    out->element_type = node_id ? "node" : "lab";
    out->element_id = node_id ? node_id : lab_id;
    out->event = out->state = state;
    publish (place, &observation);
}

void
cml_publish_activity (const cml_place_t *place, const cml_found_t *found, const char *account_id)
{
    observation_t observation = observation_of (place, EVENT_ACTIVITY_OBSERVED);
    activity_observed_t *out = &observation.activity_observed;
    _cleanup_ (json_destroy) struct json_object *owned = NULL;

    out->interval_seconds = place->interval_seconds;
    if (cml_observe_activity (out, found, account_id, &owned)) {
        publish (place, &observation);
    }
}

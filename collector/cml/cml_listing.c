// SPDX-License-Identifier: MIT

#include "cml_listing.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define LISTING_MAGIC    0xc3115719u
#define FIRST_US         (200 * MS_US)  //  the bus's sockets have met by then
#define INTERVAL_SECONDS 10             //  an aggregator that begins anew knows of none

struct cml_listing {
    unsigned magic;
    collector_t *core;
    const cml_servers_t *servers;
    loop_timer_t *timer;
};

static void
publish (const cml_listing_t *self, observation_t *observation, const char *id)
{
    char subject [ENVELOPE_SUBJECT_MAX];

    snprintf (subject, sizeof subject, "%s/%s", cml_servers_region (self->servers), id);
    observation->envelope.time = collector_now (self->core).wall;
    collector_publish (self->core, observation, subject);
}

void
cml_listing_follow (cml_listing_t *self)
{
    size_t count = 0;
    const collector_worker_t *const *workers =
        collector_workers (self->core, cml_servers_region (self->servers), &count);

    for (size_t i = 0; i < count; i++) {
        observation_t observation;
        if (cml_servers_find (self->servers, workers [i])) {
            continue;
        }
        log_info ("a CML server is listed no more", LOG_TEXT ("worker", workers [i]->subject));
        observation_init (&observation, EVENT_INSTANCE_GONE);
        observation.instance_gone.instance_id = workers [i]->instance_id;
        observation.instance_gone.region = workers [i]->region;
        observation.instance_gone.reason = "not_listed";
        publish (self, &observation, workers [i]->instance_id);
    }
}

static void
tell (void *argument)
{
    cml_listing_t *self = argument;
    assert (self->magic == LISTING_MAGIC);

    for (size_t i = 0; i < cml_servers_count (self->servers); i++) {
        const cml_listed_t *listed = cml_servers_at (self->servers, i);
        observation_t observation;
        instance_observed_t *out = &observation.instance_observed;
        observation_init (&observation, EVENT_INSTANCE_OBSERVED);
        out->instance_id = listed->id;
        out->region = cml_servers_region (self->servers);
        out->name = listed->name;
        out->state = "running";
        out->interval_seconds = INTERVAL_SECONDS;
        publish (self, &observation, listed->id);
    }
    cml_listing_follow (self);  //  again, should the bus have lost it
    loop_timer_after (self->timer, INTERVAL_SECONDS * SECOND_US);
}

cml_listing_t *
cml_listing_new (collector_t *core, const cml_servers_t *servers)
{
    _cleanup_ (cml_listing_destroy) cml_listing_t *self = calloc (1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->magic = LISTING_MAGIC;
    self->core = core;
    self->servers = servers;
    self->timer = loop_timer_new (collector_loop (core), tell, self);
    if (!self->timer) {
        return NULL;
    }
    loop_timer_after (self->timer, FIRST_US);
    return take_ptr (self);
}

void
cml_listing_destroy (cml_listing_t **self_p)
{
    assert (self_p);

    cml_listing_t *self = *self_p;
    if (self) {
        loop_timer_destroy (&self->timer);
        self->magic = 0;
        free (self);
        *self_p = NULL;
    }
}

// say.c - what a source says: observations, and that an API failed; see collector.h.
//
// SPDX-License-Identifier: MIT

#include "../../common/log.h"
#include "collector_state.h"

#include <assert.h>
#include <stdio.h>

void
collector_publish (collector_t *self, observation_t *observation, const char *subject)
{
    if (observation->envelope.time == TIME_UNKNOWN) {
        observation->envelope.time = loop_now (self->loop).wall;
    }
    metric_increment (self->published);
    if (!self->publisher) {
        modes_print (self, observation, subject);
        return;
    }
    int rc = spans_publish (self->tracing, self->publisher, observation, subject);
    if (rc < 0) {
        log_warn ("observation not sent", LOG_TEXT ("subject", subject),
                  LOG_TEXT ("type", event_type_name (observation->envelope.type)),
                  LOG_TEXT ("reason", rc == -EAGAIN ? "the queue for the aggregator is full"
                                                    : "it is larger than a message may be"));
    }
}

void
collector_report_account (collector_t *self, const char *account, const char *region,
                          const char *api, const char *code, const char *message)
{
    uint64_t held_back = 0;
    observation_t observation;
    reason_t said = {0};
    char where [160];

    metric_increment (metrics_with (
        self->metrics, METRIC_COUNTER, "cmlwatch_collector_errors_total",
        "faults of an API as a whole, by its own code", METRIC_LABELS ("api", api, "code", code)));
    snprintf (where, sizeof where, "%s%s%s", region ? region : "", *account ? " " : "", account);
    if (!report_is_due (self->report, where, api, code, loop_now (self->loop).steady, &held_back)) {
        return;
    }
    snprintf (said.text, sizeof said.text, *account ? "account %s: %s" : "%s%s", account, message);
    log_warn ("an API failed", LOG_TEXT ("api", api), LOG_TEXT ("region", region),
              LOG_TEXT ("code", code), LOG_TEXT ("reason", said.text),
              LOG_INTEGER ("held_back", held_back));
    observation_init (&observation, EVENT_COLLECTOR_ERROR);
    observation.envelope.time = loop_now (self->loop).wall;
    observation.collector_error.region = region;
    observation.collector_error.api = api;
    observation.collector_error.error_code = code;
    observation.collector_error.error_message = said.text;
    collector_publish (self, &observation, region ? region : "");
}

void
collector_report (collector_t *self, const char *region, const char *api, const char *code,
                  const char *message)
{
    collector_report_account (self, "", region, api, code, message);
}

usage_t *
collector_usage (collector_t *self)
{
    return self->usage;
}

void
collector_tell_usage (void *argument, collector_heartbeat_t *beat)
{
    collector_t *self = argument;
    assert (self->magic == COLLECTOR_MAGIC);

    usage_set_work (self->usage, self->units ? unit_table_count (self->units) : 0,
                    (size_t) metric_value (self->rounds_overdue));
    usage_tell (self->usage, beat, loop_now (self->loop).steady);
}

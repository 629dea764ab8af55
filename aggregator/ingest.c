// ingest.c - see ingest.h.
//
// SPDX-License-Identifier: MIT

#include "ingest.h"

#include "../common/cleanup.h"
#include "../common/log.h"
#include "door.h"
#include "sources.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INGEST_MAGIC 0x16e57a11u
//  A source whose clock is set right is not heard until its last words are past: no longer than this.
#define CLOCK_AHEAD_MOST (5 * SECOND_US)
#define EXPIRY_EVERY_MS  100
#define SOURCES_MAX      10000  //  whose numbers are followed; more are applied, but not followed

typedef int apply_fn (fleet_t *fleet, const observation_t *observation, reason_t *why);

struct ingest {
    unsigned magic;
    loop_t *loop;
    fleet_t *fleet;      //  borrowed
    const feed_t *feed;  //  likewise, and the one below
    losses_t *losses;
    loop_timer_t *expiry;
    bool paused;
    bus_subscriber_t *subscriber;
    size_t message_max;
    sources_t *sources;
    metrics_t *metrics;
    metric_t *accepted [EVENT_TYPE_COUNT];
    metric_t *restarts, *ahead, *recovered;
};

static int
log_error_of (fleet_t *fleet, const observation_t *observation, reason_t *why)
{
    const collector_error_t *error = &observation->collector_error;

    (void) fleet, (void) why;
    log_warn ("collector reports an error", LOG_TEXT ("source", observation->envelope.source),
              LOG_TEXT ("region", error->region), LOG_TEXT ("api", error->api),
              LOG_TEXT ("code", error->error_code), LOG_TEXT ("error", error->error_message));
    return 0;
}

//  One who has a job not, or not any more, is not believed, and counted; that is no fault of his.
static int
report_job (fleet_t *fleet, const observation_t *observation, reason_t *why)
{
    //  One table of fields for the three: any member of the union has them.
    const job_progress_reported_t *seen = &observation->job_progress_reported;
    _cleanup_ (buffer_clear) buffer_t result = {0};
    json_writer_t json = json_writer (&result);

    if (!seen->job_id || seen->attempt == INTEGER_UNKNOWN) {
        return reason_set (why, -EINVAL, "a report wants job_id and attempt");
    }
    if (seen->result.node) {
        json_put_node (&json, seen->result.node);
    }
    const job_report_t report = {.type = observation->envelope.type,
                                 .job_id = seen->job_id,
                                 .attempt = seen->attempt,
                                 .step = seen->step,
                                 .message = seen->message,
                                 .progress = seen->progress,
                                 .result = result.data,
                                 .error_code = seen->error_code,
                                 .error_message = seen->error_message};
    (void) broker_report (fleet_broker (fleet), observation->envelope.source, &report);
    return 0;
}

//  The whole of what a collector may make us do.
// clang-format off
static apply_fn *const APPLY [EVENT_TYPE_COUNT] = {
    [EVENT_INSTANCE_OBSERVED]    = fleet_apply_instance,
    [EVENT_INSTANCE_GONE]        = fleet_apply_gone,
    [EVENT_UTILIZATION_OBSERVED] = fleet_apply_utilization,
    [EVENT_SYSTEM_OBSERVED]      = fleet_apply_system,
    [EVENT_LABS_OBSERVED]        = fleet_apply_labs,
    [EVENT_LAB_STATE_CHANGED]    = fleet_apply_lab_state,
    [EVENT_ACTIVITY_OBSERVED]    = fleet_apply_activity,
    [EVENT_WORKER_TELEMETRY_OBSERVED] = fleet_apply_telemetry,
    [EVENT_JOB_PROGRESS_REPORTED]  = report_job,
    [EVENT_JOB_COMPLETED_REPORTED] = report_job,
    [EVENT_JOB_FAILED_REPORTED]    = report_job,
    [EVENT_COLLECTOR_HEARTBEAT]  = fleet_apply_heartbeat,  //  its numbers are followed like all
    [EVENT_COLLECTOR_ERROR]      = log_error_of,
};
// clang-format on

static const char *
reason_label (int rc)
{
    return rc == -E2BIG     ? "oversized"
           : rc == -ENOTSUP ? "unknown_type"
           : rc == -ENOENT  ? "unknown_worker"
           : rc == -ENOSPC  ? "workers_max"
                            : "malformed";
}

static void
reject (ingest_t *self, int rc, const char *source, const reason_t *why)
{
    metric_increment (metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_ingest_rejected_total",
                                    "Messages of collectors that could not be used, by reason",
                                    METRIC_LABELS ("reason", reason_label (rc))));
    log_warn ("observation refused", LOG_TEXT ("source", source), LOG_TEXT ("reason", why->text));
}

static void
count_lost (ingest_t *self, const char *source, uint64_t lost)
{
    if (lost > 0) {
        metric_count (metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_bus_lost_total",
                                    "Messages of a source that never arrived",
                                    METRIC_LABELS ("source", source)),
                      (double) lost);
        fleet_note_lost (self->fleet, source, lost);
        log_warn ("messages lost", LOG_TEXT ("source", source), LOG_INTEGER ("count", lost));
    }
}

uint64_t
ingest_heard (const ingest_t *self, const char *source, const char *epoch)
{
    const source_t *known = sources_find (self->sources, source);

    return known && strcmp (known->sequence.epoch, epoch) == 0 ? known->sequence.last : 0;
}

//  The numbers that end before next did not come, count of them: they may yet.
static void
note_missing (ingest_t *self, const envelope_t *envelope, uint64_t next, uint64_t count)
{
    if (count > 0) {
        count_lost (self, envelope->source,
                    losses_note (self->losses, envelope->source, envelope->epoch, next - count,
                                 next - 1, loop_now (self->loop).steady));
    }
}

static void
follow (ingest_t *self, const observation_t *observation)
{
    const envelope_t *envelope = &observation->envelope;
    source_t *source = sources_hear (self->sources, envelope->source, loop_now (self->loop).steady);
    uint64_t missed = 0;

    if (!source) {
        return;
    }
    //  A heartbeat tells what must have come before it; its own number comes after that.
    int64_t last = observation->envelope.type == EVENT_COLLECTOR_HEARTBEAT
                       ? observation->collector_heartbeat.last_sequence
                       : INTEGER_UNKNOWN;
    if (last > 0) {
        note_missing (self, envelope, (uint64_t) last + 1,
                      sequence_expect (&source->sequence, envelope->epoch, (uint64_t) last));
    }
    switch (sequence_next (&source->sequence, envelope->epoch, envelope->sequence, &missed)) {
    case SEQUENCE_RESTARTED: metric_increment (self->restarts); break;
    case SEQUENCE_DUPLICATE:
        if (losses_came (self->losses, envelope->source, envelope->epoch, envelope->sequence)) {
            metric_increment (self->recovered);
        }
        return;
    default: break;
    }
    note_missing (self, envelope, envelope->sequence, missed);
}

static void
on_lost (void *argument, const char *source, uint64_t count)
{
    count_lost (argument, source, count);
}

static void
on_expiry (void *argument)
{
    ingest_t *self = argument;

    losses_expire (self->losses, loop_now (self->loop).steady, on_lost, self);
}

//  A time that has not come yet would hide all that its source says until then. A clock that is
//  ahead by more than CLOCK_AHEAD_MOST is not believed: what it saw, it saw no later than now.
static void
believe_no_future (ingest_t *self, envelope_t *envelope)
{
    time_us_t now = loop_now (self->loop).wall;

    if (envelope->time > now + CLOCK_AHEAD_MOST) {
        log_warn ("the source's clock is ahead: its observations are taken as made now",
                  LOG_TEXT ("source", envelope->source),
                  LOG_INTEGER ("seconds", (envelope->time - now) / SECOND_US));
        metric_increment (self->ahead);
        envelope->time = now;
    }
}

static void
count_accepted (ingest_t *self, event_type_t type)
{
    if (!self->accepted [type]) {
        self->accepted [type] =
            metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_ingest_messages_total",
                          "Messages of collectors that were applied",
                          METRIC_LABELS ("type", event_type_name (type)));
    }
    metric_increment (self->accepted [type]);
}

static void
on_message (void *argument, const bus_message_t *message)
{
    ingest_t *self = argument;
    assert (self->magic == INGEST_MAGIC);
    reason_t why = {0};
    observation_t observation;

    if (message->frames != 2) {
        reason_set (&why, -EINVAL, "%zu frames, a message has two: topic and CloudEvents object",
                    message->frames);
        reject (self, -EINVAL, NULL, &why);
        return;
    }
    int rc = observation_decode (&observation, message->bytes [1], message->size [1],
                                 self->message_max, &why);
    if (rc < 0) {
        //  The source is in what could not be read: the start of it is the best that can be said.
        char start [80];
        snprintf (start, sizeof start, "%.*s",
                  (int) (message->size [0] < 79 ? message->size [0] : 79),
                  (const char *) message->bytes [0]);
        reject (self, rc, start, &why);
        return;
    }
    follow (self, &observation);
    fleet_follow_clock (self->fleet);
    believe_no_future (self, &observation.envelope);
    causes_begin (feed_causes (self->feed), &observation);
    rc = APPLY [observation.envelope.type](self->fleet, &observation, &why);
    causes_end (feed_causes (self->feed), rc < 0 ? why.text : NULL);
    if (rc < 0) {
        reject (self, rc, observation.envelope.source, &why);
    } else {
        count_accepted (self, observation.envelope.type);
    }
    observation_clear (&observation);
}

static void
on_turn_end (void *argument)
{
    ingest_t *self = argument;
    reason_t why;

    sources_save (self->sources);
    bool held = feed_is_held (self->feed, &why);

    if (held != self->paused) {
        self->paused = held;
        bus_subscriber_pause (self->subscriber, held);
    }
}

static void
add_metrics (ingest_t *self, metrics_t *metrics)
{
    self->metrics = metrics;
    self->restarts = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_ingest_source_restarts_total",
                                  "Collectors that began anew");
    self->ahead = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_ingest_clock_ahead_total",
                               "Observations from the future, taken as made now");
    self->recovered = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_bus_recovered_total",
                                   "Messages that were missing and came when asked for again");
}

ingest_t *
ingest_open (loop_t *loop, fleet_t *fleet, const feed_t *feed, losses_t *losses, store_t *store,
             const ingest_settings_t *settings, metrics_t *metrics, reason_t *why)
{
    static const char *const EVERYTHING [] = {"", NULL};
    _cleanup_ (ingest_destroy) ingest_t *self = calloc (1, sizeof *self);

    if (!self || !(self->sources = sources_new (SOURCES_MAX, store)) ||
        !(self->expiry = loop_timer_new (loop, on_expiry, self))) {
        reason_set (why, -ENOMEM, "ingest: out of memory");
        return NULL;
    }
    self->magic = INGEST_MAGIC;
    self->loop = loop;
    self->fleet = fleet;
    self->feed = feed;
    self->losses = losses;
    self->message_max = (size_t) settings->message_max_bytes;
    add_metrics (self, metrics);
    if (sources_restore (self->sources, loop_now (loop).steady, why) < 0) {
        return NULL;
    }
    self->subscriber = bus_subscriber_new (loop, BUS_BIND, settings->endpoint, EVERYTHING,
                                           (int) settings->high_water_mark, settings->keys,
                                           DOOR_INGEST, on_message, self, metrics, why);
    if (!self->subscriber) {
        return NULL;
    }
    loop_timer_every (self->expiry, EXPIRY_EVERY_MS * MS_US);
    loop_on_turn_end (loop, on_turn_end, self);
    return take_ptr (self);
}

void
ingest_destroy (ingest_t **self_p)
{
    assert (self_p);
    ingest_t *self = *self_p;

    if (self) {
        if (self->loop) {
            loop_forget (self->loop, self);
        }
        loop_timer_destroy (&self->expiry);
        bus_subscriber_destroy (&self->subscriber);
        sources_destroy (&self->sources);
        free (self);
        *self_p = NULL;
    }
}

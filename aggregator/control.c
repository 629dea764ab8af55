// control.c - see control.h.
//
// SPDX-License-Identifier: MIT

#include "control.h"

#include "../common/cleanup.h"
#include "../common/feed_frame.h"
#include "../common/log.h"
#include "answers.h"
#include "door.h"
#include "job_answers.h"
#include "work.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_DEFAULT 1000
#define PAGE_MOST    5000
#define PAGE_BYTES \
    ((size_t) 4 * 1024 * 1024)  //  of events, about; the next question goes on behind them
#define TTL_RENEWALS 3          //  missed in a row until a collector counts as gone

struct control {
    loop_t *loop;
    fleet_t *fleet;
    feed_t *feed;
    store_t *store;  //  null: none
    leases_t *leases;
    losses_t *losses;
    alerts_t *alerts;
    const ingest_t *ingest;  //  null until it is there
    bus_server_t *server;
    loop_timer_t *expiry;
    int64_t renew_ms;
    metric_t *collectors, *turned_away;
};

static bool
owns (control_t *self, const char *collector_id, const char *kind, const worker_t *worker)
{
    return leases_owns (self->leases, collector_id, kind, work_unit (kind, worker));
}

static int64_t
count_owned (control_t *self, const char *collector_id, const char *kind)
{
    int64_t owned = 0;

    for (const worker_t *worker = fleet_next (self->fleet, ""); worker;
         worker = fleet_next (self->fleet, worker_id (worker))) {
        owned += (strcmp (kind, "ec2") == 0 || work_wants (kind, worker)) &&
                 owns (self, collector_id, kind, worker);
    }
    return owned;
}

static void
tell_collector (control_t *self, event_type_t type, const char *collector_id, const char *kind,
                int64_t owned, const char *reason)
{
    json_writer_t *json = feed_begin (self->feed, type, NULL, NULL);

    json_member_text (json, "collector_id", collector_id);
    json_member_text (json, "kind", kind);
    json_member_integer (json, "workers_owned", owned);
    json_member_text (json, "reason", reason);
    feed_end (self->feed);
    log_info (type == EVENT_COLLECTOR_JOINED ? "collector joined" : "collector left",
              LOG_TEXT ("collector", collector_id), LOG_TEXT ("reason", reason));
    metric_set (self->collectors, (double) leases_count (self->leases));
}

static void
remove_collector (control_t *self, const char *collector_id, const char *kind, const char *reason)
{
    int64_t owned = count_owned (self, collector_id, kind);

    if (leases_leave (self->leases, collector_id)) {
        tell_collector (self, EVENT_COLLECTOR_LEFT, collector_id, kind, owned, reason);
    }
}

static void
write_page (control_t *self, bus_request_t *request, buffer_t *out)
{
    const char *cursor = json_get_text (bus_request_json (request), "cursor");
    int64_t limit = PAGE_DEFAULT, count = 0;
    const worker_t *worker = NULL;
    char last [64] = "";

    (void) json_get_integer (bus_request_json (request), "limit", &limit);
    limit = limit < 1 || limit > PAGE_MOST ? PAGE_DEFAULT : limit;
    snprintf (last, sizeof last, "%s", cursor ? cursor : "");
    for (; count < limit && (worker = fleet_next (self->fleet, last)); count++) {
        buffer_t header = {0}, snapshot = {0};
        feed_write_state (self->feed, worker, loop_now (self->loop).wall, &header, &snapshot);
        bus_request_add (request, header.data, header.size);
        bus_request_add (request, snapshot.data, snapshot.size);
        snprintf (last, sizeof last, "%s", worker_id (worker));
        buffer_clear (&header);
        buffer_clear (&snapshot);
    }
    json_writer_t json = json_writer (out);
    json_open_object (&json);
    json_member_text (&json, "epoch", feed_epoch (self->feed));
    json_member_integer (&json, "seq", (int64_t) feed_sequence (self->feed));
    json_member_integer (&json, "total", (int64_t) fleet_size (self->fleet));
    json_member_text (&json, "next_cursor", fleet_next (self->fleet, last) ? last : NULL);
    if (!cursor || !*cursor) {
        json_key (&json, "jobs");
        broker_write_jobs (fleet_broker (self->fleet), &json);
    }
    json_key (&json, "stats");
    json_open_object (&json);
    fleet_write_stats (self->fleet, &json);
    json_close_object (&json);
    json_close_object (&json);
}

//  What was gathered in this turn is committed and published first: a page covers only what is
//  kept (F3). While that cannot be, there is no state to give.
static void
on_state (void *argument, bus_request_t *request)
{
    control_t *self = argument;
    reason_t why = {0};
    buffer_t out = {0};

    fleet_settle (self->fleet);
    if (feed_is_held (self->feed, &why)) {
        bus_request_refuse (request, "store", why.text);
        return;
    }
    write_page (self, request, &out);
    bus_request_reply (request, out.data, out.size);
    buffer_clear (&out);
}

static bool
has_region (struct json_object *regions, const char *region)
{
    size_t count = regions ? json_object_array_length (regions) : 0;

    for (size_t i = 0; i < count; i++) {
        const char *name = json_object_get_string (json_object_array_get_idx (regions, i));
        if (name && strcmp (name, region) == 0) {
            return true;
        }
    }
    return count == 0;
}

//  Tags are a kilobyte or more: only for those that may choose a login or an address by them.
static void
write_worker (json_writer_t *json, const worker_t *worker, const char *kind)
{
    snapshot_t snapshot = worker_snapshot (worker);

    json_open_object (json);
    json_member_text (json, "worker_id", snapshot.worker_id);
    json_member_text (json, "region", snapshot.region);
    json_member_text (json, "instance_id", snapshot.aws_instance_id);
    json_member_text (json, "account_id", worker_account_id (worker));
    json_member_text (json, "name", snapshot.name);
    json_member_text (json, "status", snapshot.status);
    json_member_text (json, "public_ip", snapshot.public_ip);
    json_member_text (json, "private_ip", snapshot.private_ip);
    json_key (json, "detailed_monitoring");
    json_put_flag (json, snapshot.cloudwatch_detailed_monitoring_enabled);
    if (strcmp (kind, "cml") == 0 && snapshot.aws_tags) {
        json_member_raw (json, "tags", snapshot.aws_tags, strlen (snapshot.aws_tags));
    }
    json_close_object (json);
}

static void
write_work (control_t *self, json_writer_t *json, const char *collector_id, const char *kind,
            struct json_object *regions)  //  collector_id null: all that there is
{
    json_key (json, "regions");
    json_open_array (json);
    for (size_t i = 0; regions && i < json_object_array_length (regions); i++) {
        const char *region = json_object_get_string (json_object_array_get_idx (regions, i));
        if (work_is_by_region (kind) && region &&
            (!collector_id || leases_owns (self->leases, collector_id, kind, region))) {
            json_put_text (json, region);
        }
    }
    json_close_array (json);
    json_key (json, "workers");
    json_open_array (json);
    const worker_t *worker = strcmp (kind, "ec2") == 0 ? NULL : fleet_next (self->fleet, "");
    for (; worker; worker = fleet_next (self->fleet, worker_id (worker))) {
        if (work_wants (kind, worker) && has_region (regions, worker_region (worker)) &&
            (!collector_id || owns (self, collector_id, kind, worker))) {
            write_worker (json, worker, kind);
        }
    }
    json_close_array (json);
}

static void
write_range (void *argument, uint64_t from, uint64_t to)
{
    json_writer_t *json = argument;

    json_open_object (json);
    json_member_integer (json, "from", (int64_t) from);
    json_member_integer (json, "to", (int64_t) to);
    json_close_object (json);
}

//  What it is to send again, and whether it is to begin anew because that could not be had.
static void
write_losses (control_t *self, json_writer_t *json, const char *collector_id)
{
    json_key (json, "resend");
    json_open_array (json);
    losses_ask (self->losses, collector_id, loop_now (self->loop).steady, write_range, json);
    json_close_array (json);
    if (losses_takes_fresh (self->losses, collector_id)) {
        json_member_bool (json, "fresh", true);
    }
}

//  While nothing is taken in, nobody is to think that he is not heard.
static void
write_heard (control_t *self, json_writer_t *json, const char *collector_id, const char *epoch)
{
    reason_t why;

    if (self->ingest && epoch && !feed_is_held (self->feed, &why)) {
        json_member_integer (json, "heard",
                             (int64_t) ingest_heard (self->ingest, collector_id, epoch));
    }
}

static void
answer_lease (control_t *self, bus_request_t *request, const char *collector_id, const char *kind)
{
    struct json_object *ask = bus_request_json (request);
    const char *known = json_get_text (ask, "revision");
    char revision [80];
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    snprintf (revision, sizeof revision, "%s-%" PRIu64 "-%" PRIu64, feed_epoch (self->feed),
              fleet_revision (self->fleet), leases_revision (self->leases));
    json_open_object (&json);
    json_member_text (&json, "epoch", feed_epoch (self->feed));
    json_member_text (&json, "revision", revision);
    json_member_integer (&json, "renew_ms", self->renew_ms);
    json_member_integer (&json, "ttl_ms", self->renew_ms * TTL_RENEWALS);
    if (collector_id) {
        write_losses (self, &json, collector_id);
        write_heard (self, &json, collector_id, json_get_text (ask, "source_epoch"));
    }
    if (known && strcmp (known, revision) == 0) {
        json_member_bool (&json, "unchanged", true);
    } else {
        write_work (self, &json, collector_id, kind, json_get_array (ask, "regions"));
    }
    json_close_object (&json);
    bus_request_reply (request, out.data, out.size);
    buffer_clear (&out);
}

static void
on_lease (void *argument, bus_request_t *request)
{
    control_t *self = argument;
    struct json_object *ask = bus_request_json (request);
    const char *collector_id = json_get_text (ask, "collector_id"),
               *kind = json_get_text (ask, "kind");
    bool leaving = false, observing = false;

    if (!collector_id || strlen (collector_id) > 200 || !kind || strlen (kind) > 31) {
        bus_request_refuse (request, "malformed",
                            "lease wants collector_id (at most 200 bytes) and kind (31)");
        return;
    }
    (void) json_get_bool (ask, "leaving", &leaving);
    (void) json_get_bool (ask, "observing", &observing);
    if (observing) {
        //  It only looks: it gets all, holds nothing, and nobody has less for it.
        answer_lease (self, request, NULL, kind);
        return;
    }
    if (leaving) {
        remove_collector (self, collector_id, kind, "leaving");
    } else if (leases_renew (self->leases, collector_id, kind, loop_now (self->loop).steady)) {
        tell_collector (self, EVENT_COLLECTOR_JOINED, collector_id, kind,
                        count_owned (self, collector_id, kind), "lease");
    } else if (!leases_has (self->leases, collector_id)) {
        metric_increment (self->turned_away);
    }
    const char *lists = json_get_text (ask, "lists");
    const char *other = leases_take_lists (self->leases, collector_id, lists ? lists : "");
    if (other) {
        log_warn ("collectors of a kind have different files of accounts or servers",
                  LOG_TEXT ("collector", collector_id), LOG_TEXT ("other", other));
    }
    answer_lease (self, request, collector_id, kind);
    leases_told (self->leases, collector_id);
}

static void
on_worker (void *argument, bus_request_t *request)
{
    control_t *self = argument;
    answers_worker (self->fleet, request);
}

static void
on_command (void *argument, bus_request_t *request)
{
    control_t *self = argument;
    answers_command (self->fleet, request);
}

typedef struct past {
    bus_request_t *request;
    const char *epoch;
    size_t bytes;  //  of the answer
} past_t;

//  What was told in the store's epoch before this one is of this one now, with the same number.
static void
add_event (void *argument, uint64_t seq, time_us_t at, const void *header, size_t header_size,
           const void *body, size_t body_size)
{
    past_t *past = argument;
    feed_header_t told;

    (void) seq, (void) at;
    if (past->bytes >= PAGE_BYTES) {
        return;
    }
    past->bytes += header_size + body_size;
    if (feed_header_parse (&told, header, header_size, NULL) == 0 &&
        strcmp (told.epoch, past->epoch) != 0) {
        _cleanup_ (buffer_clear) buffer_t text = {0};
        snprintf (told.epoch, sizeof told.epoch, "%s", past->epoch);
        feed_header_write (&text, &told);
        bus_request_add (past->request, text.data, text.size);
    } else {
        bus_request_add (past->request, header, header_size);
    }
    bus_request_add (past->request, body, body_size);
}

//  Events of the log after a number: what a gateway needs to serve clients that come back.
static void
on_events (void *argument, bus_request_t *request)
{
    control_t *self = argument;
    int64_t after = 0, limit = PAGE_DEFAULT;
    reason_t why = {0};
    buffer_t out = {0};

    (void) json_get_integer (bus_request_json (request), "after", &after);
    (void) json_get_integer (bus_request_json (request), "limit", &limit);
    limit = limit < 1 || limit > PAGE_MOST ? PAGE_DEFAULT : limit;
    past_t past = {request, feed_epoch (self->feed), 0};
    if (self->store && after >= 0 &&
        store_each_event (self->store, (uint64_t) after, (size_t) limit, add_event, &past, &why) <
            0) {
        bus_request_refuse (request, "store", why.text);
        return;
    }
    json_writer_t json = json_writer (&out);
    json_open_object (&json);
    json_member_text (&json, "epoch", feed_epoch (self->feed));
    json_member_integer (
        &json, "first",
        (int64_t) (self->store ? store_first (self->store) : feed_sequence (self->feed) + 1));
    json_member_integer (&json, "last", (int64_t) feed_sequence (self->feed));
    json_close_object (&json);
    bus_request_reply (request, out.data, out.size);
    buffer_clear (&out);
}

static void
on_alerts (void *argument, bus_request_t *request)
{
    control_t *self = argument;
    answers_alerts (self->alerts, request);
}

static void
on_acknowledge (void *argument, bus_request_t *request)
{
    control_t *self = argument;
    answers_acknowledge (self->alerts, self->fleet, request);
}

#define JOB_OPERATION(name)                                        \
    static void on_##name (void *argument, bus_request_t *request) \
    {                                                              \
        control_t *self = argument;                                \
        job_answers_##name (fleet_broker (self->fleet), request);  \
    }
JOB_OPERATION (submit)
JOB_OPERATION (job)
JOB_OPERATION (jobs)
JOB_OPERATION (cancel)
JOB_OPERATION (runner)
JOB_OPERATION (report)
#undef JOB_OPERATION

static const bus_operation_t OPERATIONS [] = {{"state", on_state},
                                              {"events", on_events},
                                              {"lease", on_lease},
                                              {"worker", on_worker},
                                              {"command", on_command},
                                              {"submit", on_submit},
                                              {"job", on_job},
                                              {"jobs", on_jobs},
                                              {"cancel", on_cancel},
                                              {"runner", on_runner},
                                              {"report", on_report},
                                              {"alerts", on_alerts},
                                              {"acknowledge", on_acknowledge},
                                              {0}};

static void
on_expiry (void *argument)
{
    control_t *self = argument;
    char collector_id [201], kind [32];

    if (loop_timer_stood_still (self->expiry)) {
        return;
    }
    while (leases_silent (self->leases, loop_now (self->loop).steady, collector_id, kind)) {
        remove_collector (self, collector_id, kind, "silent");
    }
}

control_t *
control_open (loop_t *loop, fleet_t *fleet, feed_t *feed, store_t *store, leases_t *leases,
              losses_t *losses, alerts_t *alerts, const char *endpoint, const bus_keys_t *keys,
              int64_t renew_ms, metrics_t *metrics, reason_t *why)
{
    _cleanup_ (control_destroy) control_t *self = calloc (1, sizeof *self);

    if (!self || !(self->expiry = loop_timer_new (loop, on_expiry, self))) {
        reason_set (why, -ENOMEM, "control: out of memory");
        return NULL;
    }
    self->loop = loop;
    self->fleet = fleet;
    self->feed = feed;
    self->store = store;
    self->leases = leases;
    self->losses = losses;
    self->alerts = alerts;
    self->renew_ms = renew_ms;
    self->collectors = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_collectors",
                                    "Collectors whose lease is alive");
    self->turned_away = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_leases_refused_total",
                                     "Times a collector asked for work beyond collectors_max");
    bus_lock_t lock = {keys, DOOR_CONTROL, door_allows};
    self->server = bus_server_new (loop, endpoint, &lock, OPERATIONS, self, metrics, why);
    loop_timer_every (self->expiry, renew_ms * MS_US / 2);
    return self->server ? take_ptr (self) : NULL;
}

void
control_follow (control_t *self, const ingest_t *ingest)
{
    self->ingest = ingest;
}

void
control_destroy (control_t **self_p)
{
    assert (self_p);
    control_t *self = *self_p;

    if (self) {
        bus_server_destroy (&self->server);
        loop_timer_destroy (&self->expiry);
        free (self);
        *self_p = NULL;
    }
}

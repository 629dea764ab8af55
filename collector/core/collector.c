// collector.c - the parts of a collector, wired: lease to units, due times to rounds, what
// rounds find to the bus.
//
// A round is started from one place (start_rounds), which a timer calls when the earliest
// unit is due, when the lease has changed or when a round has ended. It is never called
// from within a source's function: collector_round_end only sets the timer.
//
// Drain: the lease is handed back at once, so that another collector takes over while this
// one still ends what it began; rounds have ROUND_GRACE_MS for that.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "collector_state.h"
#include "core.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ROUND_GRACE_MS       1000
#define CONNECTIONS_PER_HOST 8
#define SERIES_MAX           1000  //  of a family: accounts, actions and outcomes multiply
#define HEARTBEAT_MS         2000
#define RING_MAX             4096
#define LINGER_MS            1000

loop_t *
collector_loop (const collector_t *self)
{
    return self->loop;
}

http_client_t *
collector_http (const collector_t *self)
{
    return self->http;
}

metrics_t *
collector_metrics (const collector_t *self)
{
    return self->metrics;
}

retry_t *
collector_retry (collector_t *self)
{
    return &self->retry;
}

moment_t
collector_now (const collector_t *self)
{
    return loop_now (self->loop);
}

//  splitmix64: good enough for jitter, small enough to be here.
uint32_t
collector_random (void *argument)
{
    collector_t *self = argument;
    assert (self->magic == COLLECTOR_MAGIC);

    uint64_t z = (self->random += UINT64_C (0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C (0x94d049bb133111eb);
    return (uint32_t) ((z ^ (z >> 31)) >> 32);
}

//  --- rounds

static void
set_timer (collector_t *self)
{
    time_us_t next = schedule_next (self->schedule);

    if (self->draining || next == SCHEDULE_NEVER) {
        loop_timer_stop (self->timer);
        return;
    }
    time_us_t wait = next - loop_now (self->loop).steady;
    loop_timer_after (self->timer, wait > 0 ? wait : 0);
}

static void
start_rounds (void *argument)
{
    collector_t *self = argument;
    assert (self->magic == COLLECTOR_MAGIC);
    time_us_t now = loop_now (self->loop).steady;
    uint64_t overdue = 0;

    while (!self->draining) {
        schedule_item_t *item = schedule_take (self->schedule, now, &overdue);
        if (!item) {
            break;
        }
        unit_t *unit = unit_of (item);
        if (unit->rounds > 0 && modes_is_once (self->settings)) {
            schedule_done (self->schedule, item);  //  it has had its round
            continue;
        }
        unit->round.core = self;
        unit->round.began = now;
        unit->round.began_wall = loop_now (self->loop).wall;
        unit->round.code [0] = unit->round.message [0] = '\0';
        unit->round.scope = tracing_begin (self->tracing);
        leased_worker_release (&unit->round.worker);
        unit->round.worker = unit->worker ? leased_worker_hold (unit->worker) : NULL;
        if (self->jobs) {
            job_runner_round_begun (self->jobs, unit);
        }
        tracing_scope_t before = tracing_enter (self->tracing, &unit->round.scope);
        (self->settings->dry_run ? self->source->plan : self->source->start) (self->state,
                                                                              &unit->round);
        tracing_enter (self->tracing, &before);
    }
    if (overdue > 0) {
        metric_count (self->rounds_overdue, (double) overdue);
    }
    set_timer (self);
}

static void
let_go (void *argument)
{
    collector_t *self = argument;
    assert (self->magic == COLLECTOR_MAGIC);

    if (self->holding) {
        self->holding = false;
        loop_release (self->loop);
    }
}

void
collector_round_end (collector_round_t **self_p, bool ok)
{
    collector_round_t *round = take_ptr (*self_p);
    assert (round->magic == ROUND_MAGIC && round->unit->item.running && "a round ends once");
    collector_t *self = round->core;
    time_us_t now = loop_now (self->loop).steady;

    metric_increment (ok ? self->rounds_ok : self->rounds_failed);
    metric_observe (self->round_seconds, (double) (now - round->began) / (double) SECOND_US);
    spans_round (self->tracing, round, ok);
    leased_worker_release (&round->worker);
    if (self->jobs) {
        job_runner_round_ended (self->jobs, round->unit, ok, *round->code ? round->code : "failed",
                                *round->code ? round->message : "the log says why");
    }
    unit_table_release (self->units, round->unit, now);
    modes_note_round (self, ok);
    if (self->draining && schedule_running (self->schedule) == 0) {
        let_go (self);
    }
    set_timer (self);
}

void
collector_make_due (collector_t *self, const char *key)
{
    unit_table_make_due (self->units, key, loop_now (self->loop).steady);
    set_timer (self);
}

//  --- the lease

static void
send_again (collector_t *self)
{
    if (!self->publisher) {
        return;
    }
    const lease_list_t *list = lease_list (self->lease);
    uint64_t asked = 0, had = 0;

    for (size_t i = 0; i < list->resend_count; i++) {
        asked += list->resend [i].to - list->resend [i].from + 1;
        had += bus_publisher_resend (self->publisher, list->resend [i].from, list->resend [i].to);
    }
    log_info ("sent again what the aggregator did not hear", LOG_INTEGER ("asked", asked),
              LOG_INTEGER ("sent", had));
}

static void
on_lease (void *argument, unsigned news)
{
    collector_t *self = argument;
    assert (self->magic == COLLECTOR_MAGIC);

    if (news & LEASE_RESEND) {
        send_again (self);
    }
    if (news & LEASE_FORGET) {
        unit_table_forget (self->units);
    }
    if (news & LEASE_CHANGED) {
        unit_table_update (self->units, lease_list (self->lease), loop_now (self->loop).steady);
        if (self->source->leased) {
            self->source->leased (self->state);
        }
    }
    modes_note_lease (self, news & LEASE_ALONE);
    set_timer (self);
}

const collector_worker_t *const *
collector_workers (collector_t *self, const char *region, size_t *count)
{
    static const lease_list_t NONE = {0};
    const lease_list_t *list = self->lease ? lease_list (self->lease) : &NONE;

    *count = 0;
    free (self->workers);
    self->workers = calloc (list->workers_count + 1, sizeof (collector_worker_t *));
    for (size_t i = 0; self->workers && i < list->workers_count; i++) {
        const collector_worker_t *worker = &list->workers [i]->worker;
        if (!region || strcmp (worker->region, region) == 0) {
            self->workers [(*count)++] = worker;
        }
    }
    return self->workers;
}

//  --- life

static void
on_drain (void *argument)
{
    collector_t *self = argument;
    assert (self->magic == COLLECTOR_MAGIC);

    self->draining = true;
    loop_timer_stop (self->timer);
    lease_leave (self->lease);
    if (self->jobs) {
        job_runner_leave (self->jobs);
    }
    if (schedule_running (self->schedule) > 0 && !self->holding) {
        self->holding = true;
        loop_hold (self->loop);
        loop_timer_after (self->grace, ROUND_GRACE_MS * MS_US);
    }
}

bool
collector_is_ready (const collector_t *self, reason_t *why)
{
    assert (self->magic == COLLECTOR_MAGIC);

    return lease_is_live (self->lease, why);
}

static bool
is_ready (void *argument, reason_t *why)
{
    return collector_is_ready (argument, why);
}

static void
set_gauges (void *argument)
{
    collector_t *self = argument;
    assert (self->magic == COLLECTOR_MAGIC);

    metric_set (self->units_leased, self->units ? (double) unit_table_count (self->units) : 0);
    metric_set (self->rounds_running, (double) schedule_running (self->schedule));
    if (self->jobs) {
        metric_set (self->jobs_running, (double) job_runner_running (self->jobs));
    }
}

static metric_t *
rounds_total (collector_t *self, const char *outcome)
{
    return metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_collector_rounds_total",
                         "rounds of a unit that have ended", METRIC_LABELS ("outcome", outcome));
}

static void
make_metrics (collector_t *self)
{
    self->rounds_ok = rounds_total (self, "ok");
    self->rounds_failed = rounds_total (self, "failed");
    self->rounds_overdue =
        metrics_add (self->metrics, METRIC_COUNTER, "cmlwatch_collector_rounds_overdue_total",
                     "rounds skipped because the unit's last one still ran, or for want of room");
    self->units_leased = metrics_add (self->metrics, METRIC_GAUGE, "cmlwatch_collector_units",
                                      "regions or workers that are read");
    self->rounds_running = metrics_add (self->metrics, METRIC_GAUGE,
                                        "cmlwatch_collector_rounds_running", "rounds under way");
    if (self->source->capabilities) {
        self->jobs_running = metrics_add (self->metrics, METRIC_GAUGE,
                                          "cmlwatch_collector_jobs_running", "jobs under way");
    }
    self->round_seconds = metrics_add (self->metrics, METRIC_HISTOGRAM,
                                       "cmlwatch_collector_round_seconds", "time a round took");
    self->published = metrics_add (self->metrics, METRIC_COUNTER,
                                   "cmlwatch_collector_observations_total", "observations made");
    metrics_on_collect (self->metrics, set_gauges, self);
}

static bus_publisher_t *
make_publisher (collector_t *self, const char *source, reason_t *why)
{
    bus_publisher_settings_t settings = {
        .endpoint = self->settings->ingest,
        .source = source,
        .heartbeat_ms = HEARTBEAT_MS,
        .ring_max = RING_MAX,
        .high_water_mark = self->settings->queue_max,
        .linger_ms = LINGER_MS,
        .keys = self->keys,
        .on_beat = collector_tell_usage,
        .argument = self,
    };
    return bus_publisher_new (self->loop, &settings, self->metrics, why);
}

//  What cannot fail but for want of memory.
static int
make_base (collector_t *self, reason_t *why)
{
    if (getrandom (&self->random, sizeof self->random, GRND_NONBLOCK) < 0) {
        self->random = (uint64_t) clock_now ().wall;
    }
    retry_init (&self->retry, &RETRY_POLICY, collector_random, self);
    self->metrics = metrics_new (SERIES_MAX);
    self->schedule = schedule_new ((size_t) self->settings->concurrency, collector_random, self);
    self->report = report_new ();
    self->usage = usage_new (loop_now (self->loop).wall);
    self->timer = loop_timer_new (self->loop, start_rounds, self);
    self->modes.timer = loop_timer_new (self->loop, modes_end, self);
    self->grace = loop_timer_new (self->loop, let_go, self);
    if (!self->metrics || !self->schedule || !self->report || !self->usage || !self->timer ||
        !self->grace || !self->modes.timer) {
        return reason_set (why, -ENOMEM, "collector: out of memory");
    }
    make_metrics (self);
    return 0;
}

static int
make_exporter (collector_t *self, reason_t *why)
{
    double ratio = 0;

    if (otlp_open (&self->otlp, self->loop, &self->settings->otlp, self->source->program,
                   self->metrics, why) < 0 ||
        collector_read_ratio (self->settings->otlp_traces_ratio, &ratio, why) < 0) {
        return -EINVAL;
    }
    if (self->otlp && ratio > 0 && !(self->tracing = tracing_new (self->otlp, ratio))) {
        return reason_set (why, -ENOMEM, "collector: out of memory");
    }
    http_client_trace (self->http, self->tracing);
    return 0;
}

static void
publish (void *self, observation_t *observation, const char *subject)
{
    collector_publish (self, observation, subject);
}

static void
make_due (void *self, const char *unit)
{
    collector_make_due (self, unit);
}

//  A tool does one thing and ends: it takes no jobs.
static int
make_jobs (collector_t *self, reason_t *why)
{
    if (!self->source->capabilities || modes_is_tool (self->settings)) {
        return 0;
    }
    job_runner_parts_t parts = {
        .control = self->settings->control,
        .kind = self->source->kind,
        .source = self->name,
        .keys = self->keys,
        .capabilities = self->source->capabilities,
        .state = self->state,
        .concurrency = self->settings->jobs_concurrency,
        .renew_ms = self->settings->renew_ms,
        .units = self->units,
        .publish = publish,
        .make_due = make_due,
        .argument = self,
    };
    self->jobs = job_runner_new (self->loop, &parts, self->metrics, why);
    return self->jobs ? 0 : -EIO;
}

//  The sockets, then the source, then the lease that gives it work.
static int
make_parts (collector_t *self, const void *settings, reason_t *why)
{
    bool is_tool = modes_is_tool (self->settings);  //  beside the one that serves, on one machine
    if (asprintf (&self->name, "/collector/%s/%s", self->source->kind,
                  self->settings->collector_id) < 0) {
        self->name = NULL;
        return reason_set (why, -ENOMEM, "collector: out of memory");
    }
    if (self->settings->dry_run && !self->source->plan) {
        return reason_set (why, -EINVAL, "dry_run: this collector has none");
    }
    if (self->settings->admin [0] && !is_tool &&
        !(self->admin =
              admin_new (self->loop, self->settings->admin, self->metrics, is_ready, self, why))) {
        return -EIO;
    }
    if (!(self->http = http_client_new (self->loop, CONNECTIONS_PER_HOST, self->metrics, why)) ||
        make_exporter (self, why) < 0 ||
        bus_keys_open (&self->keys, &self->settings->keys, why) < 0 ||
        (!modes_is_observer (self->settings) &&
         !(self->publisher = make_publisher (self, self->name, why))) ||
        !(self->state = self->source->init (self, settings, why))) {
        return -EIO;
    }
    self->units = unit_table_new (self->source, self->state, self->settings, self->schedule);
    if (!self->units) {
        return reason_set (why, -ENOMEM, "collector: out of memory");
    }
    const char *regions = self->source->regions ? self->source->regions (self->state) : NULL;
    self->lease =
        lease_new (self->loop, self->source->kind, self->name, self->settings, self->keys,
                   regions ? regions : self->settings->regions, on_lease, self, self->metrics, why);
    if (!self->lease) {
        return -EIO;
    }
    lease_follow (self->lease, self->publisher);
    lease_tell_lists (self->lease, self->source->lists ? self->source->lists (self->state) : 0);
    return make_jobs (self, why);
}

collector_t *
collector_new (loop_t *loop, const collector_source_t *source, const void *settings, reason_t *why)
{
    _cleanup_ (collector_destroy) collector_t *self = calloc (1, sizeof *self);
    if (!self) {
        reason_set (why, -ENOMEM, "collector: out of memory");
        return NULL;
    }
    self->magic = COLLECTOR_MAGIC;
    self->loop = loop;
    self->source = source;
    self->settings = settings;
    if (make_base (self, why) < 0 || make_parts (self, settings, why) < 0) {
        return NULL;
    }
    loop_on_drain (loop, on_drain, self);
    return take_ptr (self);
}

void
collector_destroy (collector_t **self_p)
{
    assert (self_p);

    collector_t *self = *self_p;
    if (self) {
        loop_forget (self->loop, self);
        let_go (self);
        job_runner_destroy (&self->jobs);
        if (self->units) {
            unit_table_clear (self->units);
        }
        if (self->state) {
            self->source->destroy (self->state);
        }
        unit_table_destroy (&self->units);
        lease_destroy (&self->lease);
        bus_publisher_destroy (&self->publisher);
        bus_keys_destroy (&self->keys);
        http_client_destroy (&self->http);
        tracing_destroy (&self->tracing);
        otlp_destroy (&self->otlp);
        admin_destroy (&self->admin);
        loop_timer_destroy (&self->modes.timer);
        loop_timer_destroy (&self->grace);
        loop_timer_destroy (&self->timer);
        report_destroy (&self->report);
        usage_destroy (&self->usage);
        schedule_destroy (&self->schedule);
        metrics_destroy (&self->metrics);
        free (self->workers);
        free (self->name);
        free (self);
        *self_p = NULL;
    }
}

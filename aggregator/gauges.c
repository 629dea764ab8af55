// gauges.c - see gauges.h.
//
// SPDX-License-Identifier: MIT

#include "gauges.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SERVICES_COUNT  4
#define FRESHNESS_COUNT 4
#define LICENSES_MAX    8

struct gauges {
    loop_t *loop;
    fleet_t *fleet;
    const idle_rules_t *rules;
    int64_t workers_max;
};

//  One scrape, at one worker.
typedef struct scrape {
    metrics_sink_t *out;
    const char *name;  //  of the family
    const worker_t *worker;
    const idle_rules_t *rules;
    time_us_t now;
} scrape_t;

static void
sample (const scrape_t *scrape, const char *label, const char *text, double value)
{
    const char *const labels [] = {"worker_id", worker_id (scrape->worker), label, text, NULL};

    if (!isnan (value)) {
        metrics_write_sample (scrape->out, scrape->name, labels, value);
    }
}

static const char *
or_empty (const char *text)
{
    return text ? text : "";
}

static void
write_info (const scrape_t *scrape)
{
    snapshot_t snapshot = worker_snapshot (scrape->worker);
    //  A join on worker_id brings these to any other gauge.
    const char *const labels [] = {
        "worker_id",   snapshot.worker_id,       "name", snapshot.name, "region", snapshot.region,
        "instance_id", snapshot.aws_instance_id, NULL};
    metrics_write_sample (scrape->out, scrape->name, labels, 1);
}

static void
write_status (const scrape_t *scrape)
{
    sample (scrape, "status", worker_status_name (worker_status (scrape->worker)), 1);
}

static void
write_service (const scrape_t *scrape)
{
    sample (scrape, "service_status", worker_service_name (worker_service (scrape->worker)), 1);
}

static void
write_license (const scrape_t *scrape)
{
    const char *license = worker_snapshot (scrape->worker).license_status;

    sample (scrape, "license_status", or_empty (license), license ? 1 : NAN);
}

static const struct {
    const char *name;
    worker_source_t source;
} LOADS [] = {{"cml", SOURCE_CML}, {"cloudwatch", SOURCE_CLOUDWATCH}, {"calculated", SOURCE_OTHER}};
#define LOADS_COUNT (sizeof LOADS / sizeof *LOADS)

static void
write_cpu (const scrape_t *scrape)
{
    for (size_t i = 0; i < LOADS_COUNT; i++) {
        sample (scrape, "source", LOADS [i].name,
                worker_load (scrape->worker, LOADS [i].source).cpu / 100);
    }
}

static void
write_memory (const scrape_t *scrape)
{
    for (size_t i = 0; i < LOADS_COUNT; i++) {
        sample (scrape, "source", LOADS [i].name,
                worker_load (scrape->worker, LOADS [i].source).memory / 100);
    }
}

static void
write_storage (const scrape_t *scrape)
{
    for (size_t i = 0; i < LOADS_COUNT; i++) {
        sample (scrape, "source", LOADS [i].name,
                worker_load (scrape->worker, LOADS [i].source).storage / 100);
    }
}

static void
write_labs (const scrape_t *scrape)
{
    if (worker_labs_at (scrape->worker) != TIME_UNKNOWN) {
        sample (scrape, NULL, NULL, (double) worker_labs_total (scrape->worker));
    }
}

static void
write_labs_running (const scrape_t *scrape)
{
    int64_t running = worker_snapshot (scrape->worker).cml_labs_count;

    sample (scrape, NULL, NULL, running == INTEGER_UNKNOWN ? NAN : (double) running);
}

static void
write_age (const scrape_t *scrape)
{
    for (int source = 0; source < SOURCE_COUNT; source++) {
        time_us_t seen = worker_last_seen (scrape->worker, (worker_source_t) source);
        if (seen != TIME_UNKNOWN) {
            double age = (double) (scrape->now - seen) / SECOND_US;
            sample (scrape, "source", worker_source_name ((worker_source_t) source),
                    age > 0 ? age : 0);
        }
    }
}

static bool
is_idle (const worker_t *worker, const idle_rules_t *rules)
{
    idle_facts_t facts = worker_idle_facts (worker);
    return idle_is_idle (rules, &facts);
}

static void
write_idle (const scrape_t *scrape)
{
    idle_facts_t facts = worker_idle_facts (scrape->worker);
    double idle = (double) (scrape->now - idle_since (&facts)) / SECOND_US;

    if (facts.is_running) {
        sample (scrape, NULL, NULL, idle > 0 ? idle : 0);
    }
}

//  Of each worker.
static const struct {
    const char *name, *help;
    void (*write) (const scrape_t *scrape);
} FAMILIES [] = {
    {"cmlwatch_worker_info", "What a worker is called", write_info},
    {"cmlwatch_worker_status", "1 for the status it has", write_status},
    {"cmlwatch_worker_service_status", "1 for the service status it has", write_service},
    {"cmlwatch_worker_license_status", "1 for the licence status it has", write_license},
    {"cmlwatch_worker_cpu_utilization_ratio", "CPU in use, by who told it", write_cpu},
    {"cmlwatch_worker_memory_utilization_ratio", "Memory in use, by who told it", write_memory},
    {"cmlwatch_worker_storage_utilization_ratio", "Disk in use, by who told it", write_storage},
    {"cmlwatch_worker_labs", "Labs it has", write_labs},
    {"cmlwatch_worker_labs_running", "Labs that run on it", write_labs_running},
    {"cmlwatch_worker_freshness_age_seconds", "Time since a source last told of it", write_age},
    {"cmlwatch_worker_unused_seconds", "Time since anyone last used it, while it runs", write_idle},
};

static void
write_workers (gauges_t *self, metrics_sink_t *out)
{
    scrape_t scrape = {.out = out, .rules = self->rules, .now = loop_now (self->loop).wall};

    for (size_t i = 0; i < sizeof FAMILIES / sizeof *FAMILIES; i++) {
        int64_t told = 0;
        scrape.name = FAMILIES [i].name;
        metrics_write_head (out, METRIC_GAUGE, FAMILIES [i].name, FAMILIES [i].help);
        for (const worker_t *worker = fleet_next (self->fleet, "");
             worker && told < self->workers_max;
             worker = fleet_next (self->fleet, worker_id (worker)), told++) {
            scrape.worker = worker;
            FAMILIES [i].write (&scrape);
        }
    }
}

typedef struct sums {
    size_t workers, idle, labs, labs_running;
    size_t statuses [WORKER_STATUS_COUNT], services [SERVICES_COUNT];
    size_t freshness [SOURCE_COUNT][FRESHNESS_COUNT];
    const char *licenses [LICENSES_MAX];  //  static texts
    size_t licensed [LICENSES_MAX];
    utilization_t load;               //  summed
    size_t cpus, memories, storages;  //  how many are known
} sums_t;

static void
add_license (sums_t *sums, const char *license)
{
    size_t at = 0;

    while (license && at < LICENSES_MAX && sums->licenses [at] &&
           strcmp (sums->licenses [at], license) != 0) {
        at++;
    }
    if (license && at < LICENSES_MAX) {
        sums->licenses [at] = license;
        sums->licensed [at]++;
    }
}

static void
add_known (double *sum, size_t *count, double value)
{
    if (!isnan (value)) {
        *sum += value;
        ++*count;
    }
}

static void
add_worker (sums_t *sums, const worker_t *worker, const idle_rules_t *rules)
{
    snapshot_t snapshot = worker_snapshot (worker);

    sums->workers++;
    sums->statuses [worker_status (worker)]++;
    sums->services [worker_service (worker)]++;
    for (int source = 0; source < SOURCE_COUNT; source++) {
        sums->freshness [source][worker_freshness (worker, (worker_source_t) source)]++;
    }
    add_license (sums, snapshot.license_status);
    add_known (&sums->load.cpu, &sums->cpus, snapshot.cpu_utilization);
    add_known (&sums->load.memory, &sums->memories, snapshot.memory_utilization);
    add_known (&sums->load.storage, &sums->storages, snapshot.storage_utilization);
    sums->idle += is_idle (worker, rules);
    sums->labs += (size_t) worker_labs_total (worker);
    sums->labs_running += snapshot.cml_labs_count > 0 ? (size_t) snapshot.cml_labs_count : 0;
}

static void
write_sum (metrics_sink_t *out, const char *name, const char *help, double value)
{
    if (!isnan (value)) {
        metrics_write_head (out, METRIC_GAUGE, name, help);
        metrics_write_sample (out, name, NULL, value);
    }
}

static void
write_freshness (metrics_sink_t *out, const sums_t *sums)
{
    static const char NAME [] = "cmlwatch_workers_by_freshness";

    metrics_write_head (out, METRIC_GAUGE, NAME, "Workers by how fresh a source's word is");
    for (int source = 0; source < SOURCE_COUNT; source++) {
        for (int each = 0; each < FRESHNESS_COUNT; each++) {
            metrics_write_sample (out, NAME,
                                  METRIC_LABELS ("source",
                                                 worker_source_name ((worker_source_t) source),
                                                 "freshness", freshness_name ((freshness_t) each)),
                                  (double) sums->freshness [source][each]);
        }
    }
}

static void
write_by_state (metrics_sink_t *out, const sums_t *sums)
{
    metrics_write_head (out, METRIC_GAUGE, "cmlwatch_workers", "Workers by status");
    for (int status = 0; status < WORKER_STATUS_COUNT; status++) {
        metrics_write_sample (
            out, "cmlwatch_workers",
            METRIC_LABELS ("status", worker_status_name ((worker_status_t) status)),
            (double) sums->statuses [status]);
    }
    metrics_write_head (out, METRIC_GAUGE, "cmlwatch_workers_by_service_status",
                        "Workers by service status");
    for (int service = 0; service < SERVICES_COUNT; service++) {
        metrics_write_sample (
            out, "cmlwatch_workers_by_service_status",
            METRIC_LABELS ("service_status", worker_service_name ((worker_service_t) service)),
            (double) sums->services [service]);
    }
    metrics_write_head (out, METRIC_GAUGE, "cmlwatch_workers_by_license_status",
                        "Workers by licence status");
    for (size_t i = 0; i < LICENSES_MAX && sums->licenses [i]; i++) {
        metrics_write_sample (out, "cmlwatch_workers_by_license_status",
                              METRIC_LABELS ("license_status", sums->licenses [i]),
                              (double) sums->licensed [i]);
    }
}

static double
mean_ratio (double sum, size_t count)
{
    return count ? sum / 100 / (double) count : NAN;
}

static void
write_sums (gauges_t *self, metrics_sink_t *out)
{
    sums_t sums = {0};

    for (const worker_t *worker = fleet_next (self->fleet, ""); worker;
         worker = fleet_next (self->fleet, worker_id (worker))) {
        add_worker (&sums, worker, self->rules);
    }
    write_by_state (out, &sums);
    write_freshness (out, &sums);
    write_sum (out, "cmlwatch_fleet_cpu_utilization_ratio", "Mean of the workers' CPU in use",
               mean_ratio (sums.load.cpu, sums.cpus));
    write_sum (out, "cmlwatch_fleet_memory_utilization_ratio", "Mean of their memory in use",
               mean_ratio (sums.load.memory, sums.memories));
    write_sum (out, "cmlwatch_fleet_storage_utilization_ratio", "Mean of their disk in use",
               mean_ratio (sums.load.storage, sums.storages));
    write_sum (out, "cmlwatch_fleet_labs", "Labs of all workers", (double) sums.labs);
    write_sum (out, "cmlwatch_fleet_labs_running", "Labs that run", (double) sums.labs_running);
    write_sum (out, "cmlwatch_workers_idle", "Workers that are idle", (double) sums.idle);
    write_sum (out, "cmlwatch_workers_not_told",
               "Workers beyond metrics_workers_max, which have no gauges of their own",
               (double) sums.workers > (double) self->workers_max
                   ? (double) sums.workers - (double) self->workers_max
                   : 0);
}

static void
on_write (void *argument, metrics_sink_t *out)
{
    gauges_t *self = argument;

    write_sums (self, out);
    write_workers (self, out);
}

gauges_t *
gauges_new (loop_t *loop, fleet_t *fleet, const idle_rules_t *rules, int64_t workers_max,
            metrics_t *metrics)
{
    gauges_t *self = calloc (1, sizeof *self);

    if (self) {
        *self = (gauges_t){loop, fleet, rules, workers_max};
        metrics_on_write (metrics, on_write, self);
    }
    return self;
}

void
gauges_destroy (gauges_t **self_p)
{
    assert (self_p);
    free (*self_p);
    *self_p = NULL;
}

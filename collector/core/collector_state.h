// collector_state.h - the inside of a collector, for collector.c, round.c, modes.c and say.c
// alone.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CORE_COLLECTOR_STATE_H
#define COLLECTOR_CORE_COLLECTOR_STATE_H

#include "../../common/admin.h"
#include "../../common/bus.h"
#include "job_runner.h"
#include "lease.h"
#include "modes.h"
#include "report.h"
#include "spans.h"
#include "unit.h"

#define COLLECTOR_MAGIC 0xc011ec70u

struct collector {
    unsigned magic;
    loop_t *loop;                          //  borrowed
    const collector_source_t *source;      //  borrowed
    const collector_settings_t *settings;  //  borrowed; of the source's, the first member
    metrics_t *metrics;
    admin_t *admin;      //  null when there is to be none
    otlp_t *otlp;        //  null: off
    tracing_t *tracing;  //  null: nothing is traced
    http_client_t *http;
    bus_keys_t *keys;            //  null: the bus is not encrypted
    bus_publisher_t *publisher;  //  null: events are printed, or nobody is told
    char *name;                  //  "/collector/<kind>/<collector_id>"
    schedule_t *schedule;
    report_t *report;
    usage_t *usage;
    void *state;  //  the source's
    unit_table_t *units;
    lease_t *lease;
    job_runner_t *jobs;  //  null: it takes none
    loop_timer_t *timer, *grace;
    bool draining, holding;
    modes_t modes;
    retry_t retry;
    uint64_t random;
    const collector_worker_t **workers;  //  scratch of collector_workers
    metric_t *rounds_ok, *rounds_failed, *rounds_overdue, *units_leased, *rounds_running;
    metric_t *jobs_running;
    metric_t *round_seconds, *published;
};

//  say.c: what a heartbeat says of us; argument is a collector_t.
void collector_tell_usage (void *argument, collector_heartbeat_t *beat);

#endif

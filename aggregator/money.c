// money.c - see money.h.
//
// SPDX-License-Identifier: MIT

#include "money.h"

#include "../common/cleanup.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_EVERY_MS 10000

struct money {
    loop_t *loop;
    fleet_t *fleet;
    const worker_rules_t *rules;
    loop_timer_t *timer;
    time_us_t counted;  //  steady; up to when
    metric_t *running, *idle, *unpriced, *saved, *would_save;
};

typedef struct sums {
    double running, idle, unpriced;  //  USD an hour; workers
    double saved, would_save;        //  USD an hour that is saved now
} sums_t;

static void
add (sums_t *sums, const worker_t *worker, const idle_rules_t *rules)
{
    snapshot_t snapshot = worker_snapshot (worker);
    idle_facts_t facts = worker_idle_facts (worker);
    double price = worker_price (worker);
    worker_status_t status = worker_status (worker);
    bool is_down = status == WORKER_STOPPING || status == WORKER_STOPPED;

    if (isnan (price)) {
        sums->unpriced += status == WORKER_RUNNING;
        return;
    }
    if (status == WORKER_RUNNING) {
        sums->running += price;
        sums->idle += idle_is_idle (rules, &facts) ? price : 0;
        sums->would_save +=
            rules->auto_pause == AUTO_PAUSE_DRY_RUN && idle_is_due (rules, &facts) ? price : 0;
    } else if (is_down && snapshot.pause_reason &&
               strcmp (snapshot.pause_reason, "idle_timeout") == 0) {
        sums->saved += price;
    }
}

static void
count (void *argument)
{
    money_t *self = argument;
    time_us_t now = loop_now (self->loop).steady;
    double hours = (double) (now - self->counted) / (double) (60 * MINUTE_US);
    sums_t sums = {0};

    for (const worker_t *worker = fleet_next (self->fleet, ""); worker;
         worker = fleet_next (self->fleet, worker_id (worker))) {
        add (&sums, worker, &self->rules->idle);
    }
    self->counted = now;
    metric_set (self->running, sums.running);
    metric_set (self->idle, sums.idle);
    metric_set (self->unpriced, sums.unpriced);
    metric_count (self->saved, sums.saved * hours);
    metric_count (self->would_save, sums.would_save * hours);
}

money_t *
money_new (loop_t *loop, fleet_t *fleet, const worker_rules_t *rules, metrics_t *metrics)
{
    _cleanup_ (money_destroy) money_t *self = calloc (1, sizeof *self);

    if (!self || !(self->timer = loop_timer_new (loop, count, self))) {
        return NULL;
    }
    self->loop = loop;
    self->fleet = fleet;
    self->rules = rules;
    self->counted = clock_now ().steady;
    if (prices_count (rules->prices) == 0) {
        return take_ptr (self);
    }
    self->running = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_cost_usd_per_hour",
                                 "What the workers that run cost an hour, of those with a price");
    self->idle = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_idle_cost_usd_per_hour",
                              "What of it is for workers that are idle");
    self->unpriced = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_workers_without_price",
                                  "Workers that run and whose type has no price");
    self->saved = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_auto_pause_saved_usd_total",
                               "What the workers paused for idleness did not cost meanwhile");
    self->would_save =
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_auto_pause_would_save_usd_total",
                     "What those cost that auto_pause = dry-run would have paused");
    metrics_on_collect (metrics, count, self);
    loop_timer_every (self->timer, COUNT_EVERY_MS * MS_US);
    return take_ptr (self);
}

void
money_destroy (money_t **self_p)
{
    assert (self_p);
    money_t *self = *self_p;

    if (self) {
        loop_timer_destroy (&self->timer);
        free (self);
        *self_p = NULL;
    }
}

// pace.c - see pace.h.
//
// SPDX-License-Identifier: MIT

#include "pace.h"

#include <czmq.h>
#include <stdlib.h>

struct pace {
    double per_second;
    retry_random_fn *random;
    void *argument;
    zhashx_t *lanes;  //  by "service region account"
};

struct pace_lane {
    const pace_t *pace;
    char service [40], region [80], account [80];
    double rate, tokens;  //  tokens below zero are promised to calls that wait
    time_us_t refilled, slowed;
    int failures;  //  in a row, without an answer
    int rests;     //  in a row
    time_us_t rests_until;
    bool probing;  //  one call is on its way to see
};

static void
destroy_lane (void **lane_p)
{
    free (*lane_p);
    *lane_p = NULL;
}

pace_t *
pace_new (double per_second, retry_random_fn *random, void *argument)
{
    pace_t *self = calloc (1, sizeof *self);

    if (self) {
        self->per_second = per_second;
        self->random = random;
        self->argument = argument;
        self->lanes = zhashx_new ();
        zhashx_set_destructor (self->lanes, destroy_lane);
    }
    return self;
}

void
pace_destroy (pace_t **self_p)
{
    if (*self_p) {
        zhashx_destroy (&(*self_p)->lanes);
        free (*self_p);
        *self_p = NULL;
    }
}

pace_lane_t *
pace_lane (pace_t *self, const char *service, const char *region, const char *account)
{
    char key [160];

    snprintf (key, sizeof key, "%s %s %s", service, region, account);
    pace_lane_t *lane = zhashx_lookup (self->lanes, key);
    if (!lane && (lane = calloc (1, sizeof *lane))) {
        lane->pace = self;
        snprintf (lane->service, sizeof lane->service, "%s", service);
        snprintf (lane->region, sizeof lane->region, "%s", region);
        snprintf (lane->account, sizeof lane->account, "%s", account);
        lane->rate = self->per_second;
        lane->tokens = PACE_BURST_SECONDS * self->per_second;
        zhashx_insert (self->lanes, key, lane);
    }
    return lane;
}

static void
refill (pace_lane_t *self, time_us_t steady)
{
    double most = PACE_BURST_SECONDS * self->rate;

    if (self->refilled > 0) {
        self->tokens += (double) (steady - self->refilled) / (double) SECOND_US * self->rate;
    }
    self->tokens = self->tokens > most ? most : self->tokens;
    self->refilled = steady;
}

time_us_t
pace_take (pace_lane_t *self, time_us_t steady, time_us_t *rest_us)
{
    if (self->rests_until > 0 && (steady < self->rests_until || self->probing)) {
        *rest_us = steady < self->rests_until ? self->rests_until - steady : SECOND_US;
        return -1;
    }
    self->probing = self->rests_until > 0;
    refill (self, steady);
    self->tokens -= 1;
    return self->tokens >= 0 ? 0 : (time_us_t) (-self->tokens / self->rate * (double) SECOND_US);
}

bool
pace_probes (const pace_lane_t *self)
{
    return self->probing;
}

void
pace_forgo (pace_lane_t *self)
{
    self->probing = false;
}

static void
slow_down (pace_lane_t *self, time_us_t steady)
{
    if (self->slowed == 0 || steady - self->slowed >= SECOND_US) {
        refill (self, steady);
        self->rate = self->rate / 2 > PACE_RATE_LEAST ? self->rate / 2 : PACE_RATE_LEAST;
        self->tokens = self->tokens > 0 ? 0 : self->tokens;
        self->slowed = steady;
    }
}

//  Twice as long each time, and by chance up to half of it longer: programs do not come back at once.
static void
rest (pace_lane_t *self, time_us_t steady)
{
    int64_t ms = PACE_REST_LEAST_MS;

    for (int i = 0; i < self->rests && ms < PACE_REST_MOST_MS; i++) {
        ms *= 2;
    }
    ms = ms < PACE_REST_MOST_MS ? ms : PACE_REST_MOST_MS;
    uint64_t more = ((uint64_t) ms / 2 * self->pace->random (self->pace->argument)) >> 32;
    self->rests++;
    self->rests_until = steady + (ms + (int64_t) more) * MS_US;
}

void
pace_tell (pace_lane_t *self, aws_fault_t fault, time_us_t steady)
{
    double full = self->pace->per_second;

    if (fault == AWS_NETWORK) {
        self->failures++;
        if (self->probing || (self->failures >= PACE_DEAD_AFTER && self->rests_until == 0)) {
            rest (self, steady);
        }
        self->probing = false;
        return;
    }
    self->failures = self->rests = 0;
    self->rests_until = 0;
    self->probing = false;
    if (fault == AWS_THROTTLED) {
        slow_down (self, steady);
    } else if (fault == AWS_OK && self->rate < full) {
        refill (self, steady);
        self->rate =
            self->rate + PACE_GROWTH * full < full ? self->rate + PACE_GROWTH * full : full;
    }
}

void
pace_show (const pace_lane_t *self, metrics_t *metrics, bool waits)
{
    const char *const labels [] = {"service", self->service, "region", self->region,
                                   "account", self->account, NULL};

    metric_set (metrics_with (metrics, METRIC_GAUGE, "cmlwatch_aws_rate_per_second",
                              "calls a second to a service in a region, as AWS's throttling allows",
                              labels),
                self->rate);
    metric_set (metrics_with (metrics, METRIC_GAUGE, "cmlwatch_aws_circuit_open",
                              "1: a service that did not answer is being left alone", labels),
                pace_rests (self));
    metric_count (metrics_with (metrics, METRIC_COUNTER, "cmlwatch_aws_paced_total",
                                "calls to AWS that waited for their turn", labels),
                  waits);
}

double
pace_rate (const pace_lane_t *self)
{
    return self->rate;
}

bool
pace_rests (const pace_lane_t *self)
{
    return self->rests_until > 0;
}

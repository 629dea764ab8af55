// pace.h - how fast a service in a region may be asked; pure: the caller gives the moment and the dice.
//
// One lane for each service, region and account, shared by all that this program asks there: AWS counts an
// account's requests together, so a throttled one is a reason for all of them to slow down. A lane
// is a token bucket; a call takes its token ahead of time and is told how long to wait for it, so
// that calls leave one after the other and never together. When AWS throttles, the rate is halved
// (once a second at most: calls under way do not know of each other), and grows back with each
// success. A service that does not answer at all is left alone for a while after DEAD_AFTER failures
// in a row, longer each time; then one call goes to see.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_AWS_PACE_H
#define COLLECTOR_AWS_PACE_H

#include "../../common/metrics.h"
#include "fault.h"

#include <stdbool.h>

#define PACE_BURST_SECONDS 2     //  of calls at once, after a silence
#define PACE_RATE_LEAST    0.5   //  a second, however often AWS throttles
#define PACE_GROWTH        0.02  //  of the full rate, with each success
#define PACE_DEAD_AFTER    5
#define PACE_REST_LEAST_MS 5000
#define PACE_REST_MOST_MS  60000

typedef struct pace pace_t;
typedef struct pace_lane pace_lane_t;

//  per_second is of each lane. Null when memory is out.
pace_t *pace_new (double per_second, retry_random_fn *random, void *argument);
void pace_destroy (pace_t **self_p);

//  Borrowed; made when it is first asked for. Null when memory is out: then nothing is paced.
pace_lane_t *pace_lane (pace_t *self, const char *service, const char *region, const char *account);

//  Microseconds to wait before the call, whose token is taken; or -1: the service is being left
//  alone, and *rest_us says for how long.
time_us_t pace_take (pace_lane_t *self, time_us_t steady, time_us_t *rest_us);
//  A call goes to see, and the others wait for what it finds. One that went and never got as far as an
//  answer gives its place to the next.
bool pace_probes (const pace_lane_t *self);
void pace_forgo (pace_lane_t *self);
//  How a call ended: AWS_THROTTLED and AWS_NETWORK count against the service, all else is an answer.
void pace_tell (pace_lane_t *self, aws_fault_t fault, time_us_t steady);

//  On /metrics: its rate, whether it rests, and, when it waits, one call more that had to.
void pace_show (const pace_lane_t *self, metrics_t *metrics, bool waits);

double pace_rate (const pace_lane_t *self);
bool pace_rests (const pace_lane_t *self);

#endif

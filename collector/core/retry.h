// retry.h - whether to try again, and when; pure: the caller gives the moment and the dice.
//
// Exponential backoff with full jitter (a uniform wait in 0 to base * 2^n, capped), so that
// callers refused together do not come back together, and a budget for the whole program:
// a bucket of 500 tokens, 5 for a retry, 10 for one after a timeout, given back by the call
// that succeeds. When an API fails for everybody the bucket runs dry and retries stop: a
// storm is not answered with a storm. Figures: AWS SDKs' standard mode (reference apis.md).
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CORE_RETRY_H
#define COLLECTOR_CORE_RETRY_H

#include "../../common/clock.h"

#include <stdint.h>

typedef struct retry_policy {
    int attempts_max;      //  3: the first and two more
    int64_t base_ms;       //  1000
    int64_t cap_ms;        //  20000
    int64_t tokens_max;    //  500
    int64_t cost;          //  5
    int64_t cost_timeout;  //  10
} retry_policy_t;

extern const retry_policy_t RETRY_POLICY;  //  the figures above

typedef enum retry_cause { RETRY_FAILED, RETRY_THROTTLED, RETRY_TIMED_OUT } retry_cause_t;

typedef uint32_t retry_random_fn (void *argument);

typedef struct retry {  //  the budget; retry_init before use
    const retry_policy_t *policy;
    int64_t tokens;
    retry_random_fn *random;
    void *argument;
} retry_t;

//  One call and its attempts; zero at the start.
typedef struct retry_call {
    int attempts;  //  that have failed
    int64_t paid;  //  tokens, given back on success
} retry_call_t;

void retry_init (retry_t *self, const retry_policy_t *policy, retry_random_fn *random,
                 void *argument);

//  An attempt failed: microseconds to wait before the next (at least retry_after_seconds
//  when that is not -1), or -1: give up, the attempts or the budget are used up.
time_us_t retry_after (retry_t *self, retry_call_t *call, retry_cause_t cause,
                       int64_t retry_after_seconds);

//  The call succeeded: its tokens come back, or one when it needed no retry.
void retry_succeeded (retry_t *self, retry_call_t *call);

#endif

// SPDX-License-Identifier: MIT

#include "retry.h"

#include <assert.h>

const retry_policy_t RETRY_POLICY = {
    .attempts_max = 3,
    .base_ms = 1000,
    .cap_ms = 20000,
    .tokens_max = 500,
    .cost = 5,
    .cost_timeout = 10,
};

void
retry_init (retry_t *self, const retry_policy_t *policy, retry_random_fn *random, void *argument)
{
    assert (policy && random);

    *self = (retry_t){
        .policy = policy, .tokens = policy->tokens_max, .random = random, .argument = argument};
}

//  base * 2^(failed - 1), at most the cap; the shift is bounded before it can overflow.
static int64_t
ceiling_ms (const retry_policy_t *policy, int failed)
{
    int64_t ceiling = policy->base_ms;

    for (int i = 1; i < failed && ceiling < policy->cap_ms; i++) {
        ceiling *= 2;
    }
    return ceiling < policy->cap_ms ? ceiling : policy->cap_ms;
}

time_us_t
retry_after (retry_t *self, retry_call_t *call, retry_cause_t cause, int64_t retry_after_seconds)
{
    int64_t cost = cause == RETRY_TIMED_OUT ? self->policy->cost_timeout : self->policy->cost;

    call->attempts++;
    if (call->attempts >= self->policy->attempts_max || self->tokens < cost) {
        return -1;
    }
    self->tokens -= cost;
    call->paid += cost;

    uint64_t range_us = (uint64_t) (ceiling_ms (self->policy, call->attempts) * MS_US);
    time_us_t wait_us = (time_us_t) ((range_us * self->random (self->argument)) >> 32);
    //  A server that asks for longer than our own cap is heard in part: the next round is near.
    time_us_t asked_us = retry_after_seconds > 0 ? retry_after_seconds * SECOND_US : 0;
    if (asked_us > self->policy->cap_ms * MS_US) {
        asked_us = self->policy->cap_ms * MS_US;
    }
    return wait_us > asked_us ? wait_us : asked_us;
}

void
retry_succeeded (retry_t *self, retry_call_t *call)
{
    self->tokens += call->paid > 0 ? call->paid : 1;
    if (self->tokens > self->policy->tokens_max) {
        self->tokens = self->policy->tokens_max;
    }
    *call = (retry_call_t){0};
}

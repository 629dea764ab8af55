// fault.h - what kind of failure an AWS answer is, whether to try again, what would be right.
//
// Decided by the error's code, not by the HTTP status: CloudWatch throttles with 400, EC2
// with 503 (reference api-facts.md 1.6, 2.7). The status counts only where there is no code.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_AWS_FAULT_H
#define COLLECTOR_AWS_FAULT_H

#include "../../common/http_client.h"
#include "../core/retry.h"

#include <stdbool.h>

#define AWS_CODE_SIZE 65

typedef enum aws_fault {
    AWS_OK,
    AWS_AUTH,    //  the keys are absent, wrong or expired
    AWS_SKEW,    //  this machine's clock is too far off to sign
    AWS_DENIED,  //  the keys are good and may not do this
    AWS_THROTTLED,
    AWS_NETWORK,    //  no answer
    AWS_SERVER,     //  the service's own fault
    AWS_MALFORMED,  //  an answer that is not one
    AWS_REFUSED,    //  anything else the service will not do
    AWS_FAULT_COUNT
} aws_fault_t;

const char *aws_fault_name (aws_fault_t fault);    //  "ok", "auth": the metric's outcome
const char *aws_fault_remedy (aws_fault_t fault);  //  a clause for people; "" when none
bool aws_fault_is_worth_a_retry (aws_fault_t fault);
retry_cause_t aws_fault_cause (aws_fault_t fault, http_outcome_t outcome);

//  Of an error answer with this code ("" when it had none) and HTTP status.
aws_fault_t aws_fault_of (const char *code, int status);

//  The word for it in a job's error_code: forbidden, wrong_state, not_found, throttled, …
const char *aws_fault_job_code (aws_fault_t fault, const char *code);

//  True for the codes that a wrong clock can cause.
bool aws_fault_may_be_skew (const char *code);

//  Seconds our clock is ahead (negative: behind) of the answer's Date; 0 when within
//  AWS_SKEW_TOLERATED_SECONDS or when there is no date.
#define AWS_SKEW_TOLERATED_SECONDS 60
int64_t aws_skew_seconds (time_us_t now_wall, time_us_t date);

//  Takes code and message out of an error answer of either shape. True when it was one.
bool aws_error_read (const char *body, size_t size, char code [AWS_CODE_SIZE], char message [400]);

#endif

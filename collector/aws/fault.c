// SPDX-License-Identifier: MIT

#include "fault.h"

#include "xml.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    bool retry;
    const char *remedy;
    const char *job_code;
} FAULTS [AWS_FAULT_COUNT] = {
    [AWS_OK] = {"ok", false, "", "ok"},
    [AWS_AUTH] = {"auth", false, "check the keys in use: --dry-run says where they come from",
                  "credentials"},
    [AWS_SKEW] = {"skew", false, "set this machine's clock, by NTP", "credentials"},
    [AWS_DENIED] = {"denied", false, "allow the action in the IAM policy of these keys",
                    "forbidden"},
    [AWS_THROTTLED] = {"throttled", true, "the account's limit; the next round asks again",
                       "throttled"},
    [AWS_NETWORK] = {"network", true, "check the network and the endpoint (AWS_ENDPOINT_URL)",
                     "unreachable"},
    [AWS_SERVER] = {"server", true, "the service's own fault; the next round asks again", "server"},
    [AWS_MALFORMED] = {"malformed", false,
                       "an XML answer of the Query API is wanted; check endpoint and proxies",
                       "malformed"},
    [AWS_REFUSED] = {"refused", false, "", "refused"},
};

// clang-format off
static const struct {
    const char *code;
    aws_fault_t fault;
    bool may_be_skew;
} CODES [] = {
    {"Throttling",                             AWS_THROTTLED, false},
    {"ThrottlingException",                    AWS_THROTTLED, false},
    {"ThrottledException",                     AWS_THROTTLED, false},
    {"RequestThrottled",                       AWS_THROTTLED, false},
    {"RequestThrottledException",              AWS_THROTTLED, false},
    {"RequestLimitExceeded",                   AWS_THROTTLED, false},
    {"BandwidthLimitExceeded",                 AWS_THROTTLED, false},
    {"LimitExceededException",                 AWS_THROTTLED, false},
    {"ProvisionedThroughputExceededException", AWS_THROTTLED, false},
    {"TooManyRequestsException",               AWS_THROTTLED, false},
    {"PriorRequestNotComplete",                AWS_THROTTLED, false},
    {"TransactionInProgressException",         AWS_THROTTLED, false},
    {"SlowDown",                               AWS_THROTTLED, false},
    {"EC2ThrottledException",                  AWS_THROTTLED, false},
    {"RequestTimeTooSkewed",                   AWS_SKEW,      true},
    {"RequestInTheFuture",                     AWS_SKEW,      true},
    {"RequestExpired",                         AWS_AUTH,      true},
    {"AuthFailure",                            AWS_AUTH,      true},
    {"SignatureDoesNotMatch",                  AWS_AUTH,      true},
    {"InvalidSignatureException",              AWS_AUTH,      true},
    {"IncompleteSignature",                    AWS_AUTH,      false},
    {"InvalidClientTokenId",                   AWS_AUTH,      false},
    {"InvalidAccessKeyId",                     AWS_AUTH,      false},
    {"UnrecognizedClientException",            AWS_AUTH,      false},
    {"MissingAuthenticationToken",             AWS_AUTH,      false},
    {"MissingAuthenticationTokenException",    AWS_AUTH,      false},
    {"ExpiredToken",                           AWS_AUTH,      false},
    {"ExpiredTokenException",                  AWS_AUTH,      false},
    {"UnauthorizedOperation",                  AWS_DENIED,    false},
    {"AccessDenied",                           AWS_DENIED,    false},
    {"AccessDeniedException",                  AWS_DENIED,    false},
    {"OptInRequired",                          AWS_DENIED,    false},
    {"Blocked",                                AWS_DENIED,    false},
    {"PendingVerification",                    AWS_DENIED,    false},
    {"InvalidIdentityToken",                   AWS_AUTH,      false},
    {"IDPCommunicationError",                  AWS_SERVER,    false},
    {"InternalError",                          AWS_SERVER,    false},
    {"InternalFailure",                        AWS_SERVER,    false},
    {"InternalServiceError",                   AWS_SERVER,    false},
    {"Unavailable",                            AWS_SERVER,    false},
    {"ServiceUnavailable",                     AWS_SERVER,    false},
    {"RequestTimeout",                         AWS_SERVER,    false},
    {"RequestTimeoutException",                AWS_SERVER,    false},
};
// clang-format on

const char *
aws_fault_name (aws_fault_t fault)
{
    assert (fault < AWS_FAULT_COUNT);
    return FAULTS [fault].name;
}

const char *
aws_fault_remedy (aws_fault_t fault)
{
    assert (fault < AWS_FAULT_COUNT);
    return FAULTS [fault].remedy;
}

bool
aws_fault_is_worth_a_retry (aws_fault_t fault)
{
    assert (fault < AWS_FAULT_COUNT);
    return FAULTS [fault].retry;
}

retry_cause_t
aws_fault_cause (aws_fault_t fault, http_outcome_t outcome)
{
    if (outcome == HTTP_TIMED_OUT) {
        return RETRY_TIMED_OUT;
    }
    return fault == AWS_THROTTLED ? RETRY_THROTTLED : RETRY_FAILED;
}

static aws_fault_t
fault_of_status (int status)
{
    switch (status) {
    case 401: return AWS_AUTH;
    case 403: return AWS_DENIED;
    case 429: return AWS_THROTTLED;
    default: return status >= 500 ? AWS_SERVER : AWS_REFUSED;
    }
}

aws_fault_t
aws_fault_of (const char *code, int status)
{
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        if (strcmp (CODES [i].code, code) == 0) {
            return CODES [i].fault;
        }
    }
    //  A code that is not in the table, with a server's status, is the server's fault.
    return *code && status < 500 ? AWS_REFUSED : fault_of_status (status);
}

bool
aws_fault_may_be_skew (const char *code)
{
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        if (strcmp (CODES [i].code, code) == 0) {
            return CODES [i].may_be_skew;
        }
    }
    return false;
}

int64_t
aws_skew_seconds (time_us_t now_wall, time_us_t date)
{
    if (date == TIME_UNKNOWN) {
        return 0;
    }
    int64_t seconds = (now_wall - date) / SECOND_US;
    bool tolerated =
        seconds <= AWS_SKEW_TOLERATED_SECONDS && seconds >= -AWS_SKEW_TOLERATED_SECONDS;
    return tolerated ? 0 : seconds;
}

typedef struct error_texts {
    char code [AWS_CODE_SIZE];
    char message [400];
} error_texts_t;

static int
take_text (void *argument, const xml_rule_t *rule, const char *text)
{
    snprintf ((char *) argument + rule->offset, rule->size, "%s", text);
    return 0;
}

#define TAKE(path_, member)                                                             \
    {                                                                                   \
        .path = path_, .at_end = take_text, .offset = offsetof (error_texts_t, member), \
        .size = sizeof ((error_texts_t *) 0)->member                                    \
    }

//  EC2's shape, and everybody else's.
static const xml_rule_t RESPONSE [] = {
    TAKE ("Errors/Error/Code", code), TAKE ("Errors/Error/Message", message), {0}};
static const xml_rule_t ERROR_RESPONSE [] = {
    TAKE ("Error/Code", code), TAKE ("Error/Message", message), {0}};

bool
aws_error_read (const char *body, size_t size, char code [AWS_CODE_SIZE], char message [400])
{
    error_texts_t texts = {0};
    bool is_error = xml_read (body, size, "Response", RESPONSE, &texts, NULL) == 0 ||
                    xml_read (body, size, "ErrorResponse", ERROR_RESPONSE, &texts, NULL) == 0;

    if (!is_error || !texts.code [0]) {
        return false;
    }
    memcpy (code, texts.code, sizeof texts.code);
    memcpy (message, texts.message, sizeof texts.message);
    return true;
}

//  Of what EC2 refuses: the one to whom it happens can do something about these.
static const struct {
    const char *code, *job_code;
} REFUSALS [] = {
    {"IncorrectInstanceState", "wrong_state"},       {"IncorrectState", "wrong_state"},
    {"UnsupportedOperation", "wrong_state"},   //  a spot instance, an instance store
    {"OperationNotPermitted", "wrong_state"},  //  stop protection
    {"InsufficientInstanceCapacity", "no_capacity"}, {"InstanceLimitExceeded", "no_capacity"},
    {"InvalidInstanceID.NotFound", "not_found"},     {"InvalidInstanceID.Malformed", "not_found"},
};

const char *
aws_fault_job_code (aws_fault_t fault, const char *code)
{
    assert (fault < AWS_FAULT_COUNT);
    for (size_t i = 0; fault == AWS_REFUSED && i < sizeof REFUSALS / sizeof *REFUSALS; i++) {
        if (strcmp (REFUSALS [i].code, code) == 0) {
            return REFUSALS [i].job_code;
        }
    }
    return FAULTS [fault].job_code;
}

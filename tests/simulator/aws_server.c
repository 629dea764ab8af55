// SPDX-License-Identifier: MIT

#include "aws_server.h"

#include "../../common/cleanup.h"
#include "aws_call.h"
#include "form.h"
#include "sigv4.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define XML_TYPE "text/xml;charset=UTF-8"
#define XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define AWS_FAULTS                                                                      \
    (1u << FAULT_THROTTLE | 1u << FAULT_ERROR500 | 1u << FAULT_CUT | 1u << FAULT_HUGE | \
     1u << FAULT_HTML | 1u << FAULT_SLOW | 1u << FAULT_UNREACHABLE | 1u << FAULT_SKEW | \
     1u << FAULT_DENY)

static const aws_service_t EC2 = {"ec2", "2016-11-15", "http://ec2.amazonaws.com/doc/2016-11-15/",
                                  AWS_EC2};
static const aws_service_t CLOUDWATCH = {
    "monitoring", "2010-08-01", "http://monitoring.amazonaws.com/doc/2010-08-01/", AWS_QUERY};
static const aws_service_t STS = {"sts", "2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/",
                                  AWS_QUERY};

typedef struct action {
    const char *name;
    const aws_service_t *service;
    aws_handler_fn *handler;
    double capacity, per_second;  //  of the token bucket of an account and region
    bool is_unsigned;
} action_t;

//  Rates: EC2's request throttling guide; CloudWatch's service quotas; STS' quotas.
// clang-format off
static const action_t ACTIONS [] = {
    {"DescribeInstances",         &EC2,        ec2_describe_instances,            100, 20,  false},
    {"DescribeInstanceStatus",    &EC2,        ec2_describe_instance_status,      100, 20,  false},
    {"DescribeImages",            &EC2,        ec2_describe_images,               100, 20,  false},
    {"StartInstances",            &EC2,        ec2_start_instances,               5,   2,   false},
    {"StopInstances",             &EC2,        ec2_stop_instances,                50,  5,   false},
    {"MonitorInstances",          &EC2,        ec2_monitor_instances,             50,  5,   false},
    {"UnmonitorInstances",        &EC2,        ec2_unmonitor_instances,           50,  5,   false},
    {"GetMetricData",             &CLOUDWATCH, cloudwatch_get_metric_data,        50,  50,  false},
    {"GetMetricStatistics",       &CLOUDWATCH, cloudwatch_get_metric_statistics,  400, 400, false},
    {"ListMetrics",               &CLOUDWATCH, cloudwatch_list_metrics,           25,  25,  false},
    {"GetCallerIdentity",         &STS,        sts_get_caller_identity,           600, 600, false},
    {"AssumeRole",                &STS,        sts_assume_role,                   600, 600, false},
    {"AssumeRoleWithWebIdentity", &STS,        sts_assume_role_with_web_identity, 600, 600, true},
};
// clang-format on
#define ACTION_COUNT (sizeof ACTIONS / sizeof ACTIONS [0])

typedef struct bucket {
    double tokens;
    time_us_t filled_steady;
} bucket_t;

struct aws_server {
    aws_parts_t parts;
    uint64_t requests;
    bucket_t buckets [ACTION_COUNT][REGIONS_MAX];
};

aws_server_t *
aws_server_new (const aws_parts_t *parts)
{
    aws_server_t *self = calloc (1, sizeof *self);

    if (!self) {
        return NULL;
    }
    self->parts = *parts;
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        for (size_t region = 0; region < REGIONS_MAX; region++) {
            self->buckets [i][region].tokens = ACTIONS [i].capacity;
        }
    }
    return self;
}

void
aws_server_destroy (aws_server_t **self_p)
{
    assert (self_p);

    free (*self_p);
    *self_p = NULL;
}

bool
aws_sees (const aws_call_t *call, const instance_t *instance)
{
    return strcmp (instance->region, call->region) == 0 &&
           strcmp (instance->account, call->key->account) == 0;
}

//  --- errors

int
aws_refuse (aws_call_t *call, int status, const char *code, const char *format, ...)
{
    va_list arguments;

    call->refusal.status = status;
    snprintf (call->refusal.code, sizeof call->refusal.code, "%s", code);
    va_start (arguments, format);
    vsnprintf (call->refusal.why.text, sizeof call->refusal.why.text, format, arguments);
    va_end (arguments);
    return -EINVAL;
}

static void
write_ec2_error (const aws_call_t *call, buffer_t *out)
{
    buffer_text (out, XML_HEAD "<Response><Errors><Error>");
    xml_text (out, "Code", call->refusal.code);
    xml_text (out, "Message", call->refusal.why.text);
    buffer_text (out, "</Error></Errors>");
    xml_text (out, "RequestID", call->request_id);
    buffer_text (out, "</Response>");
}

static void
write_query_error (const aws_service_t *service, const aws_call_t *call, buffer_t *out)
{
    buffer_format (out, "<ErrorResponse xmlns=\"%s\"><Error>", service->name_space);
    xml_text (out, "Type", call->refusal.status < 500 ? "Sender" : "Receiver");
    xml_text (out, "Code", call->refusal.code);
    xml_text (out, "Message", call->refusal.why.text);
    buffer_text (out, "</Error>");
    xml_text (out, "RequestId", call->request_id);
    buffer_text (out, "</ErrorResponse>");
}

//  --- who calls

typedef struct wording {
    int status;
    const char *code;
    const char *message;  //  null: what the verifier said
} wording_t;

typedef enum offence {
    NO_TOKEN,
    INCOMPLETE,
    UNKNOWN_KEY,
    WRONG_TOKEN,
    EXPIRED_KEY,
    OLD,
    WRONG_SIGNATURE,
    WRONG_SCOPE,
    OFFENCE_COUNT
} offence_t;

#define NOT_VALIDATED "AWS was not able to validate the provided access credentials"
#define INVALID_TOKEN "The security token included in the request is invalid."

//  The same offence has another name at EC2 than at CloudWatch and STS.
// clang-format off
static const wording_t WORDINGS [OFFENCE_COUNT] [2] = {
    //                     EC2                                                CloudWatch, STS
    [NO_TOKEN]        = {{403, "MissingAuthenticationToken", NULL},          {403, "MissingAuthenticationToken", NULL}},
    [INCOMPLETE]      = {{400, "IncompleteSignature",        NULL},          {400, "IncompleteSignature",        NULL}},
    [UNKNOWN_KEY]     = {{401, "AuthFailure",                NOT_VALIDATED}, {403, "InvalidClientTokenId",       INVALID_TOKEN}},
    [WRONG_TOKEN]     = {{401, "AuthFailure",                NOT_VALIDATED}, {403, "InvalidClientTokenId",       INVALID_TOKEN}},
    [EXPIRED_KEY]     = {{400, "RequestExpired",             "Request has expired."}, {403, "ExpiredToken", "The security token included in the request is expired"}},
    [OLD]             = {{400, "RequestExpired",             "Request has expired."}, {403, "SignatureDoesNotMatch", NULL}},
    [WRONG_SIGNATURE] = {{401, "AuthFailure",                NOT_VALIDATED}, {403, "SignatureDoesNotMatch",      NULL}},
    [WRONG_SCOPE]     = {{401, "AuthFailure",                NOT_VALIDATED}, {403, "SignatureDoesNotMatch",      NULL}},
};
// clang-format on

static int
refuse_caller (aws_call_t *call, const aws_service_t *service, offence_t offence,
               const reason_t *why)
{
    const wording_t *wording = &WORDINGS [offence][service->dialect];

    return aws_refuse (call, wording->status, wording->code, "%s",
                       wording->message ? wording->message : why->text);
}

//  The world's name of a region, or null.
static const char *
find_region (const world_t *world, const char *name, size_t *index)
{
    const char *const *regions;
    size_t count = world_regions (world, &regions);

    for (*index = 0; *index < count; (*index)++) {
        if (strcmp (regions [*index], name) == 0) {
            return regions [*index];
        }
    }
    return NULL;
}

static bool
has_its_token (const sigv4_request_t *http, const aws_key_t *key)
{
    const char *token = sigv4_header (http, "X-Amz-Security-Token");

    return strcmp (token ? token : "", key->session_token) == 0;
}

static int
check_scope (aws_call_t *call, const aws_service_t *service, const sigv4_claim_t *claim)
{
    size_t index;
    reason_t why;

    if (strcmp (claim->service, service->signing_name) != 0) {
        reason_set (&why, -EACCES, "Credential should be scoped to correct service: '%s'.",
                    service->signing_name);
        return refuse_caller (call, service, WRONG_SCOPE, &why);
    }
    call->region = find_region (call->world, claim->region, &index);
    if (!call->region) {
        reason_set (&why, -EACCES, "Credential should be scoped to a valid region, not '%s'.",
                    claim->region);
        return refuse_caller (call, service, WRONG_SCOPE, &why);
    }
    return 0;
}

static int
authenticate (aws_call_t *call, const aws_service_t *service, const sigv4_request_t *http,
              time_us_t wall)
{
    static const offence_t OFFENCES [] = {
        [SIGV4_MISSING] = NO_TOKEN, [SIGV4_INCOMPLETE] = INCOMPLETE, [SIGV4_EXPIRED] = OLD,
        [SIGV4_EARLY] = OLD,        [SIGV4_WRONG] = WRONG_SIGNATURE,
    };
    sigv4_claim_t claim;
    reason_t why = {0};

    sigv4_verdict_t verdict = sigv4_read (http, &claim, &why);
    if (verdict != SIGV4_RIGHT) {
        return refuse_caller (call, service, OFFENCES [verdict], &why);
    }
    call->key = keys_find (call->keys, claim.access_key_id);
    if (!call->key) {
        return refuse_caller (call, service, UNKNOWN_KEY, &why);
    }
    int rc = check_scope (call, service, &claim);
    if (rc < 0) {
        return rc;
    }
    verdict = sigv4_verify (http, &claim, call->key->secret, wall, &why);
    if (verdict != SIGV4_RIGHT) {
        return refuse_caller (call, service, OFFENCES [verdict], &why);
    }
    if (!has_its_token (http, call->key)) {
        return refuse_caller (call, service, WRONG_TOKEN, &why);
    }
    if (call->key->expires_wall != TIME_UNKNOWN && call->key->expires_wall <= wall) {
        return refuse_caller (call, service, EXPIRED_KEY, &why);
    }
    return 0;
}

//  --- limits and faults

static int
refuse_throttled (aws_call_t *call, const aws_service_t *service)
{
    if (service->dialect == AWS_EC2) {
        return aws_refuse (call, 503, "RequestLimitExceeded", "Request limit exceeded.");
    }
    return aws_refuse (call, 400, "Throttling", "Rate exceeded");
}

//  As IAM words it; EC2 has a code of its own.
static int
refuse_denied (aws_call_t *call, const aws_service_t *service, const char *action)
{
    const char *prefix =
        strcmp (service->signing_name, "monitoring") == 0 ? "cloudwatch" : service->signing_name;

    return aws_refuse (call, 403,
                       service->dialect == AWS_EC2 ? "UnauthorizedOperation" : "AccessDenied",
                       "You are not authorized to perform this operation. User is not authorized "
                       "to perform: %s:%s because no identity-based policy allows the action",
                       prefix, action);
}

//  True when the account's bucket for this action and region has a token.
static bool
take_token (aws_server_t *self, const action_t *action, size_t region)
{
    bucket_t *bucket = &self->buckets [action - ACTIONS][region];
    time_us_t now = world_now (self->parts.world).steady;

    if (bucket->filled_steady > 0) {
        bucket->tokens += (double) (now - bucket->filled_steady) / 1e6 * action->per_second;
    }
    bucket->tokens = bucket->tokens < action->capacity ? bucket->tokens : action->capacity;
    bucket->filled_steady = now;
    if (bucket->tokens < 1) {
        return false;
    }
    bucket->tokens -= 1;
    return true;
}

static void
answer_html (web_answer_t *answer)
{
    answer->content_type = "text/html";
    buffer_reset (&answer->body);
    buffer_text (&answer->body, "<html><head><title>Proxy</title></head><body><h1>It works!</h1>"
                                "<p>This is not the service you asked for & not XML<br></body>");
}

//  Refuses or spoils; a refusal is an answer like any other.
static int
apply_fault (aws_call_t *call, const action_t *action, const fault_t *fault, web_answer_t *answer)
{
    const aws_service_t *service = action->service;
    static const web_trick_t TRICKS [FAULT_KIND_COUNT] = {
        [FAULT_CUT] = WEB_CUT, [FAULT_HUGE] = WEB_HUGE, [FAULT_UNREACHABLE] = WEB_DROP};

    calls_count (call->calls, "faults", fault_kind_name (fault->kind));
    answer->trick = TRICKS [fault->kind];
    if (fault->kind == FAULT_THROTTLE) {
        return refuse_throttled (call, service);
    }
    if (fault->kind == FAULT_DENY) {
        return refuse_denied (call, service, action->name);
    }
    if (fault->kind == FAULT_ERROR500) {
        return aws_refuse (call, 500,
                           service->dialect == AWS_EC2 ? "InternalError" : "InternalServiceError",
                           "An internal error has occurred");
    }
    if (fault->kind == FAULT_SLOW) {
        answer->delay_ms = fault->delay_ms ? fault->delay_ms : FAULT_DELAY_MS;
    }
    return 0;
}

//  --- one call

static const action_t *
find_action (const char *name)
{
    for (size_t i = 0; name && i < ACTION_COUNT; i++) {
        if (strcmp (ACTIONS [i].name, name) == 0) {
            return &ACTIONS [i];
        }
    }
    return NULL;
}

static int
perform (aws_server_t *self, aws_call_t *call, const action_t *action, const sigv4_request_t *http,
         time_us_t wall)
{
    const char *version = form_get (call->form, "Version");
    size_t region = 0;

    if (!action->is_unsigned) {
        int rc = authenticate (call, action->service, http, wall);
        if (rc < 0) {
            return rc;
        }
        find_region (call->world, call->region, &region);
    }
    if (self->parts.throttle && !take_token (self, action, region)) {
        return refuse_throttled (call, action->service);
    }
    if (!version || strcmp (version, action->service->version) != 0) {
        return aws_refuse (call, 400, "InvalidAction", "The action %s is not valid for version %s",
                           action->name, version ? version : "(none)");
    }
    if (action->service->dialect == AWS_EC2 && form_is_true (call->form, "DryRun")) {
        return aws_refuse (call, 412, "DryRunOperation",
                           "Request would have succeeded, but DryRun flag is set.");
    }
    return action->handler (call);
}

static void
write_answer (const action_t *action, const aws_call_t *call, const buffer_t *inside, buffer_t *out)
{
    bool is_ec2 = action->service->dialect == AWS_EC2;

    buffer_format (out, "%s<%sResponse xmlns=\"%s\">", is_ec2 ? XML_HEAD : "", action->name,
                   action->service->name_space);
    if (is_ec2) {
        xml_text (out, "requestId", call->request_id);
        buffer_append (out, inside->data, inside->size);
    } else {
        buffer_format (out, "<%sResult>", action->name);
        buffer_append (out, inside->data, inside->size);
        buffer_format (out, "</%sResult><ResponseMetadata>", action->name);
        xml_text (out, "RequestId", call->request_id);
        xml_close (out, "ResponseMetadata");
    }
    buffer_format (out, "</%sResponse>", action->name);
}

static void
write_refusal (const aws_service_t *service, const aws_call_t *call, web_answer_t *answer)
{
    answer->status = call->refusal.status;
    buffer_reset (&answer->body);
    if (service->dialect == AWS_EC2) {
        write_ec2_error (call, &answer->body);
    } else {
        write_query_error (service, call, &answer->body);
    }
}

static void
serve (aws_server_t *self, aws_call_t *call, const action_t *action, const sigv4_request_t *http,
       web_answer_t *answer)
{
    moment_t now = world_now (self->parts.world);
    fault_t fault = {.kind = FAULT_NONE};
    int rc = 0;

    calls_count (call->calls, "aws", action->name);
    if (faults_take (self->parts.faults, action->name, "", AWS_FAULTS, now.steady, &fault)) {
        rc = apply_fault (call, action, &fault, answer);
    }
    if (fault.kind == FAULT_SKEW) {
        answer->clock_offset = MS_US * (fault.delay_ms ? fault.delay_ms : FAULT_SKEW_MS);
    }
    if (rc == 0) {
        rc = perform (self, call, action, http, now.wall + answer->clock_offset);
    }
    if (rc < 0) {
        write_refusal (action->service, call, answer);
    } else {
        write_answer (action, call, call->out, &answer->body);
    }
    if (fault.kind == FAULT_HTML) {
        answer->status = 200;
        answer_html (answer);
    }
}

void
aws_server_handle (aws_server_t *self, const web_request_t *request, web_answer_t *answer)
{
    const sigv4_request_t *http = &request->http;
    bool is_post = strcmp (http->method, "POST") == 0;
    _cleanup_ (buffer_clear) buffer_t inside = {0};
    reason_t why = {0};
    aws_call_t call = {.world = self->parts.world,
                       .keys = self->parts.keys,
                       .calls = self->parts.calls,
                       .out = &inside};

    noise_uuid (call.request_id, noise_key (0xa35, ++self->requests));
    answer->content_type = XML_TYPE;
    _cleanup_ (form_destroy) form_t *form =
        is_post ? form_new (http->body_size ? http->body : "", http->body_size, &why)
                : form_new (http->query, strlen (http->query), &why);
    call.form = form;
    if (!form) {
        aws_refuse (&call, 400, "MalformedQueryString", "%s", why.text);
        write_refusal (&EC2, &call, answer);
        return;
    }
    const char *name = form_get (form, "Action");
    const action_t *action = find_action (name);
    if (!action) {
        aws_refuse (&call, 400, name ? "InvalidAction" : "MissingAction",
                    "The action %s is not valid for this web service.", name ? name : "(none)");
        write_refusal (&EC2, &call, answer);
        return;
    }
    serve (self, &call, action, http, answer);
}

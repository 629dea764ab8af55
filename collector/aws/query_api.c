// SPDX-License-Identifier: MIT

#include "query_call.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "../../common/url.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_MAX    2000
#define KEYS_WAIT_US (20 * SECOND_US)  //  longest time a call waits for keys
#define ANSWER_MAX   ((size_t) 16 * 1024 * 1024)
#define CONNECT_MS   5000
#define TOTAL_MS     15000

aws_api_t *
aws_api_new (collector_t *core, const collector_settings_t *settings, aws_getenv_fn *read_variable,
             reason_t *why)
{
    _cleanup_ (aws_api_destroy) aws_api_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "AWS client: out of memory");
        return NULL;
    }
    self->magic = API_MAGIC;
    self->core = core;
    self->read_variable = read_variable;
    self->accounts = aws_accounts_read (settings->accounts, settings->regions, why);
    if (!self->accounts) {
        return NULL;
    }
    self->pace = pace_new ((double) settings->calls_per_second, collector_random, core);
    if (!self->pace || aws_api_make_credentials (self, read_variable) < 0) {
        reason_set (why, -ENOMEM, "AWS client: out of memory");
        return NULL;
    }
    return take_ptr (self);
}

aws_accounts_t *
aws_api_accounts (aws_api_t *self)
{
    return self->accounts;
}

static void
call_destroy (aws_call_t **self_p)
{
    aws_call_t *self = take_ptr (*self_p);

    if (self) {
        if (self->previous) {
            self->previous->next = self->next;
        } else if (self->api->calls == self) {
            self->api->calls = self->next;
        }
        if (self->next) {
            self->next->previous = self->previous;
        }
        if (self->http) {
            http_call_cancel (&self->http);
        }
        if (self->probes) {
            pace_forgo (self->lane);
        }
        loop_timer_destroy (&self->timer);
        free (self->token_read);
        free (self->token);
        free (self->fields);
        free (self->account);
        free (self->region);
        free (self);
    }
}

void
aws_call_cancel (aws_call_t **self_p)
{
    assert (self_p);
    call_destroy (self_p);
}

void
aws_api_destroy (aws_api_t **self_p)
{
    assert (self_p);

    aws_api_t *self = *self_p;
    if (self) {
        for (size_t i = 0; i < AWS_ACCOUNTS_MAX; i++) {  //  they have calls of their own
            aws_credentials_destroy (&self->roles [i]);
        }
        aws_credentials_destroy (&self->credentials);
        while (self->calls) {
            aws_call_t *call = self->calls;
            call_destroy (&call);
        }
        pace_destroy (&self->pace);
        aws_accounts_destroy (&self->accounts);
        free (self);
        *self_p = NULL;
    }
}

static void
count (const aws_call_t *self, aws_fault_t fault, int64_t took_us)
{
    metrics_t *metrics = collector_metrics (self->api->core);

    metric_increment (metrics_with (
        metrics, METRIC_COUNTER, "cmlwatch_aws_calls_total", "requests to AWS that have ended",
        METRIC_LABELS ("api", self->query.action, "outcome", aws_fault_name (fault), "account",
                       self->account)));
    if (took_us >= 0) {
        metric_observe (metrics_with (metrics, METRIC_HISTOGRAM, "cmlwatch_aws_call_seconds",
                                      "time to an answer of AWS",
                                      METRIC_LABELS ("api", self->query.action)),
                        (double) took_us / (double) SECOND_US);
    }
}

//  Says it once for all, then to the caller; the call is gone before, for the caller may ask
//  again at once.
static void
finish (aws_call_t *self, const verdict_t *verdict)
{
    aws_answer_fn *fn = self->fn;
    void *argument = self->argument;
    collector_t *core = self->api->core;

    if (verdict->fault != AWS_OK) {
        collector_report_account (core, self->account, self->region, self->query.action,
                                  verdict->code, verdict->why.text);
    }
    call_destroy (&self);
    fn (argument, &(aws_answer_t){.fault = verdict->fault,
                                  .code = verdict->code,
                                  .message = verdict->why.text,
                                  .received = collector_now (core).wall});
}

//  --- one attempt after the other

static void
ask_again_or_finish (aws_call_t *self, const verdict_t *verdict, http_outcome_t outcome,
                     int64_t retry_after_seconds)
{
    time_us_t wait = -1;

    if (verdict->fault == AWS_AUTH && !self->query.is_unsigned && !self->doubted &&
        aws_credentials_doubt (self->query.credentials)) {
        self->doubted = true;
        loop_timer_after (self->timer, 0);
        return;
    }
    if (aws_fault_is_worth_a_retry (verdict->fault) && outcome != HTTP_TLS_REFUSED) {
        wait = retry_after (collector_retry (self->api->core), &self->retry,
                            aws_fault_cause (verdict->fault, outcome), retry_after_seconds);
    }
    if (wait < 0) {
        finish (self, verdict);
        return;
    }
    log_debug ("trying again", LOG_TEXT ("reason", verdict->why.text),
               LOG_INTEGER ("wait_ms", wait / MS_US));
    loop_timer_after (self->timer, wait);
}

//  The page was read: on to the next one, if there is one and it is another.
static void
turn_page (aws_call_t *self)
{
    verdict_t verdict = {.fault = AWS_OK};

    retry_succeeded (collector_retry (self->api->core), &self->retry);
    if (self->query.on_page) {
        self->query.on_page (self->query.target, collector_now (self->api->core).wall);
    }
    if (!self->token_read) {
        finish (self, &verdict);
        return;
    }
    bool same = self->token && strcmp (self->token, self->token_read) == 0;
    if (same || ++self->pages >= PAGES_MAX) {
        aws_condemn (self, &verdict, AWS_MALFORMED, "malformed", "paging does not end: %s",
                     same ? "the same token twice" : "more than 2000 pages");
        finish (self, &verdict);
        return;
    }
    free (self->token);
    self->token = take_ptr (self->token_read);
    loop_timer_after (self->timer, 0);
}

static void
account (aws_call_t *self, aws_fault_t fault, const http_answer_t *answer)
{
    usage_t *usage = collector_usage (self->api->core);

    usage_count (usage, self->account, self->region,
                 fault == AWS_OK          ? USAGE_ANSWERED
                 : fault == AWS_THROTTLED ? USAGE_THROTTLED
                                          : USAGE_FAILED);
    self->probes = false;
    if (self->lane) {
        pace_tell (self->lane, fault, collector_now (self->api->core).steady);
        pace_show (self->lane, collector_metrics (self->api->core), false);
    }
    if (self->query.bill && answer->outcome == HTTP_ANSWERED && answer->status == 200) {
        metric_count (self->query.bill, self->query.billed);
        usage_bill (usage, self->account, self->region, self->query.billed);
    }
}

static time_us_t
take_turn (aws_call_t *self, time_us_t *rest_us)
{
    bool probed = pace_probes (self->lane);
    time_us_t wait = pace_take (self->lane, collector_now (self->api->core).steady, rest_us);

    self->probes = !probed && pace_probes (self->lane);
    return wait;
}

//  True when the call may leave now; else it waits for its turn, or was ended.
static bool
is_its_turn (aws_call_t *self)
{
    verdict_t verdict = {.fault = AWS_OK};
    time_us_t rest = 0, wait = self->lane && !self->paced ? take_turn (self, &rest) : 0;

    self->paced = wait > 0;
    if (wait > 0) {
        pace_show (self->lane, collector_metrics (self->api->core), true);
        loop_timer_after (self->timer, wait);
    } else if (wait < 0) {
        aws_condemn (self, &verdict, AWS_NETWORK, "circuit_open",
                     "no answer %d times in a row; asked again in %" PRId64 " s", PACE_DEAD_AFTER,
                     rest / SECOND_US + 1);
        count (self, verdict.fault, -1);
        finish (self, &verdict);
    }
    return wait == 0;
}

static void
on_http (void *argument, const http_answer_t *answer)
{
    aws_call_t *self = argument;
    assert (self->magic == CALL_MAGIC);
    verdict_t verdict = {.fault = AWS_OK};

    self->http = NULL;
    aws_judge (self, &verdict, answer);
    account (self, verdict.fault, answer);
    count (self, verdict.fault, answer->outcome == HTTP_ANSWERED ? answer->took_us : -1);
    if (verdict.fault == AWS_OK) {
        turn_page (self);
    } else {
        ask_again_or_finish (self, &verdict, answer->outcome, answer->retry_after_seconds);
    }
}

static int
write_form (const aws_call_t *self, buffer_t *form)
{
    url_add_field (form, "Action", self->query.action);
    url_add_field (form, "Version", self->query.service->version);
    if (self->fields && *self->fields) {
        buffer_format (form, "&%s", self->fields + (*self->fields == '&' ? 1 : 0));
    }
    if (self->token) {
        url_add_field (form, "NextToken", self->token);
    }
    return buffer_failed (form) ? -ENOMEM : 0;
}

static int
send_form (aws_call_t *self, const aws_keys_t *keys, const buffer_t *form, reason_t *why)
{
    static const char *const HEADERS [] = {
        "Content-Type: application/x-www-form-urlencoded; charset=utf-8", NULL};
    http_signature_t signature = {
        .region = self->region,
        .service = self->query.service->host,
        .access_key_id = keys->access_key_id,
        .secret_access_key = keys->secret_access_key,
        .session_token = keys->session_token,
    };
    http_request_t request = {
        .method = "POST",
        .url = self->url,
        .headers = HEADERS,
        .body = form->data,
        .body_size = form->size,
        .signature = self->query.is_unsigned ? NULL : &signature,
        .verify = HTTP_VERIFY_FULL,
        .ca_file = aws_variable (self->api->read_variable, "AWS_CA_BUNDLE"),
        .http2 = true,
        .connect_ms = CONNECT_MS,
        .total_ms = TOTAL_MS,
        .answer_max = ANSWER_MAX,
    };
    self->http = http_client_send (collector_http (self->api->core), &request, on_http, self, why);
    return self->http ? 0 : -EIO;
}

//  The keys, or nothing for a call that is not signed. -EAGAIN: they will come, or the wait end.
static int
get_keys (aws_call_t *self, aws_keys_t *keys, reason_t *why)
{
    time_us_t now = collector_now (self->api->core).steady;

    self->waiting = false;
    if (self->query.is_unsigned) {
        return 0;
    }
    int rc = aws_credentials_get (self->query.credentials, keys, why);
    if (rc != -EAGAIN) {
        self->wait_until = TIME_UNKNOWN;
        return rc;
    }
    if (self->wait_until == TIME_UNKNOWN) {
        self->wait_until = now + KEYS_WAIT_US;
    }
    if (now >= self->wait_until) {
        return -ETIMEDOUT;  //  why says from where
    }
    self->waiting = true;
    loop_timer_after (self->timer, self->wait_until - now);
    return -EAGAIN;
}

//  Instead of a call: what it would be; then it ends like one whose answer is empty.
static void
print_call (aws_call_t *self)
{
    verdict_t verdict = {.fault = AWS_OK};
    reason_t place = {0};

    aws_credentials_describe (self->query.credentials, &place);
    collector_print_call (self->api->core,
                          &(collector_call_t){.api = self->query.action,
                                              .account = self->account,
                                              .region = self->region,
                                              .url = self->url,
                                              .keys = place.text,
                                              .parameters = self->fields ? self->fields : ""});
    finish (self, &verdict);
}

static void
attempt_once (aws_call_t *self)
{
    _cleanup_ (buffer_clear) buffer_t form = {0};
    aws_keys_t keys = {0};  //  none for a call that is not signed
    reason_t why = {0};
    verdict_t verdict = {.fault = AWS_OK};

    if (collector_is_dry_run (self->api->core)) {
        print_call (self);
        return;
    }
    int rc = get_keys (self, &keys, &why);
    //  What has no keys does not leave: it takes no turn.
    if (rc == -EAGAIN || (rc == 0 && !is_its_turn (self))) {
        return;
    }
    free (self->token_read);
    self->token_read = NULL;
    if (rc < 0) {
        verdict.fault = AWS_AUTH;
        snprintf (verdict.code, sizeof verdict.code, "NoCredentials");
        verdict.why = why;
    } else if (write_form (self, &form) < 0) {
        aws_condemn (self, &verdict, AWS_REFUSED, "memory", "out of memory");
    } else if (send_form (self, &keys, &form, &why) < 0) {
        aws_condemn (self, &verdict, AWS_NETWORK, "unsent", "%.300s", why.text);
    }
    if (verdict.fault != AWS_OK) {
        count (self, verdict.fault, -1);
        finish (self, &verdict);
    }
}

//  From the timer: the first attempt, one after a wait, or the next page.
static void
attempt (void *argument)
{
    aws_call_t *self = argument;
    assert (self->magic == CALL_MAGIC);
    tracing_t *tracing = collector_tracing (self->api->core);

    tracing_scope_t before = tracing_enter (tracing, &self->scope);
    attempt_once (self);  //  may end it
    tracing_enter (tracing, &before);
}

//  A URL that cannot be made is found when the call is made and told like any other fault.
static void
tell_bad_endpoint (void *argument)
{
    aws_call_t *self = argument;
    assert (self->magic == CALL_MAGIC);
    verdict_t verdict = {.fault = AWS_OK};
    reason_t why = {0};

    aws_endpoint (self->query.service, self->region, self->api->read_variable, self->url, &why);
    aws_condemn (self, &verdict, AWS_REFUSED, "endpoint", "%.300s", why.text);
    count (self, verdict.fault, -1);
    finish (self, &verdict);
}

//  "http://127.0.0.1:5580/" -> "127.0.0.1:5580"
static void
name_host (aws_call_t *self)
{
    const char *host = strstr (self->url, "://");

    host = host ? host + 3 : self->url;
    snprintf (self->host, sizeof self->host, "%.*s", (int) strcspn (host, "/"), host);
}

aws_call_t *
aws_api_ask (aws_api_t *self, const aws_query_t *query, aws_answer_fn *fn, void *argument)
{
    assert (self->magic == API_MAGIC && query->rules && fn);
    _cleanup_ (call_destroy) aws_call_t *call = calloc (1, sizeof *call);
    if (!call) {
        return NULL;
    }
    call->magic = CALL_MAGIC;
    call->api = self;
    call->scope = tracing_scope (collector_tracing (self->core));
    call->query = *query;
    const char *account = query->account ? query->account : "";
    call->query.credentials =
        query->credentials ? query->credentials : aws_api_credentials (self, account);
    call->account = strdup (account);
    call->wait_until = TIME_UNKNOWN;
    call->region = strdup (query->region);
    call->fields = query->fields ? strdup (query->fields) : NULL;
    call->fn = fn;
    call->argument = argument;
    bool good =
        aws_endpoint (query->service, query->region, self->read_variable, call->url, NULL) == 0;
    call->timer =
        loop_timer_new (collector_loop (self->core), good ? attempt : tell_bad_endpoint, call);
    if (!call->region || !call->account || (query->fields && !call->fields) || !call->timer) {
        return NULL;
    }
    name_host (call);
    call->lane = pace_lane (self->pace, query->service->host, call->region, call->account);
    call->next = self->calls;
    if (self->calls) {
        self->calls->previous = call;
    }
    self->calls = call;
    loop_timer_after (call->timer, 0);
    return take_ptr (call);
}

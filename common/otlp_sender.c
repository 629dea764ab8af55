// otlp_sender.c - see otlp_sender.h.
//
// SPDX-License-Identifier: MIT

#include "otlp_sender.h"

#include "cleanup.h"
#include "json.h"
#include "log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ATTEMPTS_MAX     5
#define BACKOFF_FIRST_US SECOND_US                   //  then twice as long each time
#define RETRY_AFTER_MOST (24 * HOUR_US / SECOND_US)  //  seconds; beyond it, it means never
#define ANSWER_MAX       65536

struct otlp_sender {
    loop_t *loop;
    http_client_t *http;
    otlp_way_t way;
    char *url;
    buffer_t body;  //  what is being sent; none when items is 0
    size_t items;
    int attempts;
    http_call_t *call;    //  null: none is under way
    loop_timer_t *again;  //  set while an attempt waits
    loop_timer_t *told;   //  done is due
    bool hurried;
    bool failing;  //  the last attempt failed: that is said once
    metrics_t *metrics;
    metric_t *sent;
    loop_fn *done;
    void *argument;
};

static void attempt (void *argument);

metric_t *
otlp_sender_dropped (otlp_sender_t *self, const char *reason)
{
    return metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_otlp_dropped_total",
                         "Spans and data points that were not exported, by reason",
                         METRIC_LABELS ("signal", self->way.signal, "reason", reason));
}

void
otlp_sender_count_dropped (otlp_sender_t *self, const char *reason, size_t items)
{
    metric_count (otlp_sender_dropped (self, reason), (double) items);
}

static void
count_request (otlp_sender_t *self, const char *outcome)
{
    metric_increment (
        metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_otlp_requests_total",
                      "Requests to the OpenTelemetry collector that ended",
                      METRIC_LABELS ("signal", self->way.signal, "outcome", outcome)));
}

//  Nothing is held any more. The owner hears of it in a turn of its own.
static void
finish (otlp_sender_t *self)
{
    self->items = 0;
    self->attempts = 0;
    buffer_clear (&self->body);
    loop_timer_after (self->told, 0);
}

void
otlp_sender_drop (otlp_sender_t *self, const char *reason)
{
    if (self->items > 0) {
        otlp_sender_count_dropped (self, reason, self->items);
        http_call_cancel (&self->call);
        loop_timer_stop (self->again);
        finish (self);
    }
}

static void
say_failed (otlp_sender_t *self, const char *why)
{
    if (!self->failing) {
        log_warn ("OpenTelemetry collector does not take what is sent",
                  LOG_TEXT ("signal", self->way.signal), LOG_TEXT ("url", self->url),
                  LOG_TEXT ("reason", why));
    }
    self->failing = true;
}

//  An int64 is a text in protobuf's JSON; a number is understood as well. 0: nothing was.
static int64_t
read_rejected (const otlp_sender_t *self, const http_answer_t *answer, char *why, size_t size)
{
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    int64_t rejected = 0;

    if (json_parse (&tree, answer->body, answer->size, ANSWER_MAX, NULL) < 0) {
        return 0;
    }
    struct json_object *partial = json_get_object (tree, "partialSuccess");
    const char *text = json_get_text (partial, self->way.rejected);
    const char *message = json_get_text (partial, "errorMessage");
    if (text) {
        rejected = strtoll (text, NULL, 10);
    } else {
        (void) json_get_integer (partial, self->way.rejected, &rejected);
    }
    snprintf (why, size, "%s", message ? message : "");
    return rejected;
}

//  What was rejected is not sent again: it would be rejected again.
static void
take (otlp_sender_t *self, const http_answer_t *answer)
{
    char why [200] = "";
    int64_t told = read_rejected (self, answer, why, sizeof why);
    size_t rejected = told <= 0 ? 0 : told < (int64_t) self->items ? (size_t) told : self->items;

    if (rejected > 0) {
        otlp_sender_count_dropped (self, "rejected", rejected);
    }
    if (rejected > 0 || *why) {
        log_warn ("OpenTelemetry collector took a part", LOG_TEXT ("signal", self->way.signal),
                  LOG_INTEGER ("rejected", rejected), LOG_TEXT ("reason", why));
    }
    if (self->failing) {
        self->failing = false;
        log_info ("OpenTelemetry collector takes what is sent",
                  LOG_TEXT ("signal", self->way.signal));
    }
    metric_count (self->sent, (double) (self->items - rejected));
    finish (self);
}

static time_us_t
backoff (int attempts)
{
    time_us_t most = BACKOFF_FIRST_US << (attempts - 1);
    uint32_t random = 0;
    ssize_t got = getrandom (&random, sizeof random, GRND_NONBLOCK);

    (void) got;
    return most / 2 + (time_us_t) (random % (uint32_t) (most / 2));
}

//  Retry-After is the least, and chance comes on top: many clients heard the same.
static void
try_again (otlp_sender_t *self, int64_t retry_after_seconds)
{
    if (self->hurried || self->attempts == ATTEMPTS_MAX) {
        otlp_sender_drop (self, self->hurried ? "ended" : "gave_up");
        return;
    }
    time_us_t wait = backoff (self->attempts);
    if (retry_after_seconds >= 0) {
        int64_t seconds =
            retry_after_seconds < RETRY_AFTER_MOST ? retry_after_seconds : RETRY_AFTER_MOST;
        wait = seconds * SECOND_US + backoff (1) - BACKOFF_FIRST_US / 2;
    }
    loop_timer_after (self->again, wait);
}

static bool
is_worth_another (const http_answer_t *answer)
{
    return answer->outcome == HTTP_ANSWERED
               ? answer->status == 429 || (answer->status >= 502 && answer->status <= 504)
               : answer->outcome != HTTP_TOO_LARGE;
}

static void
on_answer (void *argument, const http_answer_t *answer)
{
    otlp_sender_t *self = argument;
    char why [sizeof answer->why.text + 8];

    self->call = NULL;
    if (answer->outcome == HTTP_ANSWERED) {
        snprintf (why, sizeof why, "%d", answer->status);
        count_request (self, why);
    } else {
        snprintf (why, sizeof why, "%s", answer->why.text);
        count_request (self, http_outcome_name (answer->outcome));
    }
    if (answer->outcome == HTTP_ANSWERED && answer->status >= 200 && answer->status < 300) {
        take (self, answer);
        return;
    }
    say_failed (self, why);
    if (is_worth_another (answer)) {
        try_again (self, answer->retry_after_seconds);
    } else {
        otlp_sender_drop (self, "refused");
    }
}

static void
attempt (void *argument)
{
    otlp_sender_t *self = argument;
    reason_t why = {0};
    http_request_t request = {.method = "POST",
                              .url = self->url,
                              .headers = self->way.headers,
                              .body = self->body.data,
                              .body_size = self->body.size,
                              .total_ms = self->way.timeout_ms,
                              .answer_max = ANSWER_MAX};

    self->attempts++;
    self->call = http_client_send (self->http, &request, on_answer, self, &why);
    if (!self->call) {
        say_failed (self, why.text);
        otlp_sender_drop (self, "unsendable");
    }
}

void
otlp_sender_send (otlp_sender_t *self, buffer_t *body, size_t items)
{
    assert (self->items == 0 && items > 0);
    buffer_clear (&self->body);
    self->body = *body;
    *body = (buffer_t){0};
    self->items = items;
    if (buffer_failed (&self->body)) {
        otlp_sender_drop (self, "unsendable");
        return;
    }
    attempt (self);
}

void
otlp_sender_hurry (otlp_sender_t *self)
{
    self->hurried = true;
    if (loop_timer_is_set (self->again)) {
        loop_timer_after (self->again, 0);
    }
}

bool
otlp_sender_is_busy (const otlp_sender_t *self)
{
    return self->items > 0;
}

bool
otlp_sender_is_waiting (const otlp_sender_t *self)
{
    return loop_timer_is_set (self->again);
}

static void
on_told (void *argument)
{
    otlp_sender_t *self = argument;
    self->done (self->argument);
}

static char *
url_of (const otlp_way_t *way)
{
    size_t size = strlen (way->endpoint);
    char *url = NULL;

    while (size > 0 && way->endpoint [size - 1] == '/') {
        size--;
    }
    return asprintf (&url, "%.*s%s", (int) size, way->endpoint, way->path) < 0 ? NULL : url;
}

otlp_sender_t *
otlp_sender_new (loop_t *loop, http_client_t *http, const otlp_way_t *way, metrics_t *metrics,
                 loop_fn *done, void *argument)
{
    _cleanup_ (otlp_sender_destroy) otlp_sender_t *self = calloc (1, sizeof *self);

    if (!self || !(self->again = loop_timer_new (loop, attempt, self)) ||
        !(self->told = loop_timer_new (loop, on_told, self)) || !(self->url = url_of (way))) {
        return NULL;
    }
    self->loop = loop;
    self->http = http;
    self->way = *way;
    self->metrics = metrics;
    self->done = done;
    self->argument = argument;
    self->sent = metrics_with (metrics, METRIC_COUNTER, "cmlwatch_otlp_sent_total",
                               "Spans and data points that were exported",
                               METRIC_LABELS ("signal", way->signal));
    return take_ptr (self);
}

void
otlp_sender_destroy (otlp_sender_t **self_p)
{
    assert (self_p);
    otlp_sender_t *self = *self_p;

    if (self) {
        http_call_cancel (&self->call);
        loop_timer_destroy (&self->again);
        loop_timer_destroy (&self->told);
        buffer_clear (&self->body);
        free (self->url);
        free (self);
        *self_p = NULL;
    }
}

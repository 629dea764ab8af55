// otlp.c - see otlp.h. A ring of spans, two senders (otlp_sender.h) and the times at which each
// is given something.
//
// SPDX-License-Identifier: MIT

#include "otlp.h"

#include "cleanup.h"
#include "log.h"
#include "otlp_metrics.h"
#include "otlp_sender.h"
#include "program.h"

#include <assert.h>
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#define BATCH_MAX      512  //  spans of a request
#define BATCH_WAIT_US  SECOND_US
#define DRAIN_MOST_US  (2 * SECOND_US)  //  of the program's own drain_ms
#define HEADERS_MAX    16               //  of the operator's
#define OWN_HEADERS    2
#define OWN_SERIES_MAX 16

typedef struct text {
    char *bytes;
    size_t size;
} text_t;

struct otlp {
    loop_t *loop;
    metrics_t *metrics;  //  what is sent
    metrics_t *own;      //  of its HTTP client, whose requests are none of the program's
    http_client_t *http;
    otlp_sender_t *traces, *points;
    char *headers [OWN_HEADERS + HEADERS_MAX + 1];
    char *service;
    char instance [UUID_STR_LEN];
    text_t *ring;  //  count spans from first on
    size_t first, count, max;
    buffer_t scratch;
    loop_timer_t *batch, *interval, *grace;
    metric_t *queued, *queue_full;
    bool draining, holding;
    bool last_due;  //  the values at the end are still to be sent
};

DEFINE_CLEANUP (curl_url_destroy, CURLU *, curl_url_cleanup)

//  --- settings

static bool
is_name (const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {  //  RFC 9110 section 5.6.2, token
        if (!isalnum ((unsigned char) text [i]) && !strchr ("!#$%&'*+-.^_`|~", text [i])) {
            return false;
        }
    }
    return size > 0;
}

static int
hex_digit (char c)
{
    return isdigit ((unsigned char) c)    ? c - '0'
           : isxdigit ((unsigned char) c) ? (c | 0x20) - 'a' + 10
                                          : -1;
}

//  `value` percent-decoded behind `name: `; null when it would break the line, or for want of memory.
static char *
header_of (const char *name, size_t name_size, const char *value, size_t size)
{
    char *header = malloc (name_size + size + 3);
    size_t used = name_size + 2;

    if (!header) {
        return NULL;
    }
    memcpy (header, name, name_size);
    memcpy (header + name_size, ": ", 2);
    for (size_t i = 0; i < size; i++) {
        char byte = value [i];
        if (byte == '%' && i + 2 < size && hex_digit (value [i + 1]) >= 0 &&
            hex_digit (value [i + 2]) >= 0) {
            byte = (char) (hex_digit (value [i + 1]) << 4 | hex_digit (value [i + 2]));
            i += 2;
        }
        if (iscntrl ((unsigned char) byte)) {
            free (header);
            return NULL;
        }
        header [used++] = byte;
    }
    header [used] = '\0';
    return header;
}

//  As OTEL_EXPORTER_OTLP_HEADERS has them. Into headers, of HEADERS_MAX + 1; null ends them. What
//  is wrong is told by its place, for it may be a secret.
static int
read_headers (const char *text, char *headers [], reason_t *why)
{
    size_t count = 0;

    for (const char *at = text + strspn (text, " ,"); *at; at += strspn (at, " ,")) {
        size_t size = strcspn (at, ","), name = strcspn (at, "=");
        while (size > 0 && at [size - 1] == ' ') {
            size--;
        }
        bool is_one = name < size && is_name (at, name) && count < HEADERS_MAX;
        headers [count] = is_one ? header_of (at, name, at + name + 1, size - name - 1) : NULL;
        if (!headers [count]) {
            return reason_set (why, -EINVAL,
                               "otlp_headers: number %zu is not name=value, or there are more "
                               "than %d",
                               count + 1, HEADERS_MAX);
        }
        count++;
        at += strcspn (at, ",");
    }
    return 0;
}

static void
free_headers (char *headers [])
{
    for (size_t i = 0; headers [i]; i++) {
        free (headers [i]);
        headers [i] = NULL;
    }
}

//  A user within would end up in logs, and what stands behind a path would stand within it. The
//  endpoint is not repeated in the sentence, for it may have such a user.
static int
check_endpoint (const char *endpoint, reason_t *why)
{
    static const char WANTED [] = "otlp_endpoint is no URL like http://127.0.0.1:4318";
    _cleanup_ (curl_url_destroy) CURLU *url = curl_url ();
    CURLUcode code = url ? curl_url_set (url, CURLUPART_URL, endpoint, CURLU_DISALLOW_USER)
                         : CURLUE_OUT_OF_MEMORY;

    if (code != CURLUE_OK) {
        return reason_set (why, -EINVAL, "%s: %s", WANTED, curl_url_strerror (code));
    }
    if (strncmp (endpoint, "http://", 7) != 0 && strncmp (endpoint, "https://", 8) != 0) {
        return reason_set (why, -EINVAL, "%s: it begins with neither http:// nor https://", WANTED);
    }
    return strpbrk (endpoint, "?#") ? reason_set (why, -EINVAL, "%s: it ends with its path", WANTED)
                                    : 0;
}

int
otlp_check (const otlp_settings_t *settings, reason_t *why)
{
    char *headers [HEADERS_MAX + 1] = {0};

    if (*settings->endpoint && check_endpoint (settings->endpoint, why) < 0) {
        return -EINVAL;
    }
    int rc = read_headers (settings->headers, headers, why);
    free_headers (headers);
    return rc;
}

//  --- metrics

//  Values that wait for another attempt are replaced by newer ones: they are cumulative, nothing
//  is missing afterwards but a point in between. A request that is under way is left to its end.
static void
send_metrics (void *argument)
{
    otlp_t *self = argument;
    otlp_resource_t who = {self->service, program_version (), self->instance};
    buffer_t body = {0};

    if (otlp_sender_is_waiting (self->points)) {
        otlp_sender_drop (self->points, "superseded");
    }
    if (otlp_sender_is_busy (self->points)) {
        return;
    }
    self->last_due = false;
    size_t points = otlp_metrics_write (&body, self->metrics, &who, loop_now (self->loop).wall);
    if (points > 0) {
        otlp_sender_send (self->points, &body, points);
    }
    buffer_clear (&body);
}

//  --- spans

static void
send_spans (void *argument)
{
    otlp_t *self = argument;
    otlp_resource_t who = {self->service, program_version (), self->instance};
    size_t count = self->count < BATCH_MAX ? self->count : BATCH_MAX;
    buffer_t body = {0};
    json_writer_t json = json_writer (&body);

    if (count == 0 || otlp_sender_is_busy (self->traces)) {
        return;
    }
    otlp_json_open (&json, &who, "resourceSpans", "scopeSpans", "spans");
    for (size_t i = 0; i < count; i++) {
        text_t *text = &self->ring [self->first];
        json_put_raw (&json, text->bytes, text->size);
        free (text->bytes);
        self->first = (self->first + 1) % self->max;
    }
    otlp_json_close (&json);
    self->count -= count;
    metric_set (self->queued, (double) self->count);
    otlp_sender_send (self->traces, &body, count);
}

static void
set_batch (otlp_t *self)
{
    if (self->count >= BATCH_MAX || (self->draining && self->count > 0)) {
        loop_timer_after (self->batch, 0);
    } else if (self->count > 0 && !loop_timer_is_set (self->batch)) {
        loop_timer_after (self->batch, BATCH_WAIT_US);
    }
}

bool
otlp_wants (const otlp_t *self, const trace_context_t *context)
{
    return self && trace_context_is_sampled (context);
}

void
otlp_span (otlp_t *self, const span_t *span)
{
    json_writer_t json;
    char *bytes = NULL;

    if (!self) {
        return;
    }
    if (self->count < self->max) {
        buffer_reset (&self->scratch);
        json = json_writer (&self->scratch);
        otlp_trace_write_span (&json, span);
        bytes = buffer_failed (&self->scratch) ? NULL : malloc (self->scratch.size);
    }
    if (!bytes) {
        metric_increment (self->queue_full);
        return;
    }
    memcpy (bytes, self->scratch.data, self->scratch.size);
    self->ring [(self->first + self->count++) % self->max] = (text_t){bytes, self->scratch.size};
    metric_set (self->queued, (double) self->count);
    if (!otlp_sender_is_busy (self->traces)) {
        set_batch (self);
    }
}

void
otlp_span_lost (otlp_t *self)
{
    otlp_sender_count_dropped (self->traces, "turn_full", 1);
}

//  --- the end

static void
let_go (void *argument)
{
    otlp_t *self = argument;

    if (self->holding) {
        self->holding = false;
        loop_release (self->loop);
    }
}

//  A sender is free.
static void
on_done (void *argument)
{
    otlp_t *self = argument;

    set_batch (self);
    if (self->last_due) {
        send_metrics (self);
    }
    if (self->draining && self->count == 0 && !otlp_sender_is_busy (self->traces) &&
        !otlp_sender_is_busy (self->points)) {
        let_go (self);
    }
}

//  The last values and spans, once, and not for long.
static void
on_drain (void *argument)
{
    otlp_t *self = argument;

    self->draining = self->last_due = true;
    loop_timer_stop (self->interval);
    loop_timer_after (self->grace, DRAIN_MOST_US);
    self->holding = true;
    loop_hold (self->loop);
    otlp_sender_hurry (self->traces);
    otlp_sender_hurry (self->points);
    send_metrics (self);
    set_batch (self);
}

//  --- life

static int
make_headers (otlp_t *self, const otlp_settings_t *settings, reason_t *why)
{
    //  No "Expect: 100-continue", which libcurl sends before a large body and then waits.
    static const char *const OWN [OWN_HEADERS] = {"Content-Type: application/json", "Expect:"};

    for (size_t i = 0; i < OWN_HEADERS; i++) {
        if (!(self->headers [i] = strdup (OWN [i]))) {
            return reason_set (why, -ENOMEM, "otlp: out of memory");
        }
    }
    return read_headers (settings->headers, self->headers + OWN_HEADERS, why);
}

static otlp_sender_t *
make_sender (otlp_t *self, const otlp_settings_t *settings, const char *path, const char *signal,
             const char *rejected)
{
    otlp_way_t way = {.endpoint = settings->endpoint,
                      .path = path,
                      .signal = signal,
                      .rejected = rejected,
                      .headers = (const char *const *) self->headers,
                      .timeout_ms = settings->timeout_seconds * 1000};

    return otlp_sender_new (self->loop, self->http, &way, self->metrics, on_done, self);
}

static int
make_parts (otlp_t *self, const otlp_settings_t *settings, const char *service, reason_t *why)
{
    uuid_t instance;

    uuid_generate_random (instance);
    uuid_unparse_lower (instance, self->instance);
    self->max = (size_t) settings->queue_max;
    if (!(self->service = strdup (service)) ||
        !(self->ring = calloc (self->max, sizeof *self->ring)) ||
        !(self->own = metrics_new (OWN_SERIES_MAX)) ||
        !(self->batch = loop_timer_new (self->loop, send_spans, self)) ||
        !(self->interval = loop_timer_new (self->loop, send_metrics, self)) ||
        !(self->grace = loop_timer_new (self->loop, let_go, self))) {
        return reason_set (why, -ENOMEM, "otlp: out of memory");
    }
    if (make_headers (self, settings, why) < 0 ||
        !(self->http = http_client_new (self->loop, 2, self->own, why))) {
        return -EINVAL;
    }
    self->traces = make_sender (self, settings, "/v1/traces", "traces", "rejectedSpans");
    self->points = make_sender (self, settings, "/v1/metrics", "metrics", "rejectedDataPoints");
    return self->traces && self->points ? 0 : reason_set (why, -ENOMEM, "otlp: out of memory");
}

int
otlp_open (otlp_t **self_p, loop_t *loop, const otlp_settings_t *settings, const char *service,
           metrics_t *metrics, reason_t *why)
{
    *self_p = NULL;
    if (!*settings->endpoint) {
        return 0;
    }
    _cleanup_ (otlp_destroy) otlp_t *self = calloc (1, sizeof *self);
    if (!self) {
        return reason_set (why, -ENOMEM, "otlp: out of memory");
    }
    self->loop = loop;
    self->metrics = metrics;
    int rc = make_parts (self, settings, service, why);
    if (rc < 0) {
        return rc;
    }
    self->queued = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_otlp_queued_spans",
                                "Spans that wait to be exported");
    self->queue_full = otlp_sender_dropped (self->traces, "queue_full");
    loop_timer_every (self->interval, settings->interval_seconds * SECOND_US);
    loop_on_drain (loop, on_drain, self);
    log_info ("metrics and spans are exported", LOG_TEXT ("otlp", settings->endpoint),
              LOG_TEXT ("instance", self->instance));
    *self_p = take_ptr (self);
    return 0;
}

void
otlp_destroy (otlp_t **self_p)
{
    assert (self_p);
    otlp_t *self = *self_p;

    if (self) {
        loop_forget (self->loop, self);
        let_go (self);
        otlp_sender_destroy (&self->traces);
        otlp_sender_destroy (&self->points);
        http_client_destroy (&self->http);
        loop_timer_destroy (&self->batch);
        loop_timer_destroy (&self->interval);
        loop_timer_destroy (&self->grace);
        metrics_destroy (&self->own);
        for (; self->count > 0; self->count--) {
            free (self->ring [self->first].bytes);
            self->first = (self->first + 1) % self->max;
        }
        free (self->ring);
        free_headers (self->headers);
        buffer_clear (&self->scratch);
        free (self->service);
        free (self);
        *self_p = NULL;
    }
}

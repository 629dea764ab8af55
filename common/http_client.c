// http_client.c - see http_client.h. libcurl tells which descriptors it waits for and when
// it wants to be called; the loop does both (curl_multi_socket_action).
//
// libcurl must not be re-entered from its own callbacks, and an answer function may send
// again or cancel: so answers are handed out when libcurl has returned (deliver).
//
// SPDX-License-Identifier: MIT

#include "http_client.h"

#include "buffer.h"
#include "cleanup.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define CONNECT_MS   5000
#define TOTAL_MS     15000
#define ANSWER_MAX   ((size_t) 16 * 1024 * 1024)
#define CONNECTIONS  512  //  kept in all
#define CLIENT_MAGIC 0xc11e47u

struct http_client {
    unsigned magic;
    loop_t *loop;
    CURLM *multi;
    loop_timer_t *timer;
    http_call_t *calls;  //  all under way
    metrics_t *metrics;
    metric_t *duration;
    metric_t *outcomes [HTTP_BROKEN + 1];
};

struct http_call {
    http_client_t *client;
    http_call_t *previous, *next;
    CURL *easy;
    struct curl_slist *headers;
    buffer_t body;
    size_t answer_max;
    bool too_large;
    char url [512];  //  for the sentence
    char error [CURL_ERROR_SIZE];
    time_us_t started;  //  steady
    http_answer_fn *fn;
    void *argument;
};

static const char *const OUTCOMES [] = {
    [HTTP_ANSWERED] = "answered", [HTTP_UNREACHABLE] = "unreachable", [HTTP_TIMED_OUT] = "timeout",
    [HTTP_TLS_REFUSED] = "tls",   [HTTP_TOO_LARGE] = "too_large",     [HTTP_BROKEN] = "broken"};

const char *
http_outcome_name (http_outcome_t outcome)
{
    return OUTCOMES [outcome];
}

static http_outcome_t
outcome_of (CURLcode code, const http_call_t *call)
{
    switch (code) {
    case CURLE_OK: return HTTP_ANSWERED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT: return HTTP_UNREACHABLE;
    case CURLE_OPERATION_TIMEDOUT: return HTTP_TIMED_OUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return HTTP_TLS_REFUSED;
    default: return call->too_large ? HTTP_TOO_LARGE : HTTP_BROKEN;
    }
}

static void
call_destroy (http_call_t **self_p)
{
    http_call_t *self = *self_p;

    if (!self) {
        return;
    }
    if (self->easy) {
        (void) curl_multi_remove_handle (self->client->multi, self->easy);
        curl_easy_cleanup (self->easy);
    }
    curl_slist_free_all (self->headers);
    buffer_clear (&self->body);
    free (self);
    *self_p = NULL;
}

static void
unlink_call (http_call_t *call)
{
    if (call->previous) {
        call->previous->next = call->next;
    } else if (call->client->calls == call) {
        call->client->calls = call->next;
    }
    if (call->next) {
        call->next->previous = call->previous;
    }
    call->previous = call->next = NULL;
}

static void
describe (http_answer_t *answer, const http_call_t *call, CURLcode code)
{
    if (answer->outcome == HTTP_TOO_LARGE) {
        reason_set (&answer->why, -E2BIG, "%.200s: the answer is over %zu bytes", call->url,
                    call->answer_max);
    } else if (answer->outcome != HTTP_ANSWERED) {
        reason_set (&answer->why, -EIO, "%.200s: %.200s", call->url,
                    call->error [0] ? call->error : curl_easy_strerror (code));
    }
}

static void
finish (http_client_t *self, http_call_t *call, CURLcode code)
{
    http_answer_t answer = {
        .outcome = outcome_of (code, call), .date = TIME_UNKNOWN, .retry_after_seconds = -1};
    long status = 0;
    char *type = NULL;
    struct curl_header *header;
    curl_off_t retry_after = 0;

    unlink_call (call);
    buffer_append (&call->body, "", 0);
    curl_easy_getinfo (call->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo (call->easy, CURLINFO_CONTENT_TYPE, &type);
    if (curl_easy_header (call->easy, "Date", 0, CURLH_HEADER, -1, &header) == CURLHE_OK) {
        time_t date = curl_getdate (header->value, NULL);
        answer.date = date < 0 ? TIME_UNKNOWN : (time_us_t) date * SECOND_US;
    }
    if (curl_easy_header (call->easy, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
        curl_easy_getinfo (call->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK) {
        answer.retry_after_seconds = retry_after;
    }
    answer.status = (int) status;
    answer.content_type = type ? type : "";
    answer.body = call->body.data ? call->body.data : "";
    answer.size = call->body.size;
    answer.took_us = clock_now ().steady - call->started;
    describe (&answer, call, code);
    metric_increment (self->outcomes [answer.outcome]);
    metric_observe (self->duration, (double) answer.took_us / (double) SECOND_US);
    call->fn (call->argument, &answer);
    call_destroy (&call);
}

//  Each answer function may send, cancel, or wait for the next: libcurl is asked anew each time.
static void
deliver (http_client_t *self)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read (self->multi, &left))) {
        if (message->msg == CURLMSG_DONE) {
            http_call_t *call = NULL;
            CURLcode code = message->data.result;
            curl_easy_getinfo (message->easy_handle, CURLINFO_PRIVATE, (char **) &call);
            finish (self, call, code);
        }
    }
}

static void
act (http_client_t *self, curl_socket_t fd, int what)
{
    int running;

    (void) curl_multi_socket_action (self->multi, fd, what, &running);
    deliver (self);
}

static void
on_timer (void *argument)
{
    act (argument, CURL_SOCKET_TIMEOUT, 0);
}

static int
set_timer (CURLM *multi, long timeout_ms, void *argument)
{
    http_client_t *self = argument;

    (void) multi;
    if (timeout_ms < 0) {
        loop_timer_stop (self->timer);
    } else {
        loop_timer_after (self->timer, (time_us_t) timeout_ms * MS_US);
    }
    return 0;
}

typedef struct watched {  //  one of libcurl's descriptors
    http_client_t *client;
    curl_socket_t fd;
} watched_t;

static void
on_descriptor (void *argument, uint32_t events)
{
    watched_t *watched = argument;
    int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
               (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

    act (watched->client, watched->fd, what);
}

static int
watch_descriptor (CURL *easy, curl_socket_t fd, int what, void *argument, void *known)
{
    http_client_t *self = argument;
    watched_t *watched = known;

    (void) easy;
    if (what == CURL_POLL_REMOVE) {
        loop_unwatch (self->loop, fd);
        (void) curl_multi_assign (self->multi, fd, NULL);
        free (watched);
        return 0;
    }
    if (!watched) {
        watched = calloc (1, sizeof *watched);
        if (!watched) {
            return -1;
        }
        *watched = (watched_t){.client = self, .fd = fd};
        (void) curl_multi_assign (self->multi, fd, watched);
    }
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    return loop_watch (self->loop, fd, events, on_descriptor, watched) == 0 ? 0 : -1;
}

static void
make_metrics (http_client_t *self)
{
    self->duration =
        metrics_add (self->metrics, METRIC_HISTOGRAM, "cmlwatch_http_request_duration_seconds",
                     "From sending a request to its answer or failure");
    for (int outcome = 0; outcome <= HTTP_BROKEN; outcome++) {
        self->outcomes [outcome] = metrics_with (
            self->metrics, METRIC_COUNTER, "cmlwatch_http_requests_total",
            "Requests by how they ended", METRIC_LABELS ("outcome", OUTCOMES [outcome]));
    }
}

http_client_t *
http_client_new (loop_t *loop, int64_t connections_per_host, metrics_t *metrics, reason_t *why)
{
    _cleanup_ (http_client_destroy) http_client_t *self = calloc (1, sizeof *self);

    if (!self || curl_global_init (CURL_GLOBAL_DEFAULT) != 0 ||
        !(self->multi = curl_multi_init ()) ||
        !(self->timer = loop_timer_new (loop, on_timer, self))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->magic = CLIENT_MAGIC;
    self->loop = loop;
    self->metrics = metrics;
    make_metrics (self);
    curl_multi_setopt (self->multi, CURLMOPT_SOCKETFUNCTION, watch_descriptor);
    curl_multi_setopt (self->multi, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt (self->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt (self->multi, CURLMOPT_TIMERDATA, self);
    curl_multi_setopt (self->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long) connections_per_host);
    curl_multi_setopt (self->multi, CURLMOPT_MAXCONNECTS, (long) CONNECTIONS);
    return take_ptr (self);
}

void
http_client_destroy (http_client_t **self_p)
{
    assert (self_p);
    http_client_t *self = *self_p;

    if (!self) {
        return;
    }
    while (self->calls) {
        http_call_t *call = self->calls;
        http_call_cancel (&call);
    }
    if (self->multi) {
        (void) curl_multi_cleanup (self->multi);
    }
    loop_timer_destroy (&self->timer);
    free (self);
    *self_p = NULL;
}

static size_t
take_body (char *bytes, size_t unit, size_t count, void *argument)
{
    http_call_t *call = argument;
    size_t size = unit * count;

    if (call->body.size + size > call->answer_max) {
        call->too_large = true;
        return 0;  //  libcurl ends the transfer with CURLE_WRITE_ERROR
    }
    buffer_append (&call->body, bytes, size);
    return buffer_failed (&call->body) ? 0 : size;
}

static int
add_header (http_call_t *call, const char *line)
{
    struct curl_slist *headers = curl_slist_append (call->headers, line);

    if (!headers) {
        return -ENOMEM;
    }
    call->headers = headers;
    return 0;
}

static int
set_signature (http_call_t *call, const http_signature_t *signature)
{
    buffer_t text = {0};
    int rc = 0;

    buffer_format (&text, "aws:amz:%s:%s", signature->region, signature->service);
    curl_easy_setopt (call->easy, CURLOPT_AWS_SIGV4, text.data);
    curl_easy_setopt (call->easy, CURLOPT_USERNAME, signature->access_key_id);
    curl_easy_setopt (call->easy, CURLOPT_PASSWORD, signature->secret_access_key);
    if (signature->session_token && *signature->session_token) {
        buffer_reset (&text);
        buffer_format (&text, "X-Amz-Security-Token: %s", signature->session_token);
        rc = add_header (call, text.data);
    }
    buffer_clear (&text);
    return rc;
}

static void
set_verification (CURL *easy, const http_request_t *request)
{
    bool full = request->verify == HTTP_VERIFY_FULL;

    curl_easy_setopt (easy, CURLOPT_SSL_VERIFYPEER, full ? 1L : 0L);
    curl_easy_setopt (easy, CURLOPT_SSL_VERIFYHOST, full ? 2L : 0L);
    if (request->verify == HTTP_VERIFY_FINGERPRINT && request->pin) {
        curl_easy_setopt (easy, CURLOPT_PINNEDPUBLICKEY, request->pin);
    }
    if (request->ca_file && *request->ca_file) {
        curl_easy_setopt (easy, CURLOPT_CAINFO, request->ca_file);
    }
}

static void
set_body (CURL *easy, const http_request_t *request)
{
    if (request->body || strcmp (request->method, "POST") == 0) {
        curl_easy_setopt (easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->body_size);
        curl_easy_setopt (easy, CURLOPT_COPYPOSTFIELDS, request->body ? request->body : "");
    }
    if (strcmp (request->method, "GET") != 0 && strcmp (request->method, "POST") != 0) {
        curl_easy_setopt (easy, CURLOPT_CUSTOMREQUEST, request->method);
    }
}

static int
set_up (http_call_t *call, const http_request_t *request)
{
    CURL *easy = call->easy;

    curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt (easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt (easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt (easy, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt (easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt (easy, CURLOPT_CONNECTTIMEOUT_MS,
                      (long) (request->connect_ms ? request->connect_ms : CONNECT_MS));
    curl_easy_setopt (easy, CURLOPT_TIMEOUT_MS,
                      (long) (request->total_ms ? request->total_ms : TOTAL_MS));
    curl_easy_setopt (easy, CURLOPT_TCP_KEEPALIVE, 1L);
    set_verification (easy, request);
    set_body (easy, request);
    for (const char *const *line = request->headers; line && *line; line++) {
        if (add_header (call, *line) < 0) {
            return -ENOMEM;
        }
    }
    if (request->signature && set_signature (call, request->signature) < 0) {
        return -ENOMEM;
    }
    curl_easy_setopt (easy, CURLOPT_HTTPHEADER, call->headers);
    return curl_easy_setopt (easy, CURLOPT_URL, request->url) == CURLE_OK ? 0 : -EINVAL;
}

http_call_t *
http_client_send (http_client_t *self, const http_request_t *request, http_answer_fn *fn,
                  void *argument, reason_t *why)
{
    assert (self->magic == CLIENT_MAGIC);
    _cleanup_ (call_destroy) http_call_t *call = calloc (1, sizeof *call);

    if (!call) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    call->client = self;
    call->fn = fn;
    call->argument = argument;
    call->started = clock_now ().steady;
    call->answer_max = request->answer_max ? request->answer_max : ANSWER_MAX;
    snprintf (call->url, sizeof call->url, "%s", request->url);
    call->easy = curl_easy_init ();
    if (!call->easy || set_up (call, request) < 0 ||
        curl_multi_add_handle (self->multi, call->easy) != CURLM_OK) {
        reason_set (why, -EINVAL, "%.200s: the request could not be started", request->url);
        return NULL;
    }
    call->next = self->calls;
    if (self->calls) {
        self->calls->previous = call;
    }
    self->calls = call;
    return take_ptr (call);
}

void
http_call_cancel (http_call_t **self_p)
{
    if (*self_p) {
        unlink_call (*self_p);
        call_destroy (self_p);
    }
}

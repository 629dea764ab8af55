// http_client.c - see http_client.h. libcurl says which descriptors and which one timer it
// waits for (on_descriptor_wanted, on_timer_wanted), the loop says what became of them
// (on_descriptor, on_timer), and what has ended by then is answered (deliver).
//
// A caller may send and cancel from within its answer function, for that is called by deliver
// alone, when libcurl has returned. It cannot be called from within a send: adding a handle
// only asks for a timer. What a request asks of libcurl is http_options.c's.
//
// SPDX-License-Identifier: MIT

#include "http_client.h"

#include "cleanup.h"
#include "http_count.h"
#include "http_options.h"
#include "http_trace.h"
#include "log.h"

#include <assert.h>
#include <curl/curl.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define CLIENT_MAGIC    0x48637c1e
#define CALL_MAGIC      0x48634a11
#define ANSWER_MAX      ((size_t) 16 * 1024 * 1024)
#define ALONE_US        (60 * SECOND_US)
#define CONNECTIONS_MAX 512L  //  kept open over all hosts; a TLS handshake costs 1 to 2 ms

struct http_client {
    uint32_t magic;
    loop_t *loop;
    loop_timer_t *timer;
    CURLM *multi;
    http_call_t *calls;     //  under way
    tracing_t *tracing;     //  null: none
    time_us_t alone_until;  //  steady; up to then no requests share a connection
    http_counts_t counts;
};

struct http_call {
    uint32_t magic;
    http_client_t *client;
    http_call_t *next, **at;  //  at: what points to this one, null when out of the list
    http_options_t options;
    buffer_t body;
    size_t answer_max;
    http_bytes_fn *on_bytes;  //  null: the body is gathered
    bool is_too_large;
    bool connect_only, http2;
    time_us_t started;  //  steady
    http_trace_t trace;
    http_answer_fn *fn;
    void *argument;
};

static const char *const OUTCOME_NAMES [] = {
    [HTTP_ANSWERED] = "answered", [HTTP_UNREACHABLE] = "unreachable", [HTTP_TIMED_OUT] = "timeout",
    [HTTP_TLS_REFUSED] = "tls",   [HTTP_TOO_LARGE] = "too_large",     [HTTP_BROKEN] = "broken",
};

const char *
http_outcome_name (http_outcome_t outcome)
{
    assert (outcome <= HTTP_BROKEN);
    return OUTCOME_NAMES [outcome];
}

//  --- calls

static void
call_link (http_call_t *self, http_client_t *client)
{
    self->at = &client->calls;
    self->next = client->calls;
    if (self->next) {
        self->next->at = &self->next;
    }
    client->calls = self;
}

//  Out of the list and out of libcurl's hands; its handle can still be asked.
static void
call_unlink (http_call_t *self)
{
    if (self->at) {
        *self->at = self->next;
        if (self->next) {
            self->next->at = self->at;
        }
        self->at = NULL;
        curl_multi_remove_handle (self->client->multi, self->options.easy);
    }
}

static void
call_destroy (http_call_t **self_p)
{
    http_call_t *self = take_ptr (*self_p);

    if (self) {
        assert (self->magic == CALL_MAGIC);
        call_unlink (self);
        http_options_clear (&self->options);
        buffer_clear (&self->body);
        self->magic = 0;
        free (self);
    }
}

void
http_call_cancel (http_call_t **self_p)
{
    assert (self_p && (!*self_p || (*self_p)->at) && "a call is not cancelled after its answer");
    call_destroy (self_p);
}

//  libcurl takes a number other than size for a failed write and ends the transfer.
static size_t
on_body (char *bytes, size_t one, size_t size, void *argument)
{
    http_call_t *self = argument;
    assert (self->magic == CALL_MAGIC && one == 1);

    if (self->on_bytes) {
        return self->on_bytes (self->argument, bytes, size) ? size : 0;
    }
    if (size > self->answer_max - self->body.size) {
        self->is_too_large = true;
        return 0;
    }
    if (self->body.size == 0) {
        http_options_keep_connection (&self->options);
    }
    buffer_append (&self->body, bytes, size);
    return buffer_failed (&self->body) ? 0 : size;
}

//  --- answers

//  What is not here is HTTP_BROKEN. A failed handshake (CURLE_SSL_CONNECT_ERROR) is too: it
//  says that the other side does not speak TLS, or went away, not that its certificate is bad.
static const struct {
    CURLcode code;
    http_outcome_t outcome;
} OUTCOMES [] = {
    {CURLE_OK, HTTP_ANSWERED},
    {CURLE_COULDNT_RESOLVE_PROXY, HTTP_UNREACHABLE},
    {CURLE_COULDNT_RESOLVE_HOST, HTTP_UNREACHABLE},
    {CURLE_COULDNT_CONNECT, HTTP_UNREACHABLE},
    {CURLE_OPERATION_TIMEDOUT, HTTP_TIMED_OUT},
    {CURLE_PEER_FAILED_VERIFICATION, HTTP_TLS_REFUSED},
    {CURLE_SSL_CACERT_BADFILE, HTTP_TLS_REFUSED},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, HTTP_TLS_REFUSED},
    {CURLE_SSL_ISSUER_ERROR, HTTP_TLS_REFUSED},
    {CURLE_SSL_INVALIDCERTSTATUS, HTTP_TLS_REFUSED},
    {CURLE_FILESIZE_EXCEEDED, HTTP_TOO_LARGE},
};

static http_outcome_t
outcome_of (const http_call_t *self, CURLcode code)
{
    if (self->is_too_large) {
        return HTTP_TOO_LARGE;
    }
    for (size_t i = 0; i < sizeof OUTCOMES / sizeof *OUTCOMES; i++) {
        if (OUTCOMES [i].code == code) {
            return OUTCOMES [i].outcome;
        }
    }
    return HTTP_BROKEN;
}

//  RFC 9110 sections 6.6.1 and 10.2.3; libcurl reads both forms of Retry-After.
static void
read_headers (http_answer_t *answer, const http_call_t *self)
{
    const char *content_type = http_call_header (self, "Content-Type");
    const char *date = http_call_header (self, "Date");
    time_t seconds = date ? curl_getdate (date, NULL) : -1;
    curl_off_t retry_after = 0;

    answer->content_type = content_type ? content_type : "";
    answer->date = seconds >= 0 ? (time_us_t) seconds * SECOND_US : TIME_UNKNOWN;
    answer->retry_after_seconds = -1;
    if (http_call_header (self, "Retry-After") &&
        curl_easy_getinfo (self->options.easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK) {
        answer->retry_after_seconds = retry_after;
    }
}

static void
explain (http_answer_t *answer, const http_call_t *self, CURLcode code)
{
    const http_options_t *options = &self->options;

    if (answer->outcome == HTTP_TOO_LARGE) {
        (void) reason_set (&answer->why, -1, "%s: the answer is larger than %zu bytes",
                           options->host, self->answer_max);
    } else {
        (void) reason_set (&answer->why, -1, "%s: %s", options->host,
                           options->error [0] ? options->error : curl_easy_strerror (code));
    }
}

//  When nothing comes over a shared connection (a firewall has forgotten it), libcurl 7.88 does not
//  close it, for others are on it, and as long as new ones join them each dies of its timeout. So
//  for a while every request has a connection to itself, as with HTTP/1.1; see set_version in
//  http_options.c for how the dead one ends meanwhile.
static void
doubt_sharing (http_call_t *self, const http_answer_t *answer)
{
    if (self->http2 && answer->outcome == HTTP_TIMED_OUT) {
        self->client->alone_until = self->started + answer->took_us + ALONE_US;
    }
}

static void
answer_call (http_call_t *self, CURLcode code)
{
    http_client_t *client = self->client;
    http_answer_t answer = {
        .outcome = outcome_of (self, code),
        .body = "",
        .content_type = "",
        .date = TIME_UNKNOWN,
        .retry_after_seconds = -1,
        .took_us = clock_now ().steady - self->started,
    };

    if (answer.outcome == HTTP_ANSWERED) {
        answer.status = http_call_status (self);
        answer.body = self->body.data ? self->body.data : "";
        answer.size = self->body.size;
        read_headers (&answer, self);
    } else {
        explain (&answer, self, code);
    }
    http_count (&client->counts, self->options.easy, &answer);
    doubt_sharing (self, &answer);
    tracing_t *tracing = client->tracing;
    http_trace_end (&self->trace, tracing, &self->options, &answer);
    tracing_scope_t before = tracing_enter (tracing, &self->trace.scope);
    self->fn (self->argument, &answer);
    tracing_enter (tracing, &before);
}

//  The list of what has ended is read anew each time, for an answer may cancel other calls.
static void
deliver (http_client_t *self)
{
    int left;

    for (CURLMsg *message; (message = curl_multi_info_read (self->multi, &left));) {
        CURLcode code = message->data.result;
        char *private = NULL;
        (void) curl_easy_getinfo (message->easy_handle, CURLINFO_PRIVATE, &private);
        http_call_t *call = (void *) private;
        assert (call && call->magic == CALL_MAGIC);
        if (call->connect_only && code == CURLE_OK) {
            answer_call (call, code);  //  it lives on, in libcurl's hands too
            continue;
        }
        call_unlink (call);
        answer_call (call, code);
        call_destroy (&call);
    }
}

CURL *
http_call_handle (const http_call_t *self)
{
    assert (self->magic == CALL_MAGIC);
    return self->options.easy;
}

CURL *
http_call_connection (const http_call_t *self)
{
    assert (self->connect_only);
    return http_call_handle (self);
}

//  --- libcurl and the loop

static void
act (http_client_t *self, curl_socket_t fd, int what)
{
    int running;
    CURLMcode code = curl_multi_socket_action (self->multi, fd, what, &running);

    if (code != CURLM_OK) {
        log_error ("libcurl cannot go on", LOG_TEXT ("reason", curl_multi_strerror (code)));
    }
    deliver (self);
}

static void
on_timer (void *argument)
{
    http_client_t *self = argument;
    assert (self->magic == CLIENT_MAGIC);
    act (self, CURL_SOCKET_TIMEOUT, 0);
}

//  CURLMOPT_SOCKETFUNCTION has no argument for the descriptor alone that is not ours to keep
//  (curl_multi_assign), so the loop's argument is a small record of both.
typedef struct descriptor {
    http_client_t *client;
    curl_socket_t fd;
} descriptor_t;

static void
on_descriptor (void *argument, uint32_t events)
{
    descriptor_t *self = argument;
    assert (self->client->magic == CLIENT_MAGIC);
    int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
               (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    act (self->client, self->fd, what);  //  may free self
}

static int
on_descriptor_wanted (CURL *easy, curl_socket_t fd, int what, void *argument, void *of_socket)
{
    http_client_t *self = argument;
    descriptor_t *descriptor = of_socket;
    assert (self->magic == CLIENT_MAGIC);
    (void) easy;

    if (what == CURL_POLL_REMOVE) {
        loop_unwatch (self->loop, fd);
        free (descriptor);
        return 0;
    }
    if (!descriptor) {
        descriptor = calloc (1, sizeof *descriptor);
        if (!descriptor) {
            return 0;  //  the call runs into its timeout; -1 would end libcurl for good
        }
        *descriptor = (descriptor_t){.client = self, .fd = fd};
        curl_multi_assign (self->multi, fd, descriptor);
    }
    uint32_t events = (what & CURL_POLL_IN ? (uint32_t) EPOLLIN : 0) |
                      (what & CURL_POLL_OUT ? (uint32_t) EPOLLOUT : 0);
    int rc = loop_watch (self->loop, fd, events, on_descriptor, descriptor);
    if (rc < 0) {
        log_error ("descriptor cannot be watched", LOG_TEXT ("reason", strerror (-rc)));
    }
    return 0;
}

static int
on_timer_wanted (CURLM *multi, long timeout_ms, void *argument)
{
    http_client_t *self = argument;
    assert (self->magic == CLIENT_MAGIC);
    (void) multi;

    if (timeout_ms < 0) {
        loop_timer_stop (self->timer);
    } else {
        loop_timer_after (self->timer, timeout_ms * MS_US);
    }
    return 0;
}

//  --- life

static bool
set_multi (http_client_t *self, int64_t connections_per_host)
{
    CURLM *multi = self->multi;

    return curl_multi_setopt (multi, CURLMOPT_SOCKETFUNCTION, on_descriptor_wanted) == CURLM_OK &&
           curl_multi_setopt (multi, CURLMOPT_SOCKETDATA, self) == CURLM_OK &&
           curl_multi_setopt (multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted) == CURLM_OK &&
           curl_multi_setopt (multi, CURLMOPT_TIMERDATA, self) == CURLM_OK &&
           curl_multi_setopt (multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX) == CURLM_OK &&
           curl_multi_setopt (multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long) connections_per_host) ==
               CURLM_OK;
}

http_client_t *
http_client_new (loop_t *loop, int64_t connections_per_host, metrics_t *metrics, reason_t *why)
{
    http_client_t *self = calloc (1, sizeof *self);

    if (!self || curl_global_init (CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free (self);
        (void) reason_set (why, -1, "libcurl cannot be started");
        return NULL;
    }
    self->magic = CLIENT_MAGIC;
    self->loop = loop;
    self->timer = loop_timer_new (loop, on_timer, self);
    self->multi = curl_multi_init ();
    if (!self->timer || !self->multi || !set_multi (self, connections_per_host)) {
        http_client_destroy (&self);
        (void) reason_set (why, -1, "libcurl cannot be started: out of memory");
        return NULL;
    }
    self->counts = http_counts_of (metrics);
    return self;
}

void
http_client_destroy (http_client_t **self_p)
{
    assert (self_p);
    http_client_t *self = *self_p;

    if (!self) {
        return;
    }
    assert (self->magic == CLIENT_MAGIC);
    for (http_call_t *call = self->calls, *next; call; call = next) {
        next = call->next;
        call_destroy (&call);
    }
    curl_multi_cleanup (self->multi);   //  takes its descriptors back by on_descriptor_wanted
    loop_timer_destroy (&self->timer);  //  which is why the timer goes last
    curl_global_cleanup ();
    self->magic = 0;
    free (self);
    *self_p = NULL;
}

void
http_client_trace (http_client_t *self, tracing_t *tracing)
{
    self->tracing = tracing;
}

static bool
set_call (http_call_t *self)
{
    CURL *easy = self->options.easy;

    return curl_easy_setopt (easy, CURLOPT_PRIVATE, self) == CURLE_OK &&
           curl_easy_setopt (easy, CURLOPT_CONNECT_ONLY, self->connect_only ? 1L : 0L) ==
               CURLE_OK &&
           curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt (easy, CURLOPT_WRITEDATA, self) == CURLE_OK &&
           curl_easy_setopt (easy, CURLOPT_MAXFILESIZE_LARGE,
                             self->on_bytes ? 0 : (curl_off_t) self->answer_max) == CURLE_OK;
}

http_call_t *
http_client_send (http_client_t *self, const http_request_t *request, http_answer_fn *fn,
                  void *argument, reason_t *why)
{
    assert (self->magic == CLIENT_MAGIC && fn);
    _cleanup_ (call_destroy) http_call_t *call = calloc (1, sizeof *call);
    if (!call) {
        (void) reason_set (why, -1, "out of memory");
        return NULL;
    }
    *call = (http_call_t){
        .magic = CALL_MAGIC,
        .client = self,
        .answer_max = request->answer_max ? request->answer_max : ANSWER_MAX,
        .on_bytes = request->on_bytes,
        .connect_only = request->connect_only,
        .started = clock_now ().steady,
        .trace = http_trace_begin (self->tracing),
        .fn = fn,
        .argument = argument,
    };
    http_request_t asked = *request;
    asked.http2 = call->http2 = request->http2 && call->started >= self->alone_until;
    if (http_options_set (&call->options, &asked, why) < 0) {
        return NULL;
    }
    if (!set_call (call) || curl_multi_add_handle (self->multi, call->options.easy) != CURLM_OK) {
        (void) reason_set (why, -1, "%s: libcurl does not take the request", call->options.host);
        return NULL;
    }
    call_link (call, self);
    return take_ptr (call);
}

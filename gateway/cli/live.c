// live.c - see live.h.
//
// SPDX-License-Identifier: MIT

#include "live.h"

#include "../../common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LIVE_MAGIC     0x11fe11feu
#define EVENT_MAX      ((size_t) 4 * 1024 * 1024)
#define PROBLEM_MAX    4096
#define RETRY_MS       1000
#define WATCH_US       (SECOND_US / 4)
#define NEAR_US        (10 * SECOND_US)
#define SILENCE_TENTHS 25  //  of a heartbeat

struct live {
    uint32_t magic;
    session_t *session;
    live_listener_t listener;
    buffer_t url, last_id, id_header, problem;
    bool with_state, enough;
    int64_t heartbeat_seconds, retry_ms;
    http_call_t *call;  //  null: none under way
    sse_parser_t *parser;
    loop_timer_t *retry, *watch;
    live_status_t status;
};

static const char *
text_of (const buffer_t *buffer)
{
    return buffer->size > 0 ? buffer->data : "";
}

time_us_t
live_delay (unsigned tries, int64_t retry_ms, uint32_t random)
{
    time_us_t asked = retry_ms >= 0 ? retry_ms * MS_US : 0;
    time_us_t delay = retry_ms >= 0 ? asked : RETRY_MS * MS_US;

    delay = delay < LIVE_DELAY_MOST_US ? delay : LIVE_DELAY_MOST_US;
    for (; tries > 0 && delay < LIVE_DELAY_MOST_US; tries--) {
        delay *= 2;
    }
    delay = delay < LIVE_DELAY_MOST_US ? delay : LIVE_DELAY_MOST_US;
    delay = delay / 2 + (time_us_t) (random % 1024) * (delay / 2) / 1023;
    return delay < asked && asked <= LIVE_DELAY_MOST_US ? asked : delay;
}

static void
tell (live_t *self, live_state_t state)
{
    self->status.state = state;
    self->listener.state (self->listener.argument, &self->status);
}

//  --- a try begins

static bool on_bytes (void *argument, const char *bytes, size_t size);
static void on_end (void *argument, const http_answer_t *answer);
static bool on_event (void *argument, const sse_event_t *event);

static void
wait_to_retry (live_t *self, int64_t at_least_seconds)
{
    uint32_t random = 0;
    moment_t now = clock_now ();

    if (getrandom (&random, sizeof random, GRND_NONBLOCK) < 0) {
        random = (uint32_t) now.steady;
    }
    time_us_t delay = live_delay (self->status.tries, self->retry_ms, random);
    delay = delay < at_least_seconds * SECOND_US ? at_least_seconds * SECOND_US : delay;
    self->status.tries++;
    self->status.retry_at = now.steady + delay;
    if (self->status.lost_at == TIME_UNKNOWN) {
        self->status.lost_at = now.steady;
        self->status.losses++;
    }
    loop_timer_after (self->retry, delay);
    tell (self, delay > NEAR_US ? LIVE_DISCONNECTED : LIVE_RECONNECTING);
}

static void
begin_try (live_t *self)
{
    const char *headers [SESSION_HEADERS_MAX + 1] = {"Accept: text/event-stream"};
    size_t count = 1;

    sse_parser_destroy (&self->parser);
    self->parser = sse_parser_new (EVENT_MAX, text_of (&self->last_id), on_event, self);
    buffer_reset (&self->problem);
    if (self->last_id.size > 0) {
        buffer_reset (&self->id_header);
        buffer_format (&self->id_header, "Last-Event-ID: %s", self->last_id.data);
        headers [count++] = self->id_header.data;
    }
    http_request_t request = session_request (self->session, self->url.data, headers, count);
    request.total_ms = 0;
    request.on_bytes = on_bytes;
    self->status.retry_at = TIME_UNKNOWN;
    self->status.heard_at = clock_now ().steady;
    self->call = self->parser ? http_client_send (self->session->client, &request, on_end, self,
                                                  &self->status.why)
                              : NULL;
    if (!self->call) {
        tell (self, LIVE_REFUSED);  //  no URL, or no memory: the next would be the same
    }
}

static void
on_retry_due (void *argument)
{
    live_t *self = argument;

    assert (self->magic == LIVE_MAGIC && !self->call);
    begin_try (self);
    if (self->call && self->status.state == LIVE_DISCONNECTED) {
        tell (self, LIVE_RECONNECTING);
    }
}

//  --- what is heard

static void
keep_id (live_t *self, const char *id)
{
    buffer_reset (&self->last_id);
    buffer_text (&self->last_id, id);
}

//  Without a state to come the stream begins here, and a cut before its first id loses nothing.
static void
take_connected (live_t *self, const sse_event_t *event)
{
    _cleanup_ (json_destroy) struct json_object *tree = NULL;

    if (self->last_id.size == 0 && !self->with_state &&
        json_parse (&tree, event->data, event->size, event->size, NULL) == 0) {
        const char *id = json_get_text (json_get_object (tree, "data"), "last_event_id");
        keep_id (self, id ? id : "");
    }
}

static bool
on_event (void *argument, const sse_event_t *event)
{
    live_t *self = argument;

    if (strcmp (event->type, "connected") == 0) {
        take_connected (self, event);
    } else if (strcmp (event->type, "system.reset") == 0) {
        self->status.resets++;
    }
    if (self->status.state != LIVE_CONNECTED) {
        tell (self, LIVE_CONNECTED);
        self->status.tries = 0;
        self->status.lost_at = TIME_UNKNOWN;
    }
    self->enough = !self->listener.event (self->listener.argument, event);
    return !self->enough;
}

static bool
is_stream (const http_call_t *call)
{
    const char *type = http_call_header (call, "Content-Type");

    return type && strncasecmp (type, "text/event-stream", 17) == 0 &&
           (type [17] == '\0' || type [17] == ';' || type [17] == ' ');
}

static bool
on_bytes (void *argument, const char *bytes, size_t size)
{
    live_t *self = argument;
    assert (self->magic == LIVE_MAGIC);

    self->status.heard_at = clock_now ().steady;
    if (http_call_status (self->call) != 200 || !is_stream (self->call)) {
        size_t room = PROBLEM_MAX - self->problem.size;
        buffer_append (&self->problem, bytes, size < room ? size : room);
        return self->problem.size < PROBLEM_MAX;
    }
    int rc = sse_parser_feed (self->parser, bytes, size);
    self->retry_ms = sse_parser_retry_ms (self->parser);
    if (*sse_parser_last_id (self->parser)) {
        keep_id (self, sse_parser_last_id (self->parser));
    }
    if (rc < 0 && !self->enough) {
        reason_set (&self->status.why, rc, "an event larger than %zu bytes", EVENT_MAX);
    }
    return rc == 0;
}

//  --- a try ends

//  What trying again would not change. 401 among them: a token does not come back.
static bool
is_final (int status)
{
    return status >= 400 && status < 500 && status != 408 && status != 425 && status != 429;
}

//  Whether the next try may succeed; why is filled in.
static bool
judge (live_t *self, const http_answer_t *answer, const char *content_type)
{
    reason_t *why = &self->status.why;
    int status = http_call_status (self->call);
    bool is_new = self->status.losses == 0 && self->status.state == LIVE_CONNECTING;

    if (status == 200 && is_stream (self->call)) {
        if (answer->outcome != HTTP_ANSWERED) {
            reason_set (why, -1, "%s", answer->why.text);
        } else {
            reason_set (why, -1, "the gateway ended the stream");
        }
        return true;
    }
    if (status == 0) {
        reason_set (why, -1, "%s", answer->why.text);
        return !is_new || answer->outcome != HTTP_TLS_REFUSED;
    }
    if (status == 200 || status == 204) {
        reason_set (why, -1, "what answers is no event stream, but %d '%.60s'", status,
                    content_type ? content_type : "");
        return !is_new;
    }
    session_explain (status, text_of (&self->problem), self->problem.size, why);
    return !is_final (status);
}

static void
on_end (void *argument, const http_answer_t *answer)
{
    live_t *self = argument;
    assert (self->magic == LIVE_MAGIC);

    if (self->enough) {
        self->call = NULL;
        tell (self, LIVE_ENOUGH);
        return;
    }
    bool again = judge (self, answer, http_call_header (self->call, "Content-Type"));
    self->call = NULL;
    if (again) {
        wait_to_retry (self, answer->retry_after_seconds > 0 ? answer->retry_after_seconds : 0);
    } else {
        tell (self, LIVE_REFUSED);
    }
}

static void
on_watch (void *argument)
{
    live_t *self = argument;
    time_us_t most = self->heartbeat_seconds * SECOND_US * SILENCE_TENTHS / 10;
    time_us_t silent = clock_now ().steady - self->status.heard_at;

    if (self->call && silent > most) {
        http_call_cancel (&self->call);
        reason_set (&self->status.why, -1, "nothing was heard for %.1f s",
                    (double) silent / (double) SECOND_US);
        wait_to_retry (self, 0);
    }
}

//  --- life

live_t *
live_new (session_t *session, const char *query, const char *after, bool with_state,
          int64_t heartbeat_seconds, const live_listener_t *listener, reason_t *why)
{
    _cleanup_ (live_destroy) live_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    *self = (live_t){.magic = LIVE_MAGIC,
                     .session = session,
                     .listener = *listener,
                     .with_state = with_state,
                     .heartbeat_seconds = heartbeat_seconds,
                     .retry_ms = SSE_RETRY_UNKNOWN,
                     .retry = loop_timer_new (session->loop, on_retry_due, self),
                     .watch = loop_timer_new (session->loop, on_watch, self),
                     .status = {.lost_at = TIME_UNKNOWN, .retry_at = TIME_UNKNOWN}};
    session_url (session, "/api/events/stream", &self->url);
    buffer_format (&self->url, "?heartbeat=%lld&state=%d%s%s", (long long) heartbeat_seconds,
                   with_state, *query ? "&" : "", query);
    keep_id (self, after);
    if (!self->retry || !self->watch || buffer_failed (&self->url)) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    loop_timer_after (self->retry, 0);
    loop_timer_every (self->watch, WATCH_US);
    return take_ptr (self);
}

void
live_reconnect (live_t *self, bool whole)
{
    assert (self->magic == LIVE_MAGIC && !self->enough && (!whole || self->with_state));
    if (self->call) {
        http_call_cancel (&self->call);
    }
    loop_timer_stop (self->retry);
    if (whole) {
        keep_id (self, "");
    }
    if (self->status.lost_at == TIME_UNKNOWN) {
        self->status.lost_at = clock_now ().steady;
        self->status.losses++;
    }
    self->status.tries = 0;
    reason_set (&self->status.why, -1, "opened anew");
    tell (self, LIVE_RECONNECTING);
    begin_try (self);
}

void
live_destroy (live_t **self_p)
{
    live_t *self = *self_p;

    if (self) {
        assert (self->magic == LIVE_MAGIC);
        if (self->call) {
            http_call_cancel (&self->call);
        }
        loop_timer_destroy (&self->retry);
        loop_timer_destroy (&self->watch);
        sse_parser_destroy (&self->parser);
        buffer_clear (&self->url);
        buffer_clear (&self->last_id);
        buffer_clear (&self->id_header);
        buffer_clear (&self->problem);
        self->magic = 0;
        free (self);
        *self_p = NULL;
    }
}

const live_status_t *
live_status (const live_t *self)
{
    return &self->status;
}

const char *
live_last_id (const live_t *self)
{
    return text_of (&self->last_id);
}

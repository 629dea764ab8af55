// watch.c - see watch.h.
//
// SPDX-License-Identifier: MIT

#include "watch.h"

#include "../../common/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATH        "/api/events/stream?heartbeat=1&state=0&topics=heartbeat&client=cmlwatch%20doctor"
#define EVENT_MAX   ((size_t) 1024 * 1024)
#define PROBLEM_MAX 4096
#define TURN_MS     50

static void
keep_header (watch_t *self, size_t slot, const char **text, const char *name)
{
    const char *value = http_call_header (self->call, name);

    if (value) {
        snprintf (self->headers [slot], sizeof self->headers [slot], "%s", value);
        *text = self->headers [slot];
    }
}

static void
take_head (watch_t *self)
{
    self->has_head = true;
    self->status = http_call_status (self->call);
    keep_header (self, 0, &self->seen.type, "Content-Type");
    keep_header (self, 1, &self->seen.cache_control, "Cache-Control");
    keep_header (self, 2, &self->seen.accel, "X-Accel-Buffering");
    keep_header (self, 3, &self->seen.encoding, "Content-Encoding");
    keep_header (self, 4, &self->seen.via, "Via");
    keep_header (self, 5, &self->seen.server, "Server");
    self->is_stream = self->status == 200 && self->seen.type &&
                      strncasecmp (self->seen.type, "text/event-stream", 17) == 0;
}

static bool
on_event (void *argument, const sse_event_t *event)
{
    watch_t *self = argument;
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    time_us_t server;

    if (self->seen.count < BEATS_MAX && strcmp (event->type, "heartbeat") == 0 &&
        json_parse (&tree, event->data, event->size, event->size, NULL) == 0 &&
        json_get_time (json_get_object (tree, "data"), "server_time", &server)) {
        self->seen.beats [self->seen.count++] =
            (beat_t){.server = server, .arrived = clock_now ().wall};
    }
    return true;
}

static bool
on_bytes (void *argument, const char *bytes, size_t size)
{
    watch_t *self = argument;

    if (!self->has_head) {
        take_head (self);
    }
    if (self->seen.first_byte == 0) {
        self->seen.first_byte = clock_now ().steady - self->began;
    }
    if (self->is_stream) {
        return sse_parser_feed (self->parser, bytes, size) == 0;
    }
    size_t room = PROBLEM_MAX - self->problem.size;
    buffer_append (&self->problem, bytes, size < room ? size : room);
    return self->problem.size < PROBLEM_MAX;
}

static void
on_end (void *argument, const http_answer_t *answer)
{
    watch_t *self = argument;

    if (!self->has_head) {
        take_head (self);
    }
    self->call = NULL;
    self->ended = true;
    self->why = answer->why;
    if (self->status != 0 && self->status != 200) {
        session_explain (self->status, self->problem.size > 0 ? self->problem.data : "",
                         self->problem.size, &self->why);
    } else if (answer->outcome == HTTP_ANSWERED) {
        reason_set (&self->why, -1, "the other side closed it");
    }
}

static void
on_due (void *argument)
{
    watch_t *self = argument;

    self->is_due = true;
}

int
watch_stream (watch_t *self, session_t *session, time_us_t span)
{
    _cleanup_ (buffer_clear) buffer_t url = {0};
    const char *headers [SESSION_HEADERS_MAX + 1] = {"Accept: text/event-stream"};
    _cleanup_ (loop_timer_destroy) loop_timer_t *due = loop_timer_new (session->loop, on_due, self);

    self->session = session;
    self->seen.interval = SECOND_US;
    self->began = clock_now ().steady;
    self->seen.began = clock_now ().wall;
    self->parser = sse_parser_new (EVENT_MAX, "", on_event, self);
    session_url (session, PATH, &url);
    http_request_t request = session_request (session, url.data, headers, 1);
    request.total_ms = 0;
    request.on_bytes = on_bytes;
    if (!due || !self->parser ||
        !(self->call = http_client_send (session->client, &request, on_end, self, &self->why))) {
        return -ECONNREFUSED;
    }
    loop_timer_after (due, span);
    while (!self->is_due && !self->ended && !loop_is_draining (session->loop)) {
        loop_turn (session->loop, TURN_MS);
    }
    self->seen.watched = clock_now ().steady - self->began;
    if (self->call && !self->has_head && http_call_status (self->call) != 0) {
        take_head (self);  //  a head and no byte behind it
    }
    bool interrupted = !self->is_due && !self->ended;
    if (self->call) {
        http_call_cancel (&self->call);
    }
    if (interrupted) {
        return -EINTR;
    }
    return self->ended && self->status == 0 ? -ECONNREFUSED : 0;
}

void
watch_clear (watch_t *self)
{
    if (self->call) {
        http_call_cancel (&self->call);
    }
    sse_parser_destroy (&self->parser);
    buffer_clear (&self->problem);
}

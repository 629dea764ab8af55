// tail.c - `cmlwatch tail`: the stream of a gateway, an event a line.
//
// On stdout stand events and nothing else, in order, each once; what happened to the link is said
// on stderr. What a gateway says to one client alone (connected, the state's begin and end, a
// heartbeat that nobody asked for) is about the link, and is no line.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/event.h"
#include "../../common/plain.h"
#include "../../common/url.h"
#include "live.h"
#include "pages.h"
#include "pretty.h"
#include "words.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct settings {
    access_t access;
    words_t words;
    bool json, state, quiet;
    char after [CONFIG_TEXT_SIZE];
    int64_t count, heartbeat_seconds;
} settings_t;

// clang-format off
static const config_key_t KEYS [] = {
    COMMAND_KEYS (settings_t),
#define ROW(name, help) WORDS_KEY (settings_t, name, help),
    WORDS (ROW)
#undef ROW
    {"json",              CONFIG_FLAG,    offsetof (settings_t, json),              "no", 0, 0,          NULL, "one line of JSON for each event, as the stream's data"},
    {"state",             CONFIG_FLAG,    offsetof (settings_t, state),             "no", 0, 0,          NULL, "begin with the full state, a snapshot for each worker"},
    {"after",             CONFIG_TEXT,    offsetof (settings_t, after),             "",   0, 0,          NULL, "go on after the event of this id, as tail says it at its end"},
    {"count",             CONFIG_INTEGER, offsetof (settings_t, count),             "0",  0, 1000000000, NULL, "end after so many events; 0: never"},
    {"heartbeat_seconds", CONFIG_INTEGER, offsetof (settings_t, heartbeat_seconds), "5",  1, 60,         NULL, "of the stream; a silence of 2.5 of them is a lost link"},
    {"quiet",             CONFIG_FLAG,    offsetof (settings_t, quiet),             "no", 0, 0,          NULL, "say on stderr only why it ends"},
    {0},
};
// clang-format on

typedef struct tail {
    const settings_t *own;
    loop_t *loop;
    live_t *live;
    pretty_t *pretty;
    buffer_t line;
    bool in_state;  //  between system.state.begin and .end
    bool broken;
    int64_t printed, missed, conflated;
    reason_t why;
    int code;
} tail_t;

static void say (const tail_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

static void
say (const tail_t *self, const char *format, ...)
{
    char text [1024];
    va_list args;

    if (!self->own->quiet) {
        va_start (args, format);
        vsnprintf (text, sizeof text, format, args);
        va_end (args);
        (void) fflush (stdout);
        fprintf (stderr, "cmlwatch: %s\n", text);
    }
}

static void
end (tail_t *self, int code)
{
    self->code = code;
    loop_drain (self->loop);
}

//  --- events

//  What the gateway could not deliver, as it counts itself in a heartbeat.
static void
take_heartbeat (tail_t *self, struct json_object *data)
{
    int64_t missed = 0, conflated = 0;

    (void) json_get_integer (data, "events_missed", &missed);
    (void) json_get_integer (data, "conflated", &conflated);
    if (missed > self->missed || conflated > self->conflated) {
        say (self,
             "this reader is too slow: %lld events were not sent, %lld were folded into "
             "newer ones",
             (long long) (missed - self->missed), (long long) (conflated - self->conflated));
    }
    self->missed = missed;
    self->conflated = conflated;
}

static void
take_reset (tail_t *self, struct json_object *data)
{
    const char *reason = json_get_text (data, "reason");
    char plain [200];

    say (self, "events were lost: %s; exit code %d will say so",
         plain_text (plain, sizeof plain, reason ? reason : "the gateway does not hold them"),
         EXIT_GAP);
}

static bool
is_asked_for (const tail_t *self, event_type_t type)
{
    const words_t *words = &self->own->words;

    switch (type) {
    case EVENT_HEARTBEAT:
        return (*words->topics && words_have (words->topics, "heartbeat")) ||
               (*words->event_types && words_have (words->event_types, "heartbeat"));
    case EVENT_CONNECTED:
    case EVENT_SYSTEM_STATE_BEGIN:
    case EVENT_SYSTEM_STATE_END:
    case EVENT_SYSTEM_SSE_SHUTDOWN:
    case EVENT_SYSTEM_RESET: return false;
    default: return !self->in_state || self->own->state;
    }
}

static void
take_notice (tail_t *self, event_type_t type, struct json_object *data)
{
    switch (type) {
    case EVENT_SYSTEM_STATE_BEGIN: self->in_state = true; return;
    case EVENT_SYSTEM_STATE_END: self->in_state = false; return;
    case EVENT_HEARTBEAT: take_heartbeat (self, data); return;
    case EVENT_SYSTEM_RESET: take_reset (self, data); return;
    case EVENT_CONNECTED: self->missed = self->conflated = 0; return;
    default: return;
    }
}

static void
print (tail_t *self, const sse_event_t *event, struct json_object *tree)
{
    buffer_reset (&self->line);
    if (self->own->json) {
        buffer_append (&self->line, event->data, event->size);
    } else {
        pretty_write (self->pretty, tree, &self->line);
    }
    buffer_append (&self->line, "\n", 1);
    self->broken = fwrite (self->line.data, 1, self->line.size, stdout) < self->line.size;
    self->printed++;
}

static bool
on_event (void *argument, const sse_event_t *event)
{
    tail_t *self = argument;
    event_type_t type = event_type_parse (event->type);
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    bool is_news = type == EVENT_UNKNOWN || event_type_place (type) == EVENT_PLACE_FEED;

    if (self->own->json && is_news && !self->in_state) {
        print (self, event, NULL);  //  as it came, unread
    } else if (json_parse (&tree, event->data, event->size, event->size, NULL) == 0) {
        struct json_object *data = json_get_object (tree, "data");
        take_notice (self, type, data);
        if (is_asked_for (self, type)) {
            print (self, event, tree);
        } else {
            pretty_learn (self->pretty, data);
        }
    }
    return !self->broken && (self->own->count == 0 || self->printed < self->own->count);
}

//  --- the link

static void
on_state (void *argument, const live_status_t *status)
{
    tail_t *self = argument;
    char span [PLAIN_SPAN_SIZE];
    time_us_t now = clock_now ().steady;

    switch (status->state) {
    case LIVE_CONNECTING: return;
    case LIVE_CONNECTED:
        self->in_state = false;
        if (status->lost_at != TIME_UNKNOWN) {
            say (self, "connected again after %s%s%s", plain_span (span, now - status->lost_at),
                 *live_last_id (self->live) ? ", going on after " : "", live_last_id (self->live));
        }
        return;
    case LIVE_RECONNECTING:
    case LIVE_DISCONNECTED:
        if (status->retry_at != TIME_UNKNOWN) {
            say (self, "not connected: %.300s; next try in %.1f s", status->why.text,
                 (double) (status->retry_at - now) / (double) SECOND_US);
        }
        return;
    case LIVE_REFUSED:
        self->why = status->why;
        end (self, EXIT_FAILURE);
        return;
    case LIVE_ENOUGH: end (self, self->broken ? EXIT_FAILURE : EXIT_SUCCESS); return;
    }
}

static void
on_turn_end (void *argument)
{
    tail_t *self = argument;

    if (fflush (stdout) != 0 || ferror (stdout)) {  //  as when `head` has had enough
        self->broken = true;
        end (self, EXIT_FAILURE);
    }
}

//  --- the command

static void
on_hang_up (void *argument)
{
    tail_t *self = argument;

    loop_drain (self->loop);
}

//  Its terminal is closed: nobody reads any more, unless nohup has said that this is no matter.
static void
end_with_the_terminal (tail_t *self)
{
    struct sigaction now;

    if (sigaction (SIGHUP, NULL, &now) == 0 && now.sa_handler != SIG_IGN) {
        loop_on_reload (self->loop, on_hang_up, self);
    }
}

static void
learn_name (void *argument, struct json_object *worker)
{
    pretty_learn (argument, worker);
}

static int
finish (tail_t *self, reason_t *why)
{
    const char *id = live_last_id (self->live);
    uint64_t resets = live_status (self->live)->resets;

    if (self->why.text [0]) {
        *why = self->why;
    }
    if (*id && self->code == EXIT_SUCCESS && self->own->count == 0) {
        say (self, "to go on from here: --after %s", id);
    }
    return self->code == EXIT_SUCCESS && resets > 0 ? EXIT_GAP : self->code;
}

static int
run (const void *settings, reason_t *why)
{
    const settings_t *own = settings;
    _cleanup_ (session_close) session_t session = {0};
    _cleanup_ (buffer_clear) buffer_t query = {0};
    tail_t self = {.own = own};

    (void) signal (SIGPIPE, SIG_IGN);
    if (session_open (&session, &own->access, why) < 0) {
        return EXIT_FAILURE;
    }
    self.loop = session.loop;
    self.pretty = pretty_new (pretty_wants_colour (STDOUT_FILENO));
    words_write_query (&own->words, &query);
    url_add_field (&query, "client", "cmlwatch tail");
    live_listener_t listener = {on_event, on_state, &self};
    if (self.pretty) {
        if (!own->json) {  //  names, for events tell ids; without them it goes on as well
            (void) pages_each (&session, "/api/workers?limit=1000", "workers", learn_name,
                               self.pretty, NULL);
        }
        self.live = live_new (&session, query.data, own->after, own->state, own->heartbeat_seconds,
                              &listener, why);
    }
    if (self.live) {
        loop_on_turn_end (session.loop, on_turn_end, &self);
        end_with_the_terminal (&self);
        (void) loop_run (session.loop);
        self.code = finish (&self, why);
    } else {
        self.code = EXIT_FAILURE;
    }
    live_destroy (&self.live);
    loop_forget (session.loop, &self);
    pretty_destroy (&self.pretty);
    buffer_clear (&self.line);
    return self.code;
}

const command_t TAIL = {
    .name = "tail",
    .summary = "the stream of events, a line each, over any loss of the link",
    .operand = NULL,
    .notes =
        "Exit code: 0 ended by --count or a signal, 1 refused or cannot write, 2 wrong flags,\n"
        "3 as 0, but events were lost for good: the gateway did not hold them any more.\n",
    .keys = KEYS,
    .settings_size = sizeof (settings_t),
    .run = run,
};

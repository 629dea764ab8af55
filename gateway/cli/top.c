// top.c - `cmlwatch top`: the fleet, live, in a terminal. See top.h.
//
// SPDX-License-Identifier: MIT

#include "top.h"

#include "../../common/cleanup.h"
#include "../../common/url.h"
#include "pretty.h"
#include "screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DRAWS_A_SECOND 5
#define KEYS_A_TURN    256

//  What a row shows, and nothing else: labs and details come with the snapshot that follows them.
#define TYPES                                                                         \
    "worker.snapshot,worker.created,worker.metrics.updated,worker.status.updated,"    \
    "worker.service_status.updated,worker.freshness.changed,worker.activity.updated," \
    "worker.terminated"

typedef struct settings {
    access_t access;
    char regions [CONFIG_TEXT_SIZE], worker_ids [CONFIG_TEXT_SIZE];
    int sort, filter;
    int64_t heartbeat_seconds;
} settings_t;

static const char *const SORTS [] = {"name",   "region", "type", "status", "service", "cpu",
                                     "memory", "disk",   "labs", "idle",   "fresh",   NULL};
static const char *const FILTERS [] = {"all",     "running", "attention", "stale",
                                       "stopped", "idle",    NULL};

// clang-format off
static const config_key_t KEYS [] = {
    COMMAND_KEYS (settings_t),
    {"regions",           CONFIG_TEXT,    offsetof (settings_t, regions),           "",     0, 0,  NULL,    "only these, apart by commas"},
    {"worker_ids",        CONFIG_TEXT,    offsetof (settings_t, worker_ids),        "",     0, 0,  NULL,    "only these, apart by commas"},
    {"sort",              CONFIG_CHOICE,  offsetof (settings_t, sort),              "name", 0, 0,  SORTS,   "by this column, to begin with"},
    {"filter",            CONFIG_CHOICE,  offsetof (settings_t, filter),            "all",  0, 0,  FILTERS, "only these, to begin with"},
    {"heartbeat_seconds", CONFIG_INTEGER, offsetof (settings_t, heartbeat_seconds), "2",    1, 60, NULL,    "of the stream; a silence of 2.5 of them is a lost link"},
    {0},
};
// clang-format on

//  --- the stream

static bool
on_event (void *argument, const sse_event_t *event)
{
    top_t *self = argument;
    _cleanup_ (json_destroy) struct json_object *tree = NULL;

    if (strcmp (event->type, "system.state.begin") == 0) {
        fleet_begin (self->fleet);
    } else if (strcmp (event->type, "system.state.end") == 0) {
        fleet_end (self->fleet);
        self->is_dirty = true;
    }
    if (json_parse (&tree, event->data, event->size, event->size, NULL) < 0) {
        return true;
    }
    struct json_object *data = json_get_object (tree, "data");
    if (fleet_apply (self->fleet, event->type, data)) {
        self->is_dirty = true;
        self->waiting += self->frozen != NULL;
    }
    top_prove (self, event, data);
    return true;
}

static void
on_state (void *argument, const live_status_t *status)
{
    top_t *self = argument;

    (void) status;
    self->is_dirty = true;
}

//  --- the terminal

//  Whatever keys there are; a burst of them is drawn once.
static void
take_keys (top_t *self)
{
    bool any = false;

    for (int i = 0; i < KEYS_A_TURN; i++) {
        int key = screen_key ();
        if (key == SCREEN_KEY_NONE) {
            break;
        }
        any = true;
        if (!top_take_key (self, key)) {
            loop_drain (self->session->loop);
            return;
        }
    }
    if (any) {
        top_draw (self);
    }
}

static void
on_input (void *argument, uint32_t events)
{
    top_t *self = argument;

    if (events & (EPOLLHUP | EPOLLERR)) {  //  the terminal is gone
        loop_drain (self->session->loop);
        return;
    }
    take_keys (self);
}

//  The badge counts, ages grow and a resized terminal tells by a key, so it draws without news too.
static void
on_tick (void *argument)
{
    top_t *self = argument;

    take_keys (self);
    top_repair (self);
    top_detail_refresh (self);
    if (!loop_is_draining (self->session->loop)) {
        top_draw (self);
    }
}

static void
on_hang_up (void *argument)
{
    top_t *self = argument;

    loop_drain (self->session->loop);
}

//  --- the command

static void
show (top_t *self)
{
    loop_t *loop = self->session->loop;
    _cleanup_ (loop_timer_destroy) loop_timer_t *tick = loop_timer_new (loop, on_tick, self);

    if (tick && loop_watch (loop, STDIN_FILENO, EPOLLIN, on_input, self) == 0) {
        loop_timer_every (tick, SECOND_US / DRAWS_A_SECOND);
        loop_on_reload (loop, on_hang_up, self);
        top_draw (self);
        (void) loop_run (loop);
        loop_unwatch (loop, STDIN_FILENO);
        loop_forget (loop, self);
    }
}

static void
write_query (const settings_t *own, buffer_t *out)
{
    url_add_field (out, "event_types", TYPES);
    url_add_field (out, "client", "cmlwatch top");
    if (*own->regions) {
        url_add_field (out, "regions", own->regions);
    }
    if (*own->worker_ids) {
        url_add_field (out, "worker_ids", own->worker_ids);
    }
}

static int
run (const void *settings, reason_t *why)
{
    const settings_t *own = settings;
    _cleanup_ (session_close) session_t session = {0};
    _cleanup_ (buffer_clear) buffer_t query = {0};
    _cleanup_ (fleet_destroy) fleet_t *fleet = fleet_new ();
    static top_t self;
    live_listener_t listener = {on_event, on_state, &self};

    if (session_open (&session, &own->access, why) < 0 || !fleet) {
        return EXIT_FAILURE;
    }
    write_query (own, &query);
    self.session = &session;
    self.fleet = fleet;
    self.proof = (top_proof_t){.proved_at = TIME_UNKNOWN};
    self.choice = (fleet_choice_t){.search = self.search,
                                   .sort = (worker_column_t) own->sort,
                                   .kind = (fleet_kind_t) own->filter};
    _cleanup_ (live_destroy) live_t *live =
        live_new (&session, query.data, "", true, own->heartbeat_seconds, &listener, why);
    if (!live) {
        return EXIT_FAILURE;
    }
    self.live = live;
    if (screen_open (pretty_wants_colour (STDOUT_FILENO), why) < 0) {
        return EXIT_USAGE;
    }
    show (&self);
    screen_close ();
    top_detail_close (&self);
    fleet_destroy (&self.frozen);
    if (live_status (live)->state == LIVE_REFUSED) {
        *why = live_status (live)->why;
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

const command_t TOP = {
    .name = "top",
    .summary = "the fleet, live: sort, search, filter, look at one",
    .notes = "Keys: / search, s sort, f filter, p pause, R reconnect now, Enter a worker's detail, "
             "? help, q quit.\n"
             "What is shown is held against the digest in the server's heartbeats, and repaired "
             "when it differs.\n",
    .keys = KEYS,
    .settings_size = sizeof (settings_t),
    .run = run,
};

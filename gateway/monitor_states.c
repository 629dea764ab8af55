// monitor_states.c - see monitor_states.h.
//
// SPDX-License-Identifier: MIT

#include "monitor_states.h"

#include "../common/cleanup.h"
#include "api.h"
#include "monitor_form.h"
#include "scan.h"
#include "websocket.h"

#include <stdlib.h>
#include <string.h>

#define FRESH_US   (250 * MS_US)  //  so long one may serve those that come after it
#define DEAR_BYTES 262144         //  and only if it is dear to make

typedef struct state {
    char *view;  //  the key of what it shows
    char epoch [ENVELOPE_EPOCH_SIZE];
    time_us_t time;  //  steady, when it was made
    frame_t *frame;
} state_t;

struct monitor_states {
    const fanout_t *shared;
    state_t *list;
    size_t count, most;
};

monitor_states_t *
monitor_states_new (const fanout_t *shared)
{
    monitor_states_t *self = calloc (1, sizeof *self);

    if (self) {
        self->shared = shared;
        self->most = (size_t) shared->settings.images_max;
        self->list = calloc (self->most, sizeof *self->list);
        if (!self->list) {
            monitor_states_destroy (&self);
        }
    }
    return self;
}

static void
drop (monitor_states_t *self, size_t place)
{
    state_t *state = &self->list [place];

    free (state->view);
    frame_release (&state->frame);
    *state = self->list [--self->count];
}

void
monitor_states_destroy (monitor_states_t **self_p)
{
    monitor_states_t *self = *self_p;

    if (self) {
        while (self->count > 0) {
            drop (self, self->count - 1);
        }
        free (self->list);
        free (self);
        *self_p = NULL;
    }
}

//  What came behind it is in the log.
static bool
is_usable (const monitor_states_t *self, const state_t *state)
{
    const event_log_t *log = self->shared->log;
    uint64_t seq = state->frame->seq;

    return strcmp (state->epoch, event_log_epoch (log)) == 0 && seq + 1 >= event_log_first (log) &&
           seq <= event_log_last (log);
}

static bool
is_young (const monitor_states_t *self, const state_t *state)
{
    return loop_now (self->shared->loop).steady - state->time < FRESH_US;
}

static bool
is_fresh (const monitor_states_t *self, const state_t *state)
{
    return is_usable (self, state) && (state->frame->seq == event_log_last (self->shared->log) ||
                                       (state->frame->size > DEAR_BYTES && is_young (self, state)));
}

void
monitor_states_tidy (monitor_states_t *self)
{
    for (size_t i = self->count; i-- > 0;) {
        const state_t *state = &self->list [i];
        if (state->frame->references == 1 && (!is_young (self, state) || !is_fresh (self, state))) {
            drop (self, i);
        }
    }
}

//  GET /api/state's, but times of jobs as in monitors' events.
static void
write_state (const fanout_t *shared, const filter_t *filter, json_writer_t *out)
{
    static const view_t ALL;
    buffer_t state = {0};
    scan_member_t member;

    api_state (shared->replica, shared->log, filter->view ? filter->view : &ALL, &state);
    const char *at = state.data, *end = at + state.size;
    json_open_object (out);
    while (!buffer_failed (&state) && scan_next (&at, end, &member)) {
        if (scan_is_named (&member, "jobs")) {
            json_key (out, "jobs");
            monitor_form_jobs (member.value, member.value_size, out);
        } else {
            json_put_raw (out, member.name - 1,
                          (size_t) (member.value + member.value_size - member.name) + 1);
        }
    }
    json_close_object (out);
    out->out->failed |= buffer_failed (&state);
    buffer_clear (&state);
}

static frame_t *
make_frame (const fanout_t *shared, const filter_t *filter)
{
    buffer_t text = {0}, message = {0};
    json_writer_t json = json_writer (&text);

    json_open_object (&json);
    json_member_text (&json, "type", "full_state_snapshot");
    json_key (&json, "data");
    write_state (shared, filter, &json);
    json_member_integer (&json, "timestamp", clock_now ().wall / MS_US);
    json_close_object (&json);
    websocket_put_text (&message, &text);
    frame_t *frame = buffer_failed (&message) ? NULL : frame_of_bytes (message.data, message.size);
    buffer_clear (&message);
    if (frame) {
        frame->seq = event_log_last (shared->log);
    }
    return frame;
}

//  The newest of this view that can still be gone on from.
static const state_t *
find (const monitor_states_t *self, const char *view)
{
    const state_t *newest = NULL;

    for (size_t i = 0; i < self->count; i++) {
        const state_t *state = &self->list [i];
        if (strcmp (state->view, view) == 0 && is_usable (self, state) &&
            (!newest || state->frame->seq > newest->frame->seq)) {
            newest = state;
        }
    }
    return newest;
}

//  The key is taken over.
static frame_t *
add (monitor_states_t *self, const filter_t *filter, char *view)
{
    frame_t *frame = make_frame (self->shared, filter);

    if (!frame) {
        free (view);
        return NULL;
    }
    state_t *state = &self->list [self->count++];
    *state = (state_t){.view = view, .time = loop_now (self->shared->loop).steady, .frame = frame};
    snprintf (state->epoch, sizeof state->epoch, "%s", event_log_epoch (self->shared->log));
    return frame;
}

frame_t *
monitor_states_get (monitor_states_t *self, const filter_t *filter)
{
    buffer_t view = {0};

    buffer_text (&view, "&view");
    if (filter->view) {
        view_write_key (filter->view, &view);
    }
    if (buffer_failed (&view)) {
        return NULL;
    }
    monitor_states_tidy (self);
    const state_t *newest = find (self, view.data);
    bool fits = newest && is_fresh (self, newest);
    //  The newest there is, if it has to be: slow readers hold all that may be.
    if (fits || self->count == self->most) {
        buffer_clear (&view);
        return newest ? newest->frame : NULL;
    }
    return add (self, filter, view.data);
}

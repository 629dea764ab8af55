// admission.c - see admission.h.
//
// SPDX-License-Identifier: MIT

#include "admission.h"

#include "audience.h"
#include "monitor.h"
#include "monitor_states.h"

#include <stdlib.h>
#include <string.h>

#define IMAGE_FRESH_US (250 * MS_US)  //  so long an image may serve those that come after it
#define LOOKS_MOST     64             //  of those that wait, for one that can be served
#define BURST_PART     10             //  of a second's worth may begin at once

struct admission {
    fanout_t *shared;
    client_t *first, *last;
    size_t waiting;
    double tokens;
    time_us_t filled;  //  steady, when tokens were last counted
    image_t **images;  //  those that somebody may still read, the newest last
    size_t count;
    monitor_states_t *states;
    loop_timer_t *timer;
};

static void
on_timer (void *argument)
{
    admission_serve (argument);
}

admission_t *
admission_new (fanout_t *shared)
{
    admission_t *self = calloc (1, sizeof *self);

    if (self) {
        self->shared = shared;
        self->images = calloc ((size_t) shared->settings.images_max, sizeof (image_t *));
        self->states = monitor_states_new (shared);
        self->timer = loop_timer_new (shared->loop, on_timer, self);
        if (!self->images || !self->states || !self->timer) {
            admission_destroy (&self);
        }
    }
    return self;
}

void
admission_destroy (admission_t **self_p)
{
    admission_t *self = *self_p;

    if (self) {
        for (size_t i = 0; i < self->count; i++) {
            image_release (&self->images [i]);
        }
        free (self->images);
        monitor_states_destroy (&self->states);
        loop_timer_destroy (&self->timer);
        free (self);
        *self_p = NULL;
    }
}

void
admission_await (admission_t *self, client_t *client)
{
    client->waits_before = self->last;
    client->waits_behind = NULL;
    if (self->last) {
        self->last->waits_behind = client;
    } else {
        self->first = client;
    }
    self->last = client;
    self->waiting++;
}

void
admission_forget (admission_t *self, client_t *client)
{
    if (client->waits_before) {
        client->waits_before->waits_behind = client->waits_behind;
    } else if (self->first == client) {
        self->first = client->waits_behind;
    } else {
        return;
    }
    if (client->waits_behind) {
        client->waits_behind->waits_before = client->waits_before;
    } else {
        self->last = client->waits_before;
    }
    client->waits_before = client->waits_behind = NULL;
    self->waiting--;
}

//  --- the pace

static bool
take_token (admission_t *self)
{
    double rate = (double) self->shared->settings.states_per_second;
    double most = rate / BURST_PART > 1 ? rate / BURST_PART : 1;
    time_us_t now = loop_now (self->shared->loop).steady;

    self->tokens += rate * (double) (now - self->filled) / (double) SECOND_US;
    self->tokens = self->tokens < most ? self->tokens : most;
    self->filled = now;
    if (self->tokens < 1) {
        return false;
    }
    self->tokens -= 1;
    return true;
}

static time_us_t
until_token (const admission_t *self)
{
    return (time_us_t) ((1 - self->tokens) * (double) SECOND_US /
                        (double) self->shared->settings.states_per_second) +
           1;
}

//  --- the images

//  Those that only we hold go, but for the newest.
static void
sweep (admission_t *self)
{
    size_t kept = 0;

    for (size_t i = 0; i < self->count; i++) {
        if (self->images [i]->references > 1 || i + 1 == self->count) {
            self->images [kept++] = self->images [i];
        } else {
            image_release (&self->images [i]);
        }
    }
    self->count = kept;
}

//  What came behind it is in the log.
static bool
is_usable (const admission_t *self, const image_t *image)
{
    const event_log_t *log = self->shared->log;

    return strcmp (image->epoch, event_log_epoch (log)) == 0 &&
           image->seq + 1 >= event_log_first (log) && image->seq <= event_log_last (log);
}

static bool
is_fresh (const admission_t *self, const image_t *image)
{
    return is_usable (self, image) &&
           (image->seq == event_log_last (self->shared->log) ||
            loop_now (self->shared->loop).steady - image->time < IMAGE_FRESH_US);
}

static bool
may_be_taken (const admission_t *self)
{
    uint64_t digest;

    return replica_digest (self->shared->replica, false, &digest);
}

//  A new one, while there is room for it.
static image_t *
take_image (admission_t *self)
{
    image_t *image = NULL;

    sweep (self);
    if (self->count < (size_t) self->shared->settings.images_max &&
        (image = image_new (self->shared->replica, self->shared->log,
                            loop_now (self->shared->loop).steady))) {
        self->images [self->count++] = image;
        sweep (self);
    }
    return image;
}

//  The newest there is, if it has to be: slow readers hold all that may be.
static image_t *
find_image (admission_t *self)
{
    image_t *newest = self->count > 0 ? self->images [self->count - 1] : NULL;

    if (newest && is_fresh (self, newest)) {
        return newest;
    }
    image_t *image = take_image (self);
    return image ? image : newest && is_usable (self, newest) ? newest : NULL;
}

image_t *
admission_image (admission_t *self)
{
    image_t *newest = self->count > 0 ? self->images [self->count - 1] : NULL;

    if (!may_be_taken (self) || !take_token (self)) {
        return NULL;
    }
    return newest && is_usable (self, newest) && newest->seq == event_log_last (self->shared->log)
               ? newest
               : take_image (self);
}

//  The first of those that wait for which there is a state. One whose own view of it cannot be held as
//  well, for slow readers hold all that may be, is passed over by those that want another.
static client_t *
pick (admission_t *self, image_t **image, frame_t **state)
{
    client_t *client = self->first;

    for (int looks = 0; client && looks < LOOKS_MOST; looks++, client = client->waits_behind) {
        *image = client->monitor ? NULL : find_image (self);
        *state = client->monitor
                     ? monitor_states_get (self->states, audience_filter (client->audience))
                     : NULL;
        if (*image || *state) {
            return client;
        }
    }
    return NULL;
}

void
admission_serve (admission_t *self)
{
    while (self->first && may_be_taken (self)) {
        image_t *image;
        frame_t *state;
        client_t *client = pick (self, &image, &state);
        if (!client || !take_token (self)) {
            loop_timer_after (self->timer, client ? until_token (self) : IMAGE_FRESH_US);
            return;
        }
        admission_forget (self, client);
        if (state) {
            monitor_begin_state (client, state);
        } else {
            client_begin_state (client, image, NULL);
        }
        client_pump (client);
    }
}

void
admission_tidy (admission_t *self)
{
    image_t *newest = self->count > 0 ? self->images [self->count - 1] : NULL;

    sweep (self);
    monitor_states_tidy (self->states);
    if (newest && newest->references == 1 &&
        loop_now (self->shared->loop).steady - newest->time >= IMAGE_FRESH_US) {
        image_release (&self->images [--self->count]);
    }
}

size_t
admission_waiting (const admission_t *self)
{
    return self->waiting;
}

size_t
admission_images (const admission_t *self)
{
    return self->count;
}

// hub_clients.c - what may be asked of the hub's clients and about them; see hub.h.
//
// SPDX-License-Identifier: MIT

#include "hub_state.h"

#include <errno.h>
#include <string.h>

static client_t *
find_client (const hub_t *self, const char *id)
{
    client_t *client = self->clients;

    while (client && strcmp (client->id, id) != 0) {
        client = client->next;
    }
    return client;
}

const filter_t *
hub_filter (const hub_t *self, const char *client_id)
{
    const client_t *client = find_client (self, client_id);

    return client && !client->monitor ? audience_filter (client->audience) : NULL;
}

int
fanout_rejoin (client_t *client, filter_t **filter_p)
{
    audience_t *old = client->audience;

    audience_dismiss (client);
    if (audiences_admit (client->shared->hub->audiences, client, filter_p,
                         audience_heartbeat_seconds (old)) < 0) {
        audience_admit (old, client);
        return -ENOMEM;
    }
    audience_catch_up (client->audience);
    return 0;
}

int
hub_change (hub_t *self, const char *client_id, filter_t *filter)
{
    audiences_turn (self->audiences);  //  now, so that it is not gone later in this
    client_t *client = find_client (self, client_id);
    if (client) {
        audience_settle (client->audience);  //  which may close it
        client = find_client (self, client_id);
    }
    bool live = client && client->mode == CLIENT_LIVE && !client->ending;
    image_t *image = live ? admission_image (self->admission) : NULL;

    if (!image) {
        filter_release (&filter);
        return !client ? -ENOENT : !live ? -EBUSY : -EAGAIN;
    }
    filter_t *had = filter_hold (audience_filter_shared (client->audience));
    audience_leave (client);
    client_tell_rest (client);
    if (fanout_rejoin (client, &filter) < 0) {
        filter_release (&filter);
        filter_release (&had);
        client_pump (client);
        return -ENOMEM;
    }
    client_begin_state (client, image, had);
    client_pump (client);
    return 0;
}

const identity_t *
hub_identity (const hub_t *self, const char *client_id)
{
    const client_t *client = find_client (self, client_id);

    return client ? client->identity : NULL;
}

void
hub_end_unless (hub_t *self, hub_holds_fn *holds, void *argument, const char *message)
{
    for (client_t *client = self->clients, *next; client; client = next) {
        next = client->next;
        if (!holds (argument, client->identity)) {
            client_end (client, CLIENT_UNWELCOME, message,
                        client_choose_retry (CLIENT_RETRY_SPREAD_MS));
        }
    }
}

size_t
hub_streams_of (const hub_t *self, const char *user)
{
    const size_t *streams = zhashx_lookup (self->by_user, user);

    return streams ? *streams : 0;
}

void
hub_write_clients (const hub_t *self, const char *user, json_writer_t *out)
{
    json_open_array (out);
    for (const client_t *client = self->clients; client; client = client->next) {
        if (!user || strcmp (client->identity->name, user) == 0) {
            client_write (client, out);
        }
    }
    json_close_array (out);
}

size_t
hub_size (const hub_t *self)
{
    return self->count;
}

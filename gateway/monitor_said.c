// monitor_said.c - what a monitor says, taken and answered; see monitor.h.
//
// SPDX-License-Identifier: MIT

#include "audience.h"
#include "monitor_form.h"
#include "monitor_notice.h"
#include "monitor_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RESYNC_BYTES 1048576  //  of events, about, that an answer adds to what it has not taken
#define RESYNC_LOOKS 16       //  times resync_max: events looked at for an answer
#define UNAVAILABLE  "unavailable"

static void
count (const client_t *client, const char *name, const char *help, const char *label,
       const char *value)
{
    metric_increment (metrics_with (client->shared->metrics, METRIC_COUNTER, name, help,
                                    METRIC_LABELS (label, value)));
}

static void
refuse (monitor_t *self, const char *code, const char *what, const char *request)
{
    client_t *client = self->client;

    monitor_notice_error (&client->shared->words, code, what, request);
    client_say (client);
    count (client, "cmlwatch_gateway_monitor_errors_total", "Messages of monitors refused, by code",
           "code", code);
    if (++self->errors > client->shared->settings.monitor_errors_max) {
        self->fault = "too many messages that are none";
    }
}

void
monitor_go_on (client_t *client, uint64_t seq)
{
    monitor_t *self = client->monitor;

    self->since = seq;
    audience_leave (client);
    audience_catch_up (client->audience);  //  nobody is ahead of it
    if (client->mode == CLIENT_BEHIND) {
        client->told = seq;
        client->exact = event_log_last (client->shared->log);
        for (int lane = 0; lane < LANE_COUNT; lane++) {
            client->cursor [lane] = seq;
        }
    }
}

static const char *
on_connect (monitor_t *self, const monitor_message_t *message, reason_t *why)
{
    client_t *client = self->client;
    const event_log_t *log = client->shared->log;
    uint64_t seq = event_log_last (log);
    bool resumes = *message->event_id && !message->full_state;
    const char *bad = resumes ? event_log_check (log, message->event_id, &seq) : NULL;

    if (bad && strcmp (bad, "malformed") == 0) {
        (void) reason_set (why, -EINVAL, "last_event_id: '%s' is no id of an event",
                           message->event_id);
        return MONITOR_INVALID;
    }
    self->joined = true;
    if (bad && client->mode != CLIENT_WAITING) {
        client_reset (client, bad, message->event_id);
    } else if (!bad && !message->full_state) {
        monitor_go_on (client, seq);
        metric_count (client->shared->resumed, resumes);
    } else if (client->mode != CLIENT_WAITING) {
        audience_leave (client);
        monitor_drop_state (client);
        fanout_await_state (client);
    }
    return NULL;
}

static const char *
on_subscribe (monitor_t *self, const monitor_message_t *message, reason_t *why)
{
    client_t *client = self->client;
    filter_t *filter = filter_copy (audience_filter (client->audience));
    const char *code = filter ? monitor_message_filter (message, filter, why) : UNAVAILABLE;

    if (!code && fanout_rejoin (client, &filter) < 0) {
        code = UNAVAILABLE;
    }
    filter_release (&filter);
    if (code) {
        return code;
    }
    if (!self->subscribed) {
        monitor_go_on (client, self->joined ? self->since : event_log_last (client->shared->log));
        self->subscribed = self->joined = true;
    }
    return NULL;
}

static bool
knows_place (const client_t *client)
{
    return client->mode == CLIENT_BEHIND || client->mode == CLIENT_LIVE;
}

static const char *
on_heartbeat (monitor_t *self, const monitor_message_t *message, reason_t *why)
{
    client_t *client = self->client;
    const event_log_t *log = client->shared->log;
    heartbeat_t beat = {.cursor = !self->joined      ? event_log_last (log)
                                  : self->subscribed ? audience_reached (client)
                                                     : self->since,
                        .missed = client->missed - self->missed_told,
                        .conflated = client->conflated - self->conflated_told,
                        .lag = self->subscribed ? client_lag (client) : 0};
    char at [MONITOR_EVENT_ID_SIZE];

    (void) message, (void) why;
    snprintf (at, sizeof at, "%s-%" PRIu64, event_log_epoch (log), beat.cursor);
    self->missed_told = client->missed;
    self->conflated_told = client->conflated;
    monitor_notice_ack (&client->shared->words, self->id, knows_place (client) ? at : NULL, &beat);
    client_say (client);
    return NULL;
}

//  Behind which number all was said at or after this time. Times grow with numbers.
static uint64_t
before_time (const event_log_t *log, int64_t ms)
{
    uint64_t low = event_log_first (log), high = event_log_last (log) + 1;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (monitor_form_time_ms (event_log_get (log, middle)) < ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - 1;
}

//  From where, and whether something before it is missing. Null, or the error's code.
static const char *
find_begin (const event_log_t *log, const monitor_message_t *message, resync_t *resync,
            reason_t *why)
{
    uint64_t first = event_log_first (log);

    if (!*message->event_id) {
        resync->page.seq = before_time (log, message->timestamp_ms);
        resync->truncated = first > 1 && resync->page.seq + 1 == first;
        return NULL;
    }
    const char *bad = event_log_check (log, message->event_id, &resync->page.seq);
    if (bad && (strcmp (bad, "malformed") == 0 || strcmp (bad, EVENT_LOG_AHEAD) == 0)) {
        (void) reason_set (why, -EINVAL, "last_event_id: '%s' is %s", message->event_id, bad);
        return MONITOR_INVALID;
    }
    resync->truncated = bad != NULL;
    resync->page.seq = bad ? first - 1 : resync->page.seq;
    return NULL;
}

static const char *
on_resync (monitor_t *self, const monitor_message_t *message, reason_t *why)
{
    client_t *client = self->client;
    filter_t *filter = filter_copy (audience_filter (client->audience));
    size_t most = (size_t) client->shared->settings.resync_max,
           queued = wire_queued (&client->wire);
    resync_t resync = {.page = {.filter = filter,
                                .events_max = most,
                                .looks_max = most * RESYNC_LOOKS,
                                .bytes_max = queued < RESYNC_BYTES ? RESYNC_BYTES - queued : 0},
                       .monitor_id = self->id};

    if (!filter) {
        return UNAVAILABLE;
    }
    filter->all_types = !self->subscribed;  //  of one that names no topics either: all
    const char *code = monitor_message_filter (message, filter, why);
    code = code ? code : find_begin (client->shared->log, message, &resync, why);
    if (!code) {
        monitor_notice_resync (&client->shared->words, client->shared->log, &resync);
        client_say (client);
    }
    filter_release (&filter);
    return code;
}

void
monitor_on_message (void *argument, const char *text, size_t size)
{
    typedef const char *handler_fn (monitor_t * self, const monitor_message_t *message,
                                    reason_t *why);
    static handler_fn *const HANDLERS [] = {[MONITOR_CONNECT] = on_connect,
                                            [MONITOR_SUBSCRIBE] = on_subscribe,
                                            [MONITOR_HEARTBEAT] = on_heartbeat,
                                            [MONITOR_RESYNC] = on_resync};
    monitor_t *self = argument;
    monitor_message_t message;
    reason_t why = {"out of memory"};

    if (self->fault) {
        return;
    }
    const char *code = monitor_message_read (&message, text, size, &why);
    if (!code) {
        if (*message.monitor_id) {
            memcpy (self->id, message.monitor_id, sizeof self->id);
        }
        code = HANDLERS [message.type](self, &message, &why);
    }
    count (self->client, "cmlwatch_gateway_monitor_messages_total", "Messages of monitors, by type",
           "type", message.type == MONITOR_TYPE_UNKNOWN ? "unknown" : message.type_name);
    if (code) {
        refuse (self, code, why.text, message.type_name);
    }
    monitor_message_clear (&message);
}

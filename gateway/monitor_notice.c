// monitor_notice.c - see monitor_notice.h.
//
// SPDX-License-Identifier: MIT

#include "monitor_notice.h"

#include "../common/json.h"
#include "websocket.h"

#include <inttypes.h>
#include <stdio.h>

static json_writer_t
begin (buffer_t *text, const char *type)
{
    json_writer_t json = json_writer (text);

    json_open_object (&json);
    json_member_text (&json, "type", type);
    return json;
}

static void
end (json_writer_t *json, buffer_t *out, const char *time)
{
    json_member_integer (json, time, clock_now ().wall / MS_US);
    json_close_object (json);
    websocket_put_text (out, json->out);
}

static void
member_id (json_writer_t *json, const char *key, const event_log_t *log, uint64_t seq)
{
    char id [MONITOR_EVENT_ID_SIZE];

    snprintf (id, sizeof id, "%s-%" PRIu64, event_log_epoch (log), seq);
    json_member_text (json, key, id);
}

static void
member_name (json_writer_t *json, const char *monitor_id)
{
    json_member_text (json, "monitor_id", monitor_id && *monitor_id ? monitor_id : NULL);
}

void
monitor_notice_error (buffer_t *out, const char *code, const char *what, const char *request)
{
    buffer_t text = {0};
    json_writer_t json = begin (&text, "error");

    json_member_text (&json, "code", code);
    json_member_text (&json, "message", what);
    json_member_text (&json, "request", request);
    end (&json, out, "timestamp");
}

static void
member_counts (json_writer_t *json, const heartbeat_t *heartbeat)
{
    json_member_integer (json, "events_missed", (int64_t) heartbeat->missed);
    json_member_integer (json, "conflated", (int64_t) heartbeat->conflated);
    json_member_integer (json, "lag_ms", heartbeat->lag / MS_US);
}

void
monitor_notice_heartbeat (buffer_t *out, const event_log_t *log, const heartbeat_t *heartbeat)
{
    buffer_t text = {0};
    json_writer_t json = begin (&text, "heartbeat");

    member_id (&json, "last_event_id", log, heartbeat->cursor);
    member_counts (&json, heartbeat);
    json_member_text (&json, "digest", heartbeat->digest);
    end (&json, out, "timestamp");
}

void
monitor_notice_ack (buffer_t *out, const char *monitor_id, const char *at,
                    const heartbeat_t *heartbeat)
{
    buffer_t text = {0};
    json_writer_t json = begin (&text, "heartbeat_ack");

    member_name (&json, monitor_id);
    json_member_text (&json, "last_event_id", at);
    member_counts (&json, heartbeat);
    end (&json, out, "server_timestamp");
}

void
monitor_notice_reset (buffer_t *out, const event_log_t *log, const char *reason,
                      const char *requested)
{
    buffer_t text = {0};
    json_writer_t json = begin (&text, "system_reset");

    json_member_text (&json, "reason", reason);
    json_member_text (&json, "requested_id", requested);
    member_id (&json, "oldest_id", log, event_log_first (log));
    end (&json, out, "timestamp");
}

void
monitor_notice_resync (buffer_t *out, const event_log_t *log, const resync_t *resync)
{
    buffer_t text = {0};
    json_writer_t json = begin (&text, "resync_data");

    member_name (&json, resync->monitor_id);
    json_key (&json, "events");
    uint64_t seq = event_page_write (&resync->page, log, &json);
    json_member_bool (&json, "truncated", resync->truncated);
    json_member_bool (&json, "more", seq < event_log_last (log));
    member_id (&json, "last_event_id", log, seq);
    end (&json, out, "timestamp");
}

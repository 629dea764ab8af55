// audit.c - see audit.h.
//
// SPDX-License-Identifier: MIT

#include "audit.h"

#include "../common/cleanup.h"
#include "../common/json.h"
#include "../common/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_US SECOND_US

struct audit {
    loop_t *loop;
    const char *path;  //  borrowed; "": no file
    int fd;
    size_t queue_max;
    buffer_t queue;  //  whole lines that are not all in the file yet
    size_t sent;     //  of the first of them
    int error;       //  of the last attempt to write or open; 0: it went well
    bool waits;      //  for the retry
    loop_timer_t *retry;
    metric_t *records, *dropped, *failures, *queued;
};

static int
open_file (audit_t *self)
{
    return open (self->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                 0600);
}

//  --- the queue

//  Lines that are in the file whole go; of one that is in it by half the rest stays.
static void
forget_sent (audit_t *self)
{
    const char *end = memrchr (self->queue.data, '\n', self->sent);
    size_t whole = end ? (size_t) (end - self->queue.data) + 1 : 0;

    memmove (self->queue.data, self->queue.data + whole, self->queue.size - whole);
    self->queue.size -= whole;
    self->sent -= whole;
}

static void
fail (audit_t *self, int error)
{
    metric_increment (self->failures);
    if (self->error != error) {
        log_error ("the audit log cannot be written", LOG_TEXT ("file", self->path),
                   LOG_TEXT ("reason", strerror (error)));
    }
    self->error = error;
    self->waits = true;
    loop_timer_after (self->retry, RETRY_US);
}

static void
write_queue (audit_t *self)
{
    while (self->queue.size > 0 && !self->waits) {
        ssize_t got =
            write (self->fd, self->queue.data + self->sent, self->queue.size - self->sent);
        if (got < 0 && errno != EINTR) {
            fail (self, errno);
        } else if (got >= 0) {
            self->sent += (size_t) got;
            self->error = 0;
            forget_sent (self);
        }
    }
    metric_set (self->queued, (double) self->queue.size);
}

static void
on_turn_end (void *argument)
{
    write_queue (argument);
}

static void
on_retry (void *argument)
{
    audit_t *self = argument;

    self->waits = false;
    write_queue (self);
}

//  The line that stands by half in the old file is whole in the new one.
static void
on_reload (void *argument)
{
    audit_t *self = argument;
    int fd = open_file (self);

    if (fd < 0) {
        fail (self, errno);  //  what is open stays
        return;
    }
    write_queue (self);
    descriptor_close (&self->fd);
    self->fd = fd;
    self->sent = 0;
    self->error = 0;
    self->waits = false;
    log_info ("audit log opened anew", LOG_TEXT ("file", self->path));
}

//  --- records

static const char *
or_null (const char *text)
{
    return *text ? text : NULL;
}

static const char *
outcome_of (unsigned status)
{
    return status == 0 ? "abandoned" : status < 400 ? "done" : status < 500 ? "refused" : "failed";
}

static void
write_record (const audit_t *self, const audit_record_t *record, buffer_t *out)
{
    json_writer_t json = json_writer (out);

    json_open_object (&json);
    json_member_time (&json, "time", loop_now (self->loop).wall);
    json_member_text (&json, "action", record->action);
    json_member_text (&json, "user", or_null (record->user));
    json_member_text (&json, "role", record->role);
    json_member_text (&json, "client", or_null (record->client));
    json_member_text (&json, "method", record->method);
    json_member_text (&json, "path", record->path);
    json_member_text (&json, "subject", or_null (record->subject));
    json_member_integer (&json, "status", record->status);
    json_member_text (&json, "outcome", outcome_of (record->status));
    json_close_object (&json);
    buffer_text (out, "\n");
}

void
audit_note (audit_t *self, const audit_record_t *record)
{
    buffer_t line = {0};

    metric_increment (self->records);
    log_write (LOG_LEVEL_INFO, NULL, "audit",
               (log_field_t []){
                   LOG_TEXT ("action", record->action), LOG_TEXT ("user", record->user),
                   LOG_TEXT ("role", record->role), LOG_TEXT ("client", record->client),
                   LOG_TEXT ("method", record->method), LOG_TEXT ("path", record->path),
                   LOG_TEXT ("subject", record->subject), LOG_INTEGER ("status", record->status),
                   LOG_TEXT ("outcome", outcome_of (record->status)), LOG_END});
    if (!*self->path) {
        return;
    }
    write_record (self, record, &line);
    if (buffer_failed (&line) || self->queue.size + line.size > self->queue_max ||
        !buffer_reserve (&self->queue, line.size)) {
        metric_increment (self->dropped);
    } else {
        buffer_append (&self->queue, line.data, line.size);
    }
    buffer_clear (&line);
}

bool
audit_is_well (const audit_t *self, reason_t *why)
{
    if (self->error) {
        reason_set (why, -self->error, "the audit log cannot be written: %s",
                    strerror (self->error));
    }
    return self->error == 0;
}

//  --- its life

audit_t *
audit_new (loop_t *loop, const char *path, int64_t queue_max_bytes, metrics_t *metrics,
           reason_t *why)
{
    _cleanup_ (audit_destroy) audit_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->fd = -1;
    self->loop = loop;
    self->path = path;
    self->queue_max = (size_t) queue_max_bytes;
    self->records = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_audit_records_total",
                                 "Commands that were recorded, refused ones too");
    self->dropped =
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_audit_dropped_total",
                     "Records that audit_log lacks: audit_queue_max_bytes were waiting");
    self->failures = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_audit_failures_total",
                                  "Attempts to write or to open audit_log that failed");
    self->queued = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_gateway_audit_queued_bytes",
                                "Bytes of records that are not in audit_log yet");
    if (!(self->retry = loop_timer_new (loop, on_retry, self))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    if (*path && (self->fd = open_file (self)) < 0) {
        reason_set (why, -errno, "audit_log: %s: %s", path, strerror (errno));
        return NULL;
    }
    if (*path) {
        loop_on_turn_end (loop, on_turn_end, self);
        loop_on_reload (loop, on_reload, self);
    }
    return take_ptr (self);
}

void
audit_destroy (audit_t **self_p)
{
    assert (self_p);
    audit_t *self = *self_p;

    if (self) {
        loop_forget (self->loop, self);
        self->waits = false;
        if (self->retry) {
            write_queue (self);  //  what the last turn brought
        }
        loop_timer_destroy (&self->retry);
        if (self->queue.size > 0) {
            log_error ("records of the audit log are lost",
                       LOG_INTEGER ("bytes", self->queue.size));
        }
        descriptor_close (&self->fd);
        buffer_clear (&self->queue);
        free (self);
        *self_p = NULL;
    }
}

// SPDX-License-Identifier: MIT

#include "cml_socket.h"

#include "../../common/cleanup.h"
#include "cml_upgrade.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <wslay/wslay.h>

#define SOCKET_MAGIC   0xc3150c4eu
#define TURN_BYTES_MAX ((size_t) 256 * 1024)
#define PINGS_IN_IDLE  3
#define QUEUED_MAX     64    //  control frames that the other side does not fetch
#define CLOSE_LOGIN    3000  //  reference apis.md, CML
#define HTTP_NOT_FOUND 404
#define HTTP_GONE      410
#define HTTP_NO_METHOD 405

typedef enum stage { CONNECTING, UPGRADING, OPEN, ENDING } stage_t;

struct cml_socket {
    unsigned magic;
    stage_t stage;
    loop_t *loop;       //  borrowed
    http_call_t *call;  //  null when libcurl has ended it
    int fd;             //  libcurl's; -1: not watched
    loop_timer_t *timer;
    loop_timer_t *more;  //  what TLS has read ahead, and the end
    wslay_event_context_ptr frames;
    buffer_t out;   //  of the upgrade, as far as it is not sent
    buffer_t head;  //  its answer; then what came with it and belongs to the frames
    size_t head_taken;
    char key [CML_UPGRADE_KEY_SIZE], host [300], path [64];
    int64_t upgrade_ms;
    time_us_t idle_us, heard;  //  heard: steady
    size_t turn_left;
    bool cut;  //  the other side has ended the connection
    cml_socket_end_t end;
    reason_t why;
    cml_socket_events_t events;
    void *argument;
};

const char *
cml_socket_end_name (cml_socket_end_t end)
{
    static const char *const NAMES [] = {
#define CML_SOCKET_NAME(symbol, name) [CML_SOCKET_##symbol] = (name),
        CML_SOCKET_ENDS (CML_SOCKET_NAME)
#undef CML_SOCKET_NAME
    };
    return NAMES [end];
}

//  The first end is the one that is told, later, when nothing of ours is on the stack.
static void
end_it (cml_socket_t *self, cml_socket_end_t end, const char *why)
{
    if (self->stage != ENDING) {
        self->stage = ENDING;
        self->end = end;
        (void) reason_set (&self->why, -1, "%s: %s", self->host, why);
        if (self->fd >= 0) {
            loop_unwatch (self->loop, self->fd);
            self->fd = -1;
        }
        loop_timer_stop (self->timer);
        loop_timer_after (self->more, 0);
    }
}

//  --- bytes, for wslay

static ssize_t
read_bytes (cml_socket_t *self, void *bytes, size_t size)
{
    size = size < self->turn_left ? size : self->turn_left;
    if (size == 0) {
        loop_timer_after (self->more, 0);
        return -EAGAIN;
    }
    ssize_t got = http_call_read (self->call, bytes, size);
    if (got > 0) {
        self->turn_left -= (size_t) got;
        self->heard = loop_now (self->loop).steady;
    }
    self->cut = self->cut || got == 0 || (got < 0 && got != -EAGAIN);
    return got;
}

static ssize_t
on_recv (wslay_event_context_ptr frames, uint8_t *bytes, size_t size, int flags, void *argument)
{
    cml_socket_t *self = argument;
    size_t ahead = self->head.size - self->head_taken;

    (void) flags;
    if (ahead > 0) {
        size = size < ahead ? size : ahead;
        memcpy (bytes, self->head.data + self->head_taken, size);
        self->head_taken += size;
        return (ssize_t) size;
    }
    ssize_t got = read_bytes (self, bytes, size);
    if (got > 0) {
        return got;
    }
    wslay_event_set_error (frames,
                           got == -EAGAIN ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t
on_send (wslay_event_context_ptr frames, const uint8_t *bytes, size_t size, int flags,
         void *argument)
{
    cml_socket_t *self = argument;
    ssize_t sent = http_call_write (self->call, bytes, size);

    (void) flags;
    if (sent > 0) {
        return sent;
    }
    wslay_event_set_error (frames, sent == 0 || sent == -EAGAIN ? WSLAY_ERR_WOULDBLOCK
                                                                : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

//  Masks are to be unpredictable (RFC 6455 section 10.3).
static int
on_mask (wslay_event_context_ptr frames, uint8_t *bytes, size_t size, void *argument)
{
    (void) argument;
    if (getrandom (bytes, size, GRND_NONBLOCK) == (ssize_t) size) {
        return 0;
    }
    wslay_event_set_error (frames, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void
on_message (wslay_event_context_ptr frames, const struct wslay_event_on_msg_recv_arg *message,
            void *argument)
{
    cml_socket_t *self = argument;

    (void) frames;
    if (!wslay_is_ctrl_frame (message->opcode) && self->stage == OPEN) {
        self->events.message (self->argument, message->msg, message->msg_length);
    }
}

//  --- frames

static void
end_closed (cml_socket_t *self)
{
    int code = wslay_event_get_status_code_received (self->frames);
    char why [64];

    snprintf (why, sizeof why, "closed by the server with code %d", code);
    end_it (self, code == CLOSE_LOGIN ? CML_SOCKET_LOGIN : CML_SOCKET_CLOSED, why);
}

//  wslay has found a fault, of which the code that it wants to close with is all it says.
static void
end_faulty (cml_socket_t *self)
{
    bool is_large = wslay_event_get_status_code_sent (self->frames) == WSLAY_CODE_MESSAGE_TOO_BIG;

    end_it (self, is_large ? CML_SOCKET_TOO_LARGE : CML_SOCKET_PROTOCOL,
            is_large ? "a message over the bound" : "frames that are not WebSocket's");
}

static void on_descriptor (void *argument, uint32_t events);

static void
watch_for (cml_socket_t *self, bool writes)
{
    uint32_t events = EPOLLIN | (writes ? (uint32_t) EPOLLOUT : 0);

    if (loop_watch (self->loop, self->fd, events, on_descriptor, self) < 0) {
        end_it (self, CML_SOCKET_UNREACHABLE, "its descriptor cannot be watched");
    }
}

static void
flush (cml_socket_t *self)
{
    bool failed = wslay_event_send (self->frames) < 0;

    if (wslay_event_get_close_received (self->frames)) {
        end_closed (self);
    } else if (!wslay_event_get_read_enabled (self->frames) && !self->cut) {
        end_faulty (self);
    } else if (failed || self->cut) {
        end_it (self, CML_SOCKET_CUT, "the connection ended without a word");
    } else if (wslay_event_get_queued_msg_count (self->frames) > QUEUED_MAX) {
        end_it (self, CML_SOCKET_PROTOCOL, "it pings and does not read");
    } else {
        watch_for (self, wslay_event_want_write (self->frames));
    }
}

static void
exchange (cml_socket_t *self)
{
    self->turn_left = TURN_BYTES_MAX;
    (void) wslay_event_recv (self->frames);  //  what is wrong shows in flush
    flush (self);
}

//  --- the upgrade

static void
open_frames (cml_socket_t *self)
{
    loop_timer_every (self->timer, self->idle_us / PINGS_IN_IDLE);
    self->stage = OPEN;
    self->heard = loop_now (self->loop).steady;
    self->events.opened (self->argument);
    exchange (self);  //  frames may have come with the answer
}

static void
read_answer (cml_socket_t *self)
{
    cml_upgraded_t head;
    reason_t why = {0};

    switch (cml_upgrade_read (self->head.data ? self->head.data : "", self->head.size, self->key,
                              &head, &why)) {
    case CML_UPGRADE_MORE: return;
    case CML_UPGRADE_BROKEN: end_it (self, CML_SOCKET_HANDSHAKE, why.text); return;
    case CML_UPGRADE_REFUSED: {
        bool is_absent = head.status == HTTP_NOT_FOUND || head.status == HTTP_GONE ||
                         head.status == HTTP_NO_METHOD;
        end_it (self, is_absent ? CML_SOCKET_ABSENT : CML_SOCKET_REFUSED, why.text);
        return;
    }
    case CML_UPGRADE_DONE: self->head_taken = head.size; open_frames (self);
    }
}

static void
send_question (cml_socket_t *self)
{
    while (self->out.size > 0) {
        ssize_t sent = http_call_write (self->call, self->out.data, self->out.size);
        if (sent == -EAGAIN || sent == 0) {
            break;
        }
        if (sent < 0) {
            end_it (self, CML_SOCKET_CUT, "the connection ended during the upgrade");
            return;
        }
        self->out.size -= (size_t) sent;
        memmove (self->out.data, self->out.data + sent, self->out.size);
    }
    watch_for (self, self->out.size > 0);
}

static void
upgrade (cml_socket_t *self)
{
    self->turn_left = TURN_BYTES_MAX;
    while (self->stage == UPGRADING) {
        char *place = buffer_reserve (&self->head, CML_UPGRADE_ANSWER_MAX);
        ssize_t got = place ? read_bytes (self, place, CML_UPGRADE_ANSWER_MAX) : -ENOMEM;
        if (got == -EAGAIN) {
            send_question (self);
            return;
        }
        if (got <= 0) {
            end_it (self, CML_SOCKET_CUT, "the connection ended during the upgrade");
            return;
        }
        self->head.size += (size_t) got;
        read_answer (self);
    }
}

//  --- what happens

static void
go_on (cml_socket_t *self)
{
    if (self->stage == UPGRADING) {
        upgrade (self);
    } else if (self->stage == OPEN) {
        exchange (self);
    }
}

static void
on_descriptor (void *argument, uint32_t events)
{
    cml_socket_t *self = argument;
    assert (self->magic == SOCKET_MAGIC);

    (void) events;
    go_on (self);
}

//  The last thing in a turn that touches the socket: its owner may destroy it.
static void
on_more (void *argument)
{
    cml_socket_t *self = argument;
    assert (self->magic == SOCKET_MAGIC);

    if (self->stage == ENDING) {
        self->events.ended (self->argument, self->end, self->why.text);
        return;
    }
    go_on (self);
}

static void
ping (cml_socket_t *self)
{
    const struct wslay_event_msg message = {.opcode = WSLAY_PING};

    (void) wslay_event_queue_msg (self->frames, &message);
    flush (self);
}

static void
on_timer (void *argument)
{
    cml_socket_t *self = argument;
    assert (self->magic == SOCKET_MAGIC);
    char why [64];

    if (self->stage == UPGRADING) {
        end_it (self, CML_SOCKET_TIMEOUT, "no answer to the upgrade in time");
    } else if (loop_now (self->loop).steady - self->heard >= self->idle_us) {
        snprintf (why, sizeof why, "nothing came for %lld ms", (long long) (self->idle_us / MS_US));
        end_it (self, CML_SOCKET_SILENT, why);
    } else {
        ping (self);
    }
}

static cml_socket_end_t
end_of (http_outcome_t outcome)
{
    return outcome == HTTP_TIMED_OUT     ? CML_SOCKET_TIMEOUT
           : outcome == HTTP_TLS_REFUSED ? CML_SOCKET_TLS
                                         : CML_SOCKET_UNREACHABLE;
}

static void
on_connected (void *argument, const http_answer_t *answer)
{
    cml_socket_t *self = argument;
    assert (self->magic == SOCKET_MAGIC && self->stage == CONNECTING);
    unsigned char nonce [CML_UPGRADE_NONCE];

    if (answer->outcome != HTTP_ANSWERED) {
        self->call = NULL;
        end_it (self, end_of (answer->outcome), answer->why.text);
        return;
    }
    if (getrandom (nonce, sizeof nonce, GRND_NONBLOCK) != sizeof nonce ||
        cml_upgrade_key (nonce, self->key) < 0) {
        end_it (self, CML_SOCKET_UNREACHABLE, "no random key");
        return;
    }
    self->stage = UPGRADING;
    self->fd = http_call_descriptor (self->call);
    cml_upgrade_write (&self->out, self->host, self->path, self->key);
    loop_timer_after (self->timer, self->upgrade_ms * MS_US);
    send_question (self);
}

//  --- life

int
cml_socket_send (cml_socket_t *self, const void *text, size_t size)
{
    const struct wslay_event_msg message = {WSLAY_TEXT_FRAME, text, size};

    if (self->stage != OPEN) {
        return -EPIPE;
    }
    int rc = wslay_event_queue_msg (self->frames, &message);
    if (rc == 0) {
        loop_timer_after (self->more, 0);
    }
    return rc == 0 ? 0 : rc == WSLAY_ERR_NOMEM ? -ENOMEM : -EPIPE;
}

static int
make_parts (cml_socket_t *self, size_t message_max)
{
    static const struct wslay_event_callbacks CALLBACKS = {
        .recv_callback = on_recv,
        .send_callback = on_send,
        .genmask_callback = on_mask,
        .on_msg_recv_callback = on_message,
    };

    self->timer = loop_timer_new (self->loop, on_timer, self);
    self->more = loop_timer_new (self->loop, on_more, self);
    if (!self->timer || !self->more ||
        wslay_event_context_client_init (&self->frames, &CALLBACKS, self) < 0) {
        return -ENOMEM;
    }
    wslay_event_config_set_max_recv_msg_length (self->frames, message_max);
    return 0;
}

cml_socket_t *
cml_socket_new (loop_t *loop, http_client_t *http, const http_request_t *request,
                const cml_socket_settings_t *settings, const cml_socket_events_t *events,
                void *argument, reason_t *why)
{
    _cleanup_ (cml_socket_destroy) cml_socket_t *self = calloc (1, sizeof *self);
    http_request_t connect = *request;

    if (!self) {
        (void) reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->magic = SOCKET_MAGIC;
    self->loop = loop;
    self->fd = -1;
    self->upgrade_ms = settings->upgrade_ms;
    self->idle_us = settings->idle_ms * MS_US;
    self->events = *events;
    self->argument = argument;
    snprintf (self->host, sizeof self->host, "%s", settings->host);
    snprintf (self->path, sizeof self->path, "%s", settings->path);
    if (make_parts (self, settings->message_max) < 0) {
        (void) reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    connect.connect_only = true;
    self->call = http_client_send (http, &connect, on_connected, self, why);
    return self->call ? take_ptr (self) : NULL;
}

static void
say_goodbye (cml_socket_t *self)
{
    if (self->stage == OPEN &&
        wslay_event_queue_close (self->frames, WSLAY_CODE_GOING_AWAY, NULL, 0) == 0) {
        (void) wslay_event_send (self->frames);
    }
}

void
cml_socket_destroy (cml_socket_t **self_p)
{
    assert (self_p);

    cml_socket_t *self = *self_p;
    if (self) {
        say_goodbye (self);
        if (self->fd >= 0) {
            loop_unwatch (self->loop, self->fd);
        }
        if (self->call) {
            http_call_cancel (&self->call);
        }
        if (self->frames) {
            wslay_event_context_free (self->frames);
        }
        loop_timer_destroy (&self->more);
        loop_timer_destroy (&self->timer);
        buffer_clear (&self->head);
        buffer_clear (&self->out);
        self->magic = 0;
        free (self);
        *self_p = NULL;
    }
}

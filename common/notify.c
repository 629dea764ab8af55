// notify.c - see notify.h.
//
// SPDX-License-Identifier: MIT

#include "notify.h"

#include "cleanup.h"
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LOOK_US     (100 * MS_US)     //  how often, until it is ready
#define LOOK_LATER  (5 * SECOND_US)   //  and then, for STATUS=
#define SAY_US      SECOND_US         //  between two EXTEND_TIMEOUT_USEC
#define EXTEND_US   (30 * SECOND_US)  //  a start that is silent for so long hangs
#define STATUS_SIZE 600

struct notify {
    loop_t *loop;
    loop_timer_t *timer;
    admin_ready_fn *ready;
    void *argument;
    int fd;                 //  -1: nobody listens
    time_us_t watchdog_us;  //  0: nobody waits for it
    bool said_ready, reloading;
    time_us_t said_at;          //  steady, of the last EXTEND_TIMEOUT_USEC
    char status [STATUS_SIZE];  //  as last said
};

//  What a datagram will hold; it never fills up, for STATUS_SIZE bounds the only long line.
typedef struct message {
    char text [STATUS_SIZE + 200];
    size_t size;
} message_t;

static void add (message_t *message, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

static void
add (message_t *message, const char *format, ...)
{
    va_list arguments;

    va_start (arguments, format);
    int size = vsnprintf (message->text + message->size, sizeof message->text - message->size,
                          format, arguments);
    va_end (arguments);
    assert (size >= 0 && message->size + (size_t) size < sizeof message->text);
    message->size += (size_t) size;
}

static bool
say (const notify_t *self, const message_t *message)
{
    return send (self->fd, message->text, message->size, MSG_NOSIGNAL) == (ssize_t) message->size;
}

static void
write_status (const notify_t *self, bool ready, const reason_t *why, char status [STATUS_SIZE])
{
    bool ending = loop_is_draining (self->loop);

    snprintf (status, STATUS_SIZE, "%s%s",
              ending  ? "ending"
              : ready ? "ready"
                      : "not ready: ",
              ending || ready ? "" : why->text);
    for (char *c = status; *c; c++) {
        *c = (unsigned char) *c < ' ' ? ' ' : *c;  //  a line is an assignment
    }
}

static void
schedule (notify_t *self)
{
    time_us_t next = self->said_ready && !self->reloading ? LOOK_LATER : LOOK_US;

    if (self->watchdog_us > 0 && self->watchdog_us / 2 < next) {
        next = self->watchdog_us / 2;
    }
    loop_timer_after (self->timer, next);
}

static void
on_timer (void *argument)
{
    notify_t *self = argument;
    reason_t why = {0};
    message_t message = {.size = 0};
    char status [STATUS_SIZE];
    time_us_t now = loop_now (self->loop).steady;
    bool ready = self->ready (self->argument, &why);
    bool begins =
        !loop_is_draining (self->loop) && (self->reloading || (ready && !self->said_ready));
    bool waits = !begins && !self->said_ready && now - self->said_at >= SAY_US;

    write_status (self, ready, &why, status);
    if (begins) {
        add (&message, "READY=1\n");
    }
    if (waits) {
        add (&message, "EXTEND_TIMEOUT_USEC=%" PRId64 "\n", (int64_t) EXTEND_US);
    }
    if (self->watchdog_us > 0) {
        add (&message, "WATCHDOG=1\n");
    }
    if (strcmp (status, self->status) != 0) {
        add (&message, "STATUS=%s\n", status);
    }
    if (message.size > 0 && say (self, &message)) {
        self->said_ready |= begins;
        self->reloading &= !begins;
        self->said_at = waits ? now : self->said_at;
        memcpy (self->status, status, sizeof status);
    }
    schedule (self);
}

//  The parts read their settings in this turn, the collectors in a timer of it; the next
//  tick, which says that it is done, comes after.
static void
on_reload (void *argument)
{
    notify_t *self = argument;
    message_t message = {.size = 0};

    if (self->said_ready && !loop_is_draining (self->loop)) {
        add (&message, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n", clock_now ().steady);
        self->reloading = say (self, &message);
        loop_timer_after (self->timer, MS_US);
    }
}

static void
on_drain (void *argument)
{
    const notify_t *self = argument;
    message_t message = {.size = 0};

    add (&message, "STOPPING=1\nSTATUS=ending\n");
    (void) say (self, &message);
}

//  A path, or a name of the abstract name space, which begins with '@'. -1: nobody listens.
static int
open_socket (const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = name ? strlen (name) : 0;

    if (size == 0) {
        return -1;
    }
    if ((*name != '/' && *name != '@') || size < 2 || size >= sizeof address.sun_path) {
        log_warn ("NOTIFY_SOCKET is no socket's name", LOG_TEXT ("name", name));
        return -1;
    }
    memcpy (address.sun_path, name, size);
    address.sun_path [0] = *name == '@' ? '\0' : *name;
    _cleanup_ (descriptor_close) int fd =
        socket (AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t length = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + size);
    if (fd < 0 || connect (fd, (const struct sockaddr *) &address, length) != 0) {
        log_warn ("systemd's socket cannot be reached", LOG_TEXT ("name", name),
                  LOG_TEXT ("reason", strerror (errno)));
        return -1;
    }
    int taken = fd;
    fd = -1;
    return taken;
}

//  Of this process, as sd_watchdog_enabled(3) looks at it; 0 when nobody waits.
static time_us_t
watchdog_of (const char *period, const char *pid)
{
    long long us = period ? strtoll (period, NULL, 10) : 0;
    bool is_ours = !pid || strtoll (pid, NULL, 10) == getpid ();

    return is_ours && us > 0 ? us : 0;
}

notify_t *
notify_new (loop_t *loop, admin_ready_fn *ready, void *argument)
{
    _cleanup_ (notify_destroy) notify_t *self = calloc (1, sizeof *self);

    if (!self) {
        return NULL;
    }
    self->fd = -1;
    self->loop = loop;
    self->ready = ready;
    self->argument = argument;
    self->said_at = -SAY_US;
    self->fd = open_socket (getenv ("NOTIFY_SOCKET"));
    self->watchdog_us = watchdog_of (getenv ("WATCHDOG_USEC"), getenv ("WATCHDOG_PID"));
    unsetenv ("NOTIFY_SOCKET");
    unsetenv ("WATCHDOG_USEC");
    unsetenv ("WATCHDOG_PID");
    if (!(self->timer = loop_timer_new (loop, on_timer, self))) {
        return NULL;
    }
    if (self->fd >= 0) {
        loop_on_reload (loop, on_reload, self);
        loop_on_drain (loop, on_drain, self);
        loop_timer_after (self->timer, 0);
    }
    return take_ptr (self);
}

void
notify_destroy (notify_t **self_p)
{
    assert (self_p);
    notify_t *self = *self_p;

    if (self) {
        loop_forget (self->loop, self);
        loop_timer_destroy (&self->timer);
        descriptor_close (&self->fd);
        free (self);
        *self_p = NULL;
    }
}

// loop.c - see loop.h. Descriptors and signals; timers are loop_timer.c's.
//
// A watch lives on the heap and its address is epoll's data. One that is taken back while its
// descriptor may still stand in the batch at hand is only marked dead, and freed when the turn
// is over: so any handler may unwatch anything.
//
// SPDX-License-Identifier: MIT

#include "loop.h"

#include "log.h"
#include "loop_timer.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define LOOP_HANDLERS_MAX 32
#define SOCKETS_MAX       16
#define EVENTS_MAX        512
#define SLEEP_MOST_MS     60000

typedef struct watch {
    int fd;
    loop_fd_fn *fn;
    void *argument;
    bool dead;
    struct watch *next_dead;
} watch_t;

typedef struct handler {
    loop_fn *fn;
    void *argument;
} handler_t;

typedef struct handlers {
    handler_t rows [LOOP_HANDLERS_MAX];
    size_t count;
    int calling;  //  rows keep their places meanwhile
} handlers_t;

typedef struct watched_socket {
    zsock_t *socket;
    loop_fn *fn;
    void *argument;
} watched_socket_t;

struct loop {
    int epoll_fd;
    int signal_fd;
    moment_t now;
    loop_timers_t timers;
    watch_t **watches;  //  by descriptor
    size_t watches_size;
    watch_t *dead;
    watched_socket_t sockets [SOCKETS_MAX];
    size_t sockets_count;
    handlers_t turn_end, drain, reload;
    int holds;
    int64_t drain_ms;
    bool draining, ended, late;
    loop_timer_t *deadline;
};

static void
on_deadline (void *argument)
{
    loop_t *self = argument;
    self->ended = true;
    self->late = true;
}

static int
open_signals (void)
{
    sigset_t wanted;

    sigemptyset (&wanted);
    sigaddset (&wanted, SIGINT);
    sigaddset (&wanted, SIGTERM);
    sigaddset (&wanted, SIGHUP);
    sigprocmask (SIG_BLOCK, &wanted, NULL);
    signal (SIGPIPE, SIG_IGN);
    return signalfd (-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
}

//  Takes out the rows that were forgotten.
static void
close_gaps (handlers_t *handlers)
{
    size_t kept = 0;

    for (size_t i = 0; i < handlers->count; i++) {
        if (handlers->rows [i].fn) {
            handlers->rows [kept++] = handlers->rows [i];
        }
    }
    handlers->count = kept;
}

static void
call_all (handlers_t *handlers)
{
    handlers->calling++;
    for (size_t i = 0; i < handlers->count; i++) {
        if (handlers->rows [i].fn) {
            handlers->rows [i].fn (handlers->rows [i].argument);
        }
    }
    if (--handlers->calling == 0) {
        close_gaps (handlers);
    }
}

void
loop_drain (loop_t *self)
{
    if (self->draining) {
        self->ended = true;
        return;
    }
    self->draining = true;
    log_info ("draining");
    loop_timer_after (self->deadline, self->drain_ms * MS_US);
    call_all (&self->drain);
}

static void
on_signal (void *argument, uint32_t events)
{
    loop_t *self = argument;
    struct signalfd_siginfo signal;

    (void) events;
    while (read (self->signal_fd, &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo == SIGHUP) {
            call_all (&self->reload);
        } else {
            loop_drain (self);
        }
    }
}

loop_t *
loop_new (int64_t drain_ms)
{
    loop_t *self = calloc (1, sizeof *self);
    if (!self) {
        return NULL;
    }
    zsys_handler_set (NULL);  //  czmq would take SIGINT and SIGTERM for itself (traps 5)
    self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
    self->signal_fd = open_signals ();
    self->drain_ms = drain_ms;
    self->now = clock_now ();
    self->deadline = loop_timer_new (self, on_deadline, self);
    if (self->epoll_fd < 0 || self->signal_fd < 0 || !self->deadline ||
        loop_watch (self, self->signal_fd, EPOLLIN, on_signal, self) < 0) {
        loop_destroy (&self);
    }
    return self;
}

static void
free_dead (loop_t *self)
{
    for (watch_t *watch = self->dead, *next; watch; watch = next) {
        next = watch->next_dead;
        free (watch);
    }
    self->dead = NULL;
}

void
loop_destroy (loop_t **self_p)
{
    assert (self_p);
    loop_t *self = *self_p;

    if (!self) {
        return;
    }
    loop_timer_destroy (&self->deadline);
    loop_timers_clear (&self->timers);
    for (size_t fd = 0; fd < self->watches_size; fd++) {
        free (self->watches [fd]);
    }
    free_dead (self);
    free (self->watches);
    if (self->epoll_fd >= 0) {
        close (self->epoll_fd);
    }
    if (self->signal_fd >= 0) {
        close (self->signal_fd);
    }
    free (self);
    *self_p = NULL;
}

moment_t
loop_now (const loop_t *self)
{
    return self->now;
}

loop_timers_t *
loop_timers (loop_t *self)
{
    return &self->timers;
}

static int
room_for (loop_t *self, int fd)
{
    size_t size = self->watches_size ? self->watches_size : 64;

    while (size <= (size_t) fd) {
        size *= 2;
    }
    if (size == self->watches_size) {
        return 0;
    }
    watch_t **watches = realloc (self->watches, size * sizeof (watch_t *));
    if (!watches) {
        return -ENOMEM;
    }
    memset (watches + self->watches_size, 0, (size - self->watches_size) * sizeof (watch_t *));
    self->watches = watches;
    self->watches_size = size;
    return 0;
}

int
loop_watch (loop_t *self, int fd, uint32_t epoll_events, loop_fd_fn *fn, void *argument)
{
    assert (fd >= 0);
    if (room_for (self, fd) < 0) {
        return -ENOMEM;
    }
    watch_t *watch = self->watches [fd];
    bool known = watch != NULL;
    if (!known && !(watch = calloc (1, sizeof *watch))) {
        return -ENOMEM;
    }
    watch->fd = fd;
    watch->fn = fn;
    watch->argument = argument;
    struct epoll_event event = {.events = epoll_events, .data.ptr = watch};
    if (epoll_ctl (self->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
        int rc = -errno;
        if (!known) {
            free (watch);
        }
        return rc;
    }
    self->watches [fd] = watch;
    return 0;
}

void
loop_unwatch (loop_t *self, int fd)
{
    watch_t *watch = fd >= 0 && (size_t) fd < self->watches_size ? self->watches [fd] : NULL;

    if (watch) {
        (void) epoll_ctl (self->epoll_fd, EPOLL_CTL_DEL, fd, NULL);  //  it may be closed already
        self->watches [fd] = NULL;
        watch->dead = true;
        watch->next_dead = self->dead;
        self->dead = watch;
    }
}

//  The edge wakes epoll; whether there is input is asked of the socket after each turn.
static void
on_edge (void *argument, uint32_t events)
{
    (void) argument;
    (void) events;
}

int
loop_watch_socket (loop_t *self, zsock_t *socket, loop_fn *fn, void *argument)
{
    assert (self->sockets_count < SOCKETS_MAX);
    int rc = loop_watch (self, (int) zsock_fd (socket), EPOLLIN | EPOLLET, on_edge, self);

    if (rc == 0) {
        self->sockets [self->sockets_count++] =
            (watched_socket_t){.socket = socket, .fn = fn, .argument = argument};
    }
    return rc;
}

void
loop_unwatch_socket (loop_t *self, zsock_t *socket)
{
    for (size_t i = 0; i < self->sockets_count; i++) {
        if (self->sockets [i].socket == socket) {
            loop_unwatch (self, (int) zsock_fd (socket));
            memmove (self->sockets + i, self->sockets + i + 1,
                     (--self->sockets_count - i) * sizeof *self->sockets);
            return;
        }
    }
}

static void
add_handler (handlers_t *handlers, loop_fn *fn, void *argument)
{
    assert (handlers->count < LOOP_HANDLERS_MAX);
    handlers->rows [handlers->count++] = (handler_t){.fn = fn, .argument = argument};
}

void
loop_on_turn_end (loop_t *self, loop_fn *fn, void *argument)
{
    add_handler (&self->turn_end, fn, argument);
}

void
loop_on_drain (loop_t *self, loop_fn *fn, void *argument)
{
    add_handler (&self->drain, fn, argument);
}

void
loop_on_reload (loop_t *self, loop_fn *fn, void *argument)
{
    add_handler (&self->reload, fn, argument);
}

static void
forget (handlers_t *handlers, const void *argument)
{
    for (size_t i = 0; i < handlers->count; i++) {
        if (handlers->rows [i].argument == argument) {
            handlers->rows [i] = (handler_t){0};
        }
    }
    if (handlers->calling == 0) {
        close_gaps (handlers);
    }
}

void
loop_forget (loop_t *self, void *argument)
{
    forget (&self->turn_end, argument);
    forget (&self->drain, argument);
    forget (&self->reload, argument);
}

void
loop_hold (loop_t *self)
{
    self->holds++;
}

void
loop_release (loop_t *self)
{
    assert (self->holds > 0);
    self->holds--;
}

bool
loop_is_draining (const loop_t *self)
{
    return self->draining;
}

//  A handler may unwatch its own socket, or others: the list is read anew at each step.
static void
serve_sockets (loop_t *self)
{
    for (size_t i = 0; i < self->sockets_count; i++) {
        if (zsock_events (self->sockets [i].socket) & ZMQ_POLLIN) {
            self->sockets [i].fn (self->sockets [i].argument);
        }
    }
}

static bool
has_input (const loop_t *self)
{
    for (size_t i = 0; i < self->sockets_count; i++) {
        if (zsock_events (self->sockets [i].socket) & ZMQ_POLLIN) {
            return true;
        }
    }
    return false;
}

static int
sleep_ms (const loop_t *self, int timeout_ms)
{
    int64_t until = loop_timers_wait_us (&self->timers, clock_now ().steady);
    int64_t ms = until < 0 ? SLEEP_MOST_MS : (until + MS_US - 1) / MS_US;

    if (timeout_ms >= 0 && ms > timeout_ms) {
        ms = timeout_ms;
    }
    //  Sends within a turn eat edges of ZMQ_FD (libzmq's manual): ask before sleeping.
    return ms == 0 || has_input (self) ? 0 : ms > SLEEP_MOST_MS ? SLEEP_MOST_MS : (int) ms;
}

bool
loop_is_wanted (const loop_t *self)
{
    struct pollfd any = {.fd = self->epoll_fd, .events = POLLIN};

    return poll (&any, 1, 0) != 0 || loop_timers_wait_us (&self->timers, clock_now ().steady) == 0;
}

void
loop_turn (loop_t *self, int timeout_ms)
{
    struct epoll_event due [EVENTS_MAX];
    int count = epoll_wait (self->epoll_fd, due, EVENTS_MAX, sleep_ms (self, timeout_ms));

    self->now = clock_now ();
    for (int i = 0; i < count; i++) {
        watch_t *watch = due [i].data.ptr;
        if (!watch->dead) {
            watch->fn (watch->argument, due [i].events);
        }
    }
    loop_timers_fire (&self->timers, self->now.steady);
    serve_sockets (self);
    call_all (&self->turn_end);
    free_dead (self);
}

int
loop_run (loop_t *self)
{
    while (!self->ended && !(self->draining && self->holds == 0)) {
        loop_turn (self, -1);
    }
    return self->late ? 1 : 0;
}

// loop.h - one thread, one epoll, everything a program waits for.
//
// A turn: wait for descriptors, timers, ZeroMQ sockets and signals; call those that
// are due; then call the turn's end (loop_on_turn_end), where a part flushes what the
// turn gathered: one commit, one publish, one wake-up for a burst. Nothing a handler
// does may block.
//
// ZeroMQ's descriptor is edge-triggered and speaks for the whole socket, so the loop
// asks each socket for its events after every turn and does not sleep while one has
// input (libzmq's manual of ZMQ_FD). A handler takes at most its own batch and returns.
//
// Signals: SIGINT, SIGTERM and SIGHUP are blocked and read from a signalfd; czmq's own
// handlers are off (traps 5). SIGTERM or SIGINT starts the drain: every loop_on_drain
// handler is called once; the loop ends when nothing holds it any longer (loop_hold,
// loop_release), or when drain_ms is over, whichever is first. A second one ends it now.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include "clock.h"

#include <czmq.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct loop loop_t;
typedef struct loop_timer loop_timer_t;

typedef void loop_fn (void *argument);
typedef void loop_fd_fn (void *argument, uint32_t epoll_events);

//  Null only when the kernel refuses descriptors or memory; errno says which.
//  Call before any thread starts, for it blocks signals.
loop_t *loop_new (int64_t drain_ms);
void loop_destroy (loop_t **self_p);

//  The clocks as read when this turn woke.
moment_t loop_now (const loop_t *self);

//  Level-triggered watch of a descriptor, which stays the caller's; calling again
//  changes it. May be called from any handler, also to unwatch one that is due in this
//  very turn. 0 or a negative errno.
int loop_watch (loop_t *self, int fd, uint32_t epoll_events, loop_fd_fn *fn, void *argument);
void loop_unwatch (loop_t *self, int fd);

//  Calls fn whenever the socket has input. The socket stays the caller's and must be
//  unwatched before it is destroyed. 0 or a negative errno.
int loop_watch_socket (loop_t *self, zsock_t *socket, loop_fn *fn, void *argument);
void loop_unwatch_socket (loop_t *self, zsock_t *socket);

//  A timer is made once and set as often as needed. It fires once a setting; every()
//  fires again and again, and after a stall once, not once for each missed time.
loop_timer_t *loop_timer_new (loop_t *self, loop_fn *fn, void *argument);
void loop_timer_destroy (loop_timer_t **self_p);
void loop_timer_after (loop_timer_t *self, time_us_t delay_us);
void loop_timer_every (loop_timer_t *self, time_us_t period_us);
void loop_timer_stop (loop_timer_t *self);
bool loop_timer_is_set (const loop_timer_t *self);

//  Of every(), in its handler: it comes more than a period late, for the process stood still. What others said
//  meanwhile may not have been read: who judges their silence waits for the next time. Never twice in a row.
bool loop_timer_stood_still (const loop_timer_t *self);

//  Called, in the order of registration, when all that was due in a turn is done. Up to
//  LOOP_HANDLERS_MAX of each of these; asserts beyond.
void loop_on_turn_end (loop_t *self, loop_fn *fn, void *argument);
void loop_on_drain (loop_t *self, loop_fn *fn, void *argument);
void loop_on_reload (loop_t *self, loop_fn *fn, void *argument);  //  SIGHUP
//  Takes all registrations of this argument back; a part calls it when it is destroyed.
void loop_forget (loop_t *self, void *argument);

//  Whether a descriptor or a timer waits for the next turn: a long work done in pieces at a turn's end
//  asks between them. It costs a tenth of a turn, and does not see what a socket still holds of a
//  batch, so nobody goes on for long.
bool loop_is_wanted (const loop_t *self);

//  A part that still has something to do before the end holds the loop while draining.
void loop_hold (loop_t *self);
void loop_release (loop_t *self);
bool loop_is_draining (const loop_t *self);

//  Starts the drain as SIGTERM does.
void loop_drain (loop_t *self);

//  Runs until drained. 0, or 1 when the drain ran into its deadline.
int loop_run (loop_t *self);

//  One turn that waits at most timeout_ms (0: not at all); for tests.
void loop_turn (loop_t *self, int timeout_ms);

#endif

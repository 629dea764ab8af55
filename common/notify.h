// notify.h - tells systemd how the program is, as sd_notify(3) has it: without libsystemd.
//
// The protocol is a datagram of lines to the Unix socket that $NOTIFY_SOCKET names; where
// there is none, nothing is said. Said are:
//
//   READY=1                 the first time that the program can do its job, as its /readyz
//                           says; and after a reload
//   EXTEND_TIMEOUT_USEC=    each second until then: a start that waits for another process
//                           is no failed one, but one that hangs is
//   STATUS=                 whenever it changes: ready, or what /readyz says is missing
//   WATCHDOG=1              at half of $WATCHDOG_USEC, from the loop's own timer: a loop
//                           that is stuck says nothing, and is killed and started again
//   RELOADING=1             on SIGHUP, with MONOTONIC_USEC, as Type=notify-reload wants it
//   STOPPING=1              when the drain begins
//
// What the socket does not take (its queue is full) is said again at the next tick.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_NOTIFY_H
#define COMMON_NOTIFY_H

#include "admin.h"
#include "loop.h"

typedef struct notify notify_t;

//  ready is the one of /readyz. Takes the variables out of the environment: they are not
//  for the processes that this one starts. Null only when memory is out.
notify_t *notify_new (loop_t *loop, admin_ready_fn *ready, void *argument);
void notify_destroy (notify_t **self_p);

#endif

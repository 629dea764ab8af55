// admin.h - /healthz, /readyz and /metrics of a program that has no other HTTP.
//
// libmicrohttpd in the program's own loop (its epoll descriptor is watched; no thread).
// The gateway answers the same three on its own port with admin_health_write.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_ADMIN_H
#define COMMON_ADMIN_H

#include "buffer.h"
#include "loop.h"
#include "metrics.h"
#include "reason.h"

#include <stdbool.h>

typedef struct admin admin_t;

//  True when the program can do its job now; else why says what is missing. Called for
//  each /readyz.
typedef bool admin_ready_fn (void *argument, reason_t *why);

//  listen is `host:port`, port 0 for any free one; an IPv6 host in brackets. Null and why
//  (which address, and who is to blame when it is in use).
admin_t *admin_new (loop_t *loop, const char *listen, metrics_t *metrics, admin_ready_fn *ready,
                    void *argument, reason_t *why);
void admin_destroy (admin_t **self_p);
int admin_port (const admin_t *self);

//  The JSON bodies: {"status":"ok","version":…} and {"status":"ready"|"not_ready","reason":…}; why may be
//  null when it is ready, or say what is wrong although it is.
void admin_write_healthz (buffer_t *out);
void admin_write_readyz (buffer_t *out, bool ready, const reason_t *why);

//  A bound, listening, non-blocking socket for `host:port` or `unix:/path`; -1 and why.
int admin_listen (const char *listen, reason_t *why);

#endif

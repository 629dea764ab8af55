// monitor_notice.h - what a gateway says to monitors beside events: whole WebSocket messages.
//
// notice.h is the same for streams. A monitor is told only what it asked for: no greeting, no
// number alone, and a heartbeat only when it subscribed to them.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_MONITOR_NOTICE_H
#define GATEWAY_MONITOR_NOTICE_H

#include "event_page.h"
#include "monitor_message.h"
#include "notice.h"

void monitor_notice_error (buffer_t *out, const char *code, const char *what, const char *request);

//  A subscriber's; and the answer to its own, of which at is null while a state is on its way.
void monitor_notice_heartbeat (buffer_t *out, const event_log_t *log, const heartbeat_t *heartbeat);
void monitor_notice_ack (buffer_t *out, const char *monitor_id, const char *at,
                         const heartbeat_t *heartbeat);

//  What followed the id cannot be told; a full state follows.
void monitor_notice_reset (buffer_t *out, const event_log_t *log, const char *reason,
                           const char *requested);

//  truncated: some before were asked for and are held no more.
typedef struct resync {
    event_page_t page;
    const char *monitor_id;
    bool truncated;
} resync_t;

void monitor_notice_resync (buffer_t *out, const event_log_t *log, const resync_t *resync);

#endif

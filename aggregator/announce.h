// announce.h - which events tell of a change (design.md section 5).
//
// Pure but for the feed it writes to. An event goes out only for what differs; a snapshot is
// not written here (fleet.h). What concerns activity is told apart from the rest, for it comes
// after the snapshot that a new status brings: never a snapshot for an activity event.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_ANNOUNCE_H
#define AGGREGATOR_ANNOUNCE_H

#include "feed.h"

void announce_created (feed_t *feed, const worker_t *worker);
void announce_change (feed_t *feed, const worker_t *worker, const worker_change_t *change);
void announce_activity (feed_t *feed, const worker_t *worker, const worker_change_t *change);
void announce_toggle (feed_t *feed, const worker_t *worker, const char *by);
void announce_lab_state (feed_t *feed, const worker_t *worker, const lab_state_changed_t *seen);

#endif

// webhook.h - alerts told to somebody's URL, signed, in order, until they are taken.
//
// Each is one POST as the Standard Webhooks have it (https://www.standardwebhooks.com, 1.0.0):
// webhook-id is the event's id on the stream, <epoch>-<seq>, by which a receiver knows a second
// copy; webhook-timestamp; webhook-signature `v1,<base64 of HMAC-SHA256 of "id.timestamp.body">`
// when there is a secret. The body is {"type", "timestamp", "data"}, data as on the stream.
//
// One is under way at a time, so they arrive in order. What is not taken (2xx) is tried again with
// growing, random pauses, no sooner than a Retry-After says; 410 ends it at once, as does the last of
// `attempts`: dropped, counted, logged. What waits is bounded (the oldest goes, counted) and kept in
// the store until it was taken: at least once, over a restart too. Nothing is sent that is not
// committed.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_WEBHOOK_H
#define AGGREGATOR_WEBHOOK_H

#include "../common/config.h"
#include "feed.h"

typedef struct webhook webhook_t;

typedef struct webhook_settings {
    char url [CONFIG_TEXT_SIZE];     //  "": none
    char secret [CONFIG_TEXT_SIZE];  //  `whsec_<base64>`, else the text itself; "": unsigned
    int64_t queue_max, attempts, timeout_seconds;
} webhook_settings_t;

// clang-format off
#define WEBHOOK_KEYS(settings_t, member)                                                                                                  \
    {"webhook_url",      CONFIG_SECRET, offsetof (settings_t, member.url),    "", 0, 0, NULL, "http or https URL that alerts are posted to; empty: none. Of many services it is all the secret there is"}, \
    {"webhook_secret",   CONFIG_SECRET, offsetof (settings_t, member.secret), "", 0, 0, NULL, "signs them: whsec_ and base64, or any text; empty: unsigned"}, \
    {"webhook_queue_max", CONFIG_INTEGER, offsetof (settings_t, member.queue_max), "1000", 1, 100000, NULL, "alerts waiting to be taken; beyond it the oldest is dropped and counted"}, \
    {"webhook_attempts", CONFIG_INTEGER, offsetof (settings_t, member.attempts), "12", 1, 100, NULL, "times one is tried, over some half an hour; then it is dropped and counted"}, \
    {"webhook_timeout_seconds", CONFIG_INTEGER, offsetof (settings_t, member.timeout_seconds), "10", 1, 300, NULL, "longest wait for an answer"}
// clang-format on

//  0; or -EINVAL and why.
int webhook_check (const webhook_settings_t *settings, reason_t *why);

//  *self_p stays null when there is no URL. settings is borrowed and stays; so does feed, which says
//  whether all is committed; store may be null. 0, or a negative errno and why.
int webhook_open (webhook_t **self_p, loop_t *loop, const webhook_settings_t *settings,
                  const feed_t *feed, store_t *store, metrics_t *metrics, reason_t *why);
void webhook_destroy (webhook_t **self_p);

//  Of the event that was told last (feed_sequence); data is its data object's text. self may be
//  null: then nothing.
void webhook_tell (webhook_t *self, event_type_t type, time_us_t at, const char *data, size_t size);

#endif

// webhook.c - see webhook.h.
//
// SPDX-License-Identifier: MIT

#include "webhook.h"

#include "../common/cleanup.h"
#include "../common/http_client.h"
#include "../common/log.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PREFIX           "whsec_"
#define MAC_BYTES        32
#define KEY_DIGITS       20
#define ID_SIZE          40
#define HOST_SIZE        128
#define ANSWER_MAX       65536
#define BACKOFF_FIRST_US (2 * SECOND_US)  //  then twice as long each time
#define BACKOFF_MOST_US  (5 * MINUTE_US)
#define RETRY_AFTER_MOST 3600  //  seconds

typedef struct letter {
    char id [ID_SIZE];
    char *body;
} letter_t;

struct webhook {
    loop_t *loop;
    const webhook_settings_t *settings;
    char host [HOST_SIZE];  //  all of the URL that a log may know
    const feed_t *feed;
    store_t *store;
    http_client_t *http;
    http_call_t *call;   //  null: none is under way
    loop_timer_t *next;  //  the oldest is due
    zlistx_t *letters;   //  the oldest first
    gnutls_datum_t key;  //  none: unsigned
    int64_t attempts;    //  of the oldest
    bool failing;        //  the last attempt failed: that is said once
    metrics_t *metrics;
    metric_t *waiting, *delivered;
};

static void
letter_destroy (letter_t **self_p)
{
    letter_t *self = *self_p;

    if (self) {
        free (self->body);
        free (self);
        *self_p = NULL;
    }
}

static letter_t *
letter_new (const char *id, const char *body, size_t size)
{
    letter_t *self = calloc (1, sizeof *self);

    if (self && !(self->body = strndup (body, size))) {
        letter_destroy (&self);
    }
    if (self) {
        snprintf (self->id, sizeof self->id, "%s", id);
    }
    return self;
}

int
webhook_check (const webhook_settings_t *settings, reason_t *why)
{
    bool is_http =
        strncmp (settings->url, "http://", 7) == 0 || strncmp (settings->url, "https://", 8) == 0;
    gnutls_datum_t key = {0};

    if (*settings->url && !is_http) {
        return reason_set (why, -EINVAL,
                           "webhook_url: it begins with neither http:// nor https://");
    }
    if (strncmp (settings->secret, PREFIX, strlen (PREFIX)) != 0) {
        return 0;
    }
    const char *text = settings->secret + strlen (PREFIX);
    gnutls_datum_t base64 = {(unsigned char *) (uintptr_t) text, (unsigned) strlen (text)};
    int rc = gnutls_base64_decode2 (&base64, &key);
    gnutls_free (key.data);
    return rc < 0 ? reason_set (why, -EINVAL,
                                "webhook_secret: what stands behind whsec_ is not base64")
                  : 0;
}

//  --- what waits

static void
store_key (const char *id, char key [ID_SIZE])
{
    const char *dash = strchr (id, '-');

    snprintf (key, ID_SIZE, "%0*" PRIu64, KEY_DIGITS,
              (uint64_t) strtoull (dash ? dash + 1 : "0", NULL, 10));
}

static void
forget (webhook_t *self, letter_t *letter)
{
    char key [ID_SIZE];

    store_key (letter->id, key);
    if (self->store) {
        store_delete (self->store, STORE_LETTERS, key);
    }
    if (zlistx_first (self->letters) == letter) {
        self->attempts = 0;
    }
    zlistx_delete (self->letters, zlistx_find (self->letters, letter));
    metric_set (self->waiting, (double) zlistx_size (self->letters));
}

static void
drop (webhook_t *self, letter_t *letter, const char *reason)
{
    metric_increment (metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_webhook_dropped_total",
                                    "Alerts that the webhook was not told of, by reason",
                                    METRIC_LABELS ("reason", reason)));
    log_error ("the webhook is not told of an alert", LOG_TEXT ("event", letter->id),
               LOG_TEXT ("reason", reason));
    forget (self, letter);
}

static bool
keep (webhook_t *self, const char *id, const char *body, size_t size)
{
    letter_t *letter = letter_new (id, body, size);

    if (!letter || !zlistx_add_end (self->letters, letter)) {
        letter_destroy (&letter);
        return false;
    }
    //  Not the one under way: it may have been taken already.
    while (zlistx_size (self->letters) > (size_t) self->settings->queue_max) {
        letter_t *oldest = zlistx_first (self->letters);
        letter_t *second = self->call ? zlistx_next (self->letters) : NULL;
        oldest = second ? second : oldest;
        assert (oldest && "there is more than none");
        drop (self, oldest, "queue_full");
    }
    metric_set (self->waiting, (double) zlistx_size (self->letters));
    return true;
}

//  --- sending

//  "v1,<base64>", or "" without a secret.
static void
sign (const webhook_t *self, const letter_t *letter, int64_t seconds, char *out, size_t size)
{
    unsigned char mac [MAC_BYTES];
    gnutls_datum_t raw = {mac, sizeof mac}, base64 = {0};
    buffer_t text = {0};

    *out = '\0';
    if (!self->key.data) {
        return;
    }
    buffer_format (&text, "%s.%" PRId64 ".%s", letter->id, seconds, letter->body);
    if (!buffer_failed (&text) &&
        gnutls_hmac_fast (GNUTLS_MAC_SHA256, self->key.data, self->key.size, text.data, text.size,
                          mac) == 0 &&
        gnutls_base64_encode2 (&raw, &base64) == 0) {
        snprintf (out, size, "webhook-signature: v1,%.*s", (int) base64.size, (char *) base64.data);
    }
    gnutls_free (base64.data);
    buffer_clear (&text);
}

static void
count_request (webhook_t *self, const char *outcome)
{
    metric_increment (metrics_with (
        self->metrics, METRIC_COUNTER, "cmlwatch_webhook_requests_total",
        "Requests to the webhook that ended, by outcome", METRIC_LABELS ("outcome", outcome)));
}

static void
plan (webhook_t *self, time_us_t delay)
{
    if (!self->call && zlistx_size (self->letters) > 0) {
        loop_timer_after (self->next, delay);
    }
}

//  Anywhere from nothing to the whole: receivers that were away are not met by all at once.
static time_us_t
backoff (int64_t attempts)
{
    time_us_t most = BACKOFF_FIRST_US;
    uint32_t random = 0;
    ssize_t got = getrandom (&random, sizeof random, GRND_NONBLOCK);

    (void) got;
    for (int64_t i = 1; i < attempts && most < BACKOFF_MOST_US; i++) {
        most *= 2;
    }
    most = most < BACKOFF_MOST_US ? most : BACKOFF_MOST_US;
    return (time_us_t) (random % (uint32_t) most);
}

static void
fail (webhook_t *self, letter_t *letter, const char *why, bool is_final, int64_t retry_after)
{
    if (!self->failing) {
        log_warn ("the webhook does not take an alert", LOG_TEXT ("host", self->host),
                  LOG_TEXT ("event", letter->id), LOG_TEXT ("reason", why));
    }
    self->failing = true;
    if (is_final || self->attempts >= self->settings->attempts) {
        drop (self, letter, is_final ? "gone" : "gave_up");
        plan (self, 0);
        return;
    }
    time_us_t least =
        retry_after < 0 ? 0 : (retry_after < RETRY_AFTER_MOST ? retry_after : RETRY_AFTER_MOST);
    plan (self, least * SECOND_US + backoff (self->attempts));
}

static void
on_answer (void *argument, const http_answer_t *answer)
{
    webhook_t *self = argument;
    letter_t *letter = zlistx_first (self->letters);
    bool answered = answer->outcome == HTTP_ANSWERED;
    char status [16];

    self->call = NULL;
    snprintf (status, sizeof status, "%d", answer->status);
    count_request (self, answered ? status : http_outcome_name (answer->outcome));
    if (!answered || answer->status < 200 || answer->status > 299) {
        fail (self, letter, answered ? status : answer->why.text, answered && answer->status == 410,
              answer->retry_after_seconds);
        return;
    }
    if (self->failing) {
        self->failing = false;
        log_info ("the webhook takes alerts", LOG_TEXT ("host", self->host));
    }
    metric_increment (self->delivered);
    forget (self, letter);
    plan (self, 0);
}

static void
on_next (void *argument)
{
    webhook_t *self = argument;
    letter_t *letter = zlistx_first (self->letters);
    int64_t seconds = loop_now (self->loop).wall / SECOND_US;
    char id [ID_SIZE + 16], timestamp [48], signature [120];
    reason_t why = {0};

    if (!letter || self->call) {
        return;
    }
    if (feed_is_held (self->feed, &why)) {
        plan (self, SECOND_US);
        return;
    }
    snprintf (id, sizeof id, "webhook-id: %s", letter->id);
    snprintf (timestamp, sizeof timestamp, "webhook-timestamp: %" PRId64, seconds);
    sign (self, letter, seconds, signature, sizeof signature);
    const char *headers [] = {"Content-Type: application/json", id, timestamp,
                              *signature ? signature : NULL, NULL};
    http_request_t request = {.method = "POST",
                              .url = self->settings->url,
                              .headers = headers,
                              .body = letter->body,
                              .body_size = strlen (letter->body),
                              .total_ms = self->settings->timeout_seconds * 1000,
                              .answer_max = ANSWER_MAX};
    self->attempts++;
    self->call = http_client_send (self->http, &request, on_answer, self, &why);
    if (!self->call) {
        fail (self, letter, why.text, false, -1);
    }
}

static void
save (const webhook_t *self, const char *id, const buffer_t *body)
{
    char key [ID_SIZE];
    buffer_t row = {0};
    json_writer_t json = json_writer (&row);

    if (self->store && !buffer_failed (body)) {
        store_key (id, key);
        json_open_object (&json);
        json_member_text (&json, "id", id);
        json_member_raw (&json, "body", body->data, body->size);
        json_close_object (&json);
        store_put (self->store, STORE_LETTERS, key, row.data, row.size);
        buffer_clear (&row);
    }
}

void
webhook_tell (webhook_t *self, event_type_t type, time_us_t at, const char *data, size_t size)
{
    char id [ID_SIZE];
    buffer_t body = {0};
    json_writer_t json = json_writer (&body);

    if (!self) {
        return;
    }
    snprintf (id, sizeof id, "%s-%" PRIu64, feed_epoch (self->feed), feed_sequence (self->feed));
    json_open_object (&json);
    json_member_text (&json, "type", event_type_name (type));
    json_member_time (&json, "timestamp", at);
    json_member_raw (&json, "data", data, size);
    json_close_object (&json);
    save (self, id, &body);  //  first: if there is no room for it, it is forgotten again
    if (buffer_failed (&body) || !keep (self, id, body.data, body.size)) {
        log_error ("the webhook is not told of an alert", LOG_TEXT ("event", id),
                   LOG_TEXT ("reason", "out of memory"));
    }
    buffer_clear (&body);
    //  In a turn of its own: by then what was told is committed, or the feed says that it is not.
    if (!loop_timer_is_set (self->next)) {
        plan (self, 0);
    }
}

//  --- its life

static void
restore (void *argument, const char *key, const void *bytes, size_t size)
{
    webhook_t *self = argument;
    _cleanup_ (json_destroy) struct json_object *row = NULL;
    reason_t why = {0};
    buffer_t body = {0};
    json_writer_t json = json_writer (&body);

    const char *id =
        json_parse (&row, bytes, size, size, &why) == 0 ? json_get_text (row, "id") : NULL;
    struct json_object *said = json_get_object (row, "body");
    json_put_tree (&json, said);
    if (!id || !said || buffer_failed (&body) || !keep (self, id, body.data, body.size)) {
        log_warn ("what waited for the webhook cannot be read", LOG_TEXT ("row", key),
                  LOG_TEXT ("reason", why.text));
    }
    buffer_clear (&body);
}

static void
delete_row (void *argument, const char *key, const void *bytes, size_t size)
{
    (void) bytes, (void) size;
    store_delete (argument, STORE_LETTERS, key);
}

//  There is no webhook any more. What waited for it is not to reach the next one, long after.
static int
forget_all (store_t *store, reason_t *why)
{
    size_t waiting = store ? store_count (store, STORE_LETTERS) : 0;

    if (waiting == 0) {
        return 0;
    }
    log_warn ("webhook_url is empty: the alerts that waited for it are not told",
              LOG_INTEGER ("alerts", waiting));
    return store_each (store, STORE_LETTERS, "", delete_row, store, why);
}

//  Neither who logs in there nor what stands behind it.
static void
read_host (webhook_t *self)
{
    const char *from = strstr (self->settings->url, "://") + 3;
    size_t size = strcspn (from, "/?#");
    const char *at = memrchr (from, '@', size);
    const char *host = at ? at + 1 : from;

    snprintf (self->host, sizeof self->host, "%.*s", (int) (from + size - host), host);
}

static int
read_key (webhook_t *self, reason_t *why)
{
    const char *secret = self->settings->secret;
    bool encoded = strncmp (secret, PREFIX, strlen (PREFIX)) == 0;
    const char *text = secret + (encoded ? strlen (PREFIX) : 0);
    gnutls_datum_t datum = {(unsigned char *) (uintptr_t) text, (unsigned) strlen (text)};

    if (encoded) {
        return gnutls_base64_decode2 (&datum, &self->key) < 0 ? webhook_check (self->settings, why)
                                                              : 0;
    }
    if (datum.size > 0 && (self->key.data = gnutls_malloc (datum.size))) {
        memcpy (self->key.data, datum.data, datum.size);
        self->key.size = datum.size;
    }
    return datum.size > 0 && !self->key.data ? reason_set (why, -ENOMEM, "out of memory") : 0;
}

static void
add_metrics (webhook_t *self, metrics_t *metrics)
{
    self->metrics = metrics;
    self->waiting = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_webhook_waiting",
                                 "Alerts that the webhook is yet to take");
    self->delivered = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_webhook_delivered_total",
                                   "Alerts that the webhook has taken");
}

int
webhook_open (webhook_t **self_p, loop_t *loop, const webhook_settings_t *settings,
              const feed_t *feed, store_t *store, metrics_t *metrics, reason_t *why)
{
    if (!*settings->url) {
        return forget_all (store, why);
    }
    _cleanup_ (webhook_destroy) webhook_t *self = calloc (1, sizeof *self);
    if (!self || !(self->next = loop_timer_new (loop, on_next, self)) ||
        !(self->letters = zlistx_new ())) {
        return reason_set (why, -ENOMEM, "webhook: out of memory");
    }
    self->loop = loop;
    self->settings = settings;
    self->feed = feed;
    self->store = store;
    zlistx_set_destructor (self->letters, (zlistx_destructor_fn *) letter_destroy);
    read_host (self);
    add_metrics (self, metrics);
    self->http = http_client_new (loop, 1, metrics, why);
    if (!self->http || read_key (self, why) < 0 ||
        (store && store_each (store, STORE_LETTERS, "", restore, self, why) < 0)) {
        return -EINVAL;
    }
    plan (self, 0);
    *self_p = take_ptr (self);
    return 0;
}

void
webhook_destroy (webhook_t **self_p)
{
    assert (self_p);
    webhook_t *self = *self_p;

    if (self) {
        http_call_cancel (&self->call);
        http_client_destroy (&self->http);
        loop_timer_destroy (&self->next);
        zlistx_destroy (&self->letters);
        if (self->key.data) {
            gnutls_memset (self->key.data, 0, self->key.size);
            gnutls_free (self->key.data);
        }
        free (self);
        *self_p = NULL;
    }
}

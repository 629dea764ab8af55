// issuer.c - see issuer.h.
//
// SPDX-License-Identifier: MIT

#include "issuer.h"

#include "../common/cleanup.h"
#include "../common/json.h"
#include "../common/log.h"
#include "jws.h"
#include "same_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_BYTES_MOST 1048576
#define ASK_AGAIN_US    (10 * SECOND_US)
#define FILE_PERIOD_US  (2 * SECOND_US)
#define PATH_SIZE       64
#define EXPIRES_MOST    253402300799  //  year 9999: beyond, a number is no time

struct issuer {
    issuer_settings_t settings;
    unsigned algorithms;
    loop_t *loop;
    loop_timer_t *timer;
    http_client_t *client;
    http_call_t *call;
    time_us_t asked_at;  //  steady; 0: never
    struct stat seen;    //  of the file, when it was read
    jws_keys_t *keys;    //  null: none yet
    metric_t *loaded, *failed, *held;
};

DEFINE_CLEANUP (file_close, FILE *, fclose)

static bool
is_url (const issuer_settings_t *settings)
{
    return strncmp (settings->keys, "https://", 8) == 0 ||
           strncmp (settings->keys, "http://", 7) == 0;
}

int
issuer_check (const issuer_settings_t *settings, reason_t *why)
{
    unsigned algorithms = jws_algorithms (settings->algorithms, why);

    if (algorithms == 0) {
        return -EINVAL;
    }
    if (!*settings->issuer || !*settings->audience || !*settings->keys) {
        return reason_set (why, -EINVAL,
                           "auth = jwt wants jwt_issuer, jwt_audience and jwt_keys, the file or "
                           "URL of the issuer's key set");
    }
    if ((algorithms & JWS_HS256) && is_url (settings)) {
        return reason_set (why, -EINVAL,
                           "jwt_algorithms: the key of HS256 is a secret, and no "
                           "secret is got from a URL; name a file in jwt_keys");
    }
    return 0;
}

//  --- keys

static void
take_keys (issuer_t *self, const char *text)
{
    reason_t why = {0};
    jws_keys_t *keys = jws_keys_new (text, &why);

    if (!keys) {
        metric_increment (self->failed);
        log_error ("key set refused, the last one stays", LOG_TEXT ("keys", self->settings.keys),
                   LOG_TEXT ("reason", why.text));
        return;
    }
    jws_keys_destroy (&self->keys);
    self->keys = keys;
    metric_increment (self->loaded);
    metric_set (self->held, (double) jws_keys_count (keys));
}

static int
read_file (issuer_t *self, reason_t *why)
{
    _cleanup_ (file_close) FILE *file = fopen (self->settings.keys, "re");
    buffer_t text = {0};
    struct stat now;

    if (!file || fstat (fileno (file), &now) < 0) {
        return reason_set (why, -errno, "jwt_keys: %s: %s", self->settings.keys, strerror (errno));
    }
    if (same_file (&now, &self->seen)) {
        return 0;
    }
    if (now.st_size > KEYS_BYTES_MOST) {
        return reason_set (why, -E2BIG, "jwt_keys: %s has over %d bytes", self->settings.keys,
                           KEYS_BYTES_MOST);
    }
    self->seen = now;
    char *place = buffer_reserve (&text, KEYS_BYTES_MOST);
    size_t size = place ? fread (place, 1, KEYS_BYTES_MOST - 1, file) : 0;
    if (place) {
        place [size] = '\0';
        text.size += size;
        take_keys (self, text.data);
    }
    buffer_clear (&text);
    return 0;
}

static void
on_answer (void *argument, const http_answer_t *answer)
{
    issuer_t *self = argument;

    self->call = NULL;
    if (answer->outcome == HTTP_ANSWERED && answer->status == 200) {
        take_keys (self, answer->body);
    } else {
        metric_increment (self->failed);
        log_error ("key set not to be had, the last one stays",
                   LOG_TEXT ("keys", self->settings.keys), LOG_INTEGER ("status", answer->status),
                   LOG_TEXT ("reason", answer->why.text));
    }
}

static void
ask_url (issuer_t *self)
{
    http_request_t request = {.method = "GET",
                              .url = self->settings.keys,
                              .ca_file = *self->settings.ca_file ? self->settings.ca_file : NULL,
                              .answer_max = KEYS_BYTES_MOST};
    reason_t why = {0};

    self->asked_at = loop_now (self->loop).steady;
    self->call = http_client_send (self->client, &request, on_answer, self, &why);
    if (!self->call) {
        log_error ("key set not to be had, the last one stays", LOG_TEXT ("reason", why.text));
    }
}

static void
on_timer (void *argument)
{
    issuer_t *self = argument;
    time_us_t now = loop_now (self->loop).steady;
    time_us_t period = self->keys ? self->settings.refresh_seconds * SECOND_US : ASK_AGAIN_US;
    reason_t why = {0};

    if (!is_url (&self->settings)) {
        if (read_file (self, &why) < 0) {
            metric_increment (self->failed);
            log_error ("key set not to be had, the last one stays", LOG_TEXT ("reason", why.text));
        }
    } else if (!self->call && (self->asked_at == 0 || now - self->asked_at >= period)) {
        ask_url (self);
    }
}

//  A token names a key that is not here: the set may have changed.
static bool
ask_for_new_keys (issuer_t *self)
{
    time_us_t now = loop_now (self->loop).steady;

    if (!is_url (&self->settings)) {
        return false;
    }
    if (!self->call && now - self->asked_at >= ASK_AGAIN_US) {
        ask_url (self);
    }
    return self->call != NULL;
}

//  --- claims

//  `a.b.c` within the claims; null when it is not there.
static struct json_object *
at_path (struct json_object *tree, const char *path)
{
    char name [PATH_SIZE];

    for (; tree && *path; path += *path == '.') {
        size_t size = strcspn (path, ".");
        snprintf (name, sizeof name, "%.*s", (int) (size < PATH_SIZE ? size : PATH_SIZE - 1), path);
        tree = json_get (tree, name);
        path += size;
    }
    return tree;
}

static role_t
role_of (struct json_object *claim)
{
    role_t best = ROLE_NONE, role;

    if (json_object_is_type (claim, json_type_string)) {
        return role_of_text (json_object_get_string (claim));
    }
    for (size_t i = 0;
         json_object_is_type (claim, json_type_array) && i < json_object_array_length (claim);
         i++) {
        struct json_object *item = json_object_array_get_idx (claim, i);
        role = json_object_is_type (item, json_type_string)
                   ? role_of_text (json_object_get_string (item))
                   : ROLE_NONE;
        best = role > best ? role : best;
    }
    return best;
}

typedef int limit_fn (view_t *view, const char *list, reason_t *why);

static int
limit (view_t *view, struct json_object *claims, const char *name, limit_fn *add, reason_t *why)
{
    struct json_object *claim = NULL;

    if (!json_object_object_get_ex (claims, name, &claim)) {
        return 0;
    }
    int rc = add (view, "", why);  //  it is there: what it does not name is not seen
    if (json_object_is_type (claim, json_type_string)) {
        char *list = strdup (json_object_get_string (claim));
        for (char *at = list; at && *at; at++) {
            *at = *at == ' ' ? ',' : *at;
        }
        rc = list ? add (view, list, why) : -ENOMEM;
        free (list);
        return rc;
    }
    if (!json_object_is_type (claim, json_type_array)) {
        return reason_set (why, -EACCES, "the claim %s is neither a list nor a text", name);
    }
    for (size_t i = 0; rc == 0 && i < json_object_array_length (claim); i++) {
        struct json_object *item = json_object_array_get_idx (claim, i);
        rc = json_object_is_type (item, json_type_string)
                 ? add (view, json_object_get_string (item), why)
                 : reason_set (why, -EACCES, "the claim %s is not a list of texts", name);
    }
    return rc;
}

static bool
is_for (struct json_object *claims, const char *audience)
{
    struct json_object *claim = json_get (claims, "aud");

    if (json_object_is_type (claim, json_type_string)) {
        return strcmp (json_object_get_string (claim), audience) == 0;
    }
    for (size_t i = 0;
         json_object_is_type (claim, json_type_array) && i < json_object_array_length (claim);
         i++) {
        struct json_object *item = json_object_array_get_idx (claim, i);
        if (json_object_is_type (item, json_type_string) &&
            strcmp (json_object_get_string (item), audience) == 0) {
            return true;
        }
    }
    return false;
}

//  NumericDate (RFC 7519, 2): seconds, maybe with a fraction. False: it is not there or no time.
static bool
time_of (struct json_object *claims, const char *name, time_us_t *at)
{
    double seconds;

    if (!json_get_number (claims, name, &seconds) || !(seconds >= 0 && seconds <= EXPIRES_MOST)) {
        return false;
    }
    *at = (time_us_t) (seconds * (double) SECOND_US);
    return true;
}

static int
check_claims (const issuer_t *self, struct json_object *claims, time_us_t now, time_us_t *expires,
              reason_t *why)
{
    const char *issuer = json_get_text (claims, "iss");
    time_us_t leeway = self->settings.leeway_seconds * SECOND_US, before;

    if (!issuer || strcmp (issuer, self->settings.issuer) != 0) {
        return reason_set (why, -EACCES, "the token is of another issuer");
    }
    if (!is_for (claims, self->settings.audience)) {
        return reason_set (why, -EACCES, "the token is for another audience");
    }
    if (!time_of (claims, "exp", expires)) {
        return reason_set (why, -EACCES, "the token has no time at which it expires (exp)");
    }
    if (*expires + leeway <= now) {
        return reason_set (why, -EACCES, "the token has expired");
    }
    if (json_get (claims, "nbf") && (!time_of (claims, "nbf", &before) || before - leeway > now)) {
        return reason_set (why, -EACCES, "the token is not valid yet (nbf)");
    }
    *expires += leeway;
    return 0;
}

static int
grant (const issuer_t *self, struct json_object *claims, time_us_t now, identity_t **out,
       reason_t *why)
{
    const char *name = json_get_text (claims, "sub");
    role_t role = role_of (at_path (claims, self->settings.role_claim));
    time_us_t expires = 0;

    if (check_claims (self, claims, now, &expires, why) < 0) {
        return -EACCES;
    }
    if (role == ROLE_NONE || !name || !*name) {
        return reason_set (why, -EACCES, "the token's claim %s %s",
                           role == ROLE_NONE ? self->settings.role_claim : "sub",
                           role == ROLE_NONE ? "names none of viewer, operator and admin"
                                             : "names nobody");
    }
    _cleanup_ (identity_release) identity_t *identity = identity_new (name, role);
    if (!identity || limit (identity->view, claims, "regions", view_limit_regions, why) < 0 ||
        limit (identity->view, claims, "worker_ids", view_limit_workers, why) < 0) {
        return -EACCES;
    }
    identity->expires_at = expires;
    *out = take_ptr (identity);
    return 0;
}

int
issuer_identify (issuer_t *self, const char *token, size_t size, time_us_t now,
                 identity_t **identity, reason_t *why)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    _cleanup_ (json_destroy) struct json_object *claims = NULL;

    if (!self->keys) {
        return reason_set (why, -EAGAIN, "the issuer's keys are not here yet; try again");
    }
    int rc = jws_verify (self->keys, self->algorithms, token, size, &text, why);
    if (rc == -ENOKEY) {
        return ask_for_new_keys (self)
                   ? reason_set (why, -EAGAIN, "the token's key is being asked for; try again")
                   : -EACCES;
    }
    if (rc < 0 || buffer_failed (&text)) {
        return -EACCES;
    }
    if (json_parse (&claims, text.data, text.size, JWS_TOKEN_MOST, why) < 0) {
        return -EACCES;
    }
    return grant (self, claims, now, identity, why);
}

//  --- its life

issuer_t *
issuer_new (loop_t *loop, http_client_t *client, const issuer_settings_t *settings,
            metrics_t *metrics, reason_t *why)
{
    static const char NAME [] = "cmlwatch_gateway_key_set_reads_total";
    static const char HELP [] = "Reads of the issuer's key set";
    _cleanup_ (issuer_destroy) issuer_t *self = calloc (1, sizeof *self);

    if (!self || !(self->timer = loop_timer_new (loop, on_timer, self))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->settings = *settings;
    self->loop = loop;
    self->client = client;
    self->algorithms = jws_algorithms (settings->algorithms, why);
    self->loaded =
        metrics_with (metrics, METRIC_COUNTER, NAME, HELP, METRIC_LABELS ("result", "taken"));
    self->failed =
        metrics_with (metrics, METRIC_COUNTER, NAME, HELP, METRIC_LABELS ("result", "failed"));
    self->held = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_gateway_keys",
                              "Keys of the issuer's key set in force");
    if (is_url (settings)) {
        ask_url (self);
    } else if (read_file (self, why) < 0) {
        return NULL;
    }
    loop_timer_every (self->timer, FILE_PERIOD_US);
    return take_ptr (self);
}

void
issuer_destroy (issuer_t **self_p)
{
    issuer_t *self = *self_p;

    if (self) {
        http_call_cancel (&self->call);
        loop_timer_destroy (&self->timer);
        jws_keys_destroy (&self->keys);
        free (self);
        *self_p = NULL;
    }
}

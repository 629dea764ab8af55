// auth.c - see auth.h.
//
// SPDX-License-Identifier: MIT

#include "auth.h"

#include "../common/cleanup.h"
#include "../common/log.h"
#include "cors.h"
#include "session.h"
#include "tokens.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REFRESH_US (2 * SECOND_US)
#define BEARER     "Bearer "

const char *const AUTH_METHODS [] = {"none", "token", "jwt", NULL};

struct auth {
    auth_settings_t settings;
    loop_t *loop;
    loop_timer_t *timer;
    const mask_t *mask;
    identity_t *anybody;
    tokens_t *tokens;
    http_client_t *client;
    issuer_t *issuer;
    sessions_t *sessions;
    loop_fn *changed;
    void *argument;
    metric_t *granted, *refused, *unavailable, *foreign, *forbidden;
};

int
auth_check (const auth_settings_t *settings, reason_t *why)
{
    size_t key = strlen (settings->session_key);
    mask_t *mask = mask_new (settings->masked_fields, why);
    bool masked = mask != NULL;

    mask_destroy (&mask);
    if (!masked) {
        return -EINVAL;
    }
    if (key > 0 && key < SESSION_KEY_LEAST) {
        return reason_set (why, -EINVAL,
                           "session_key must have at least %d bytes; make one with "
                           "`openssl rand -hex 32`",
                           SESSION_KEY_LEAST);
    }
    if (settings->method == AUTH_TOKEN) {
        tokens_t *tokens = *settings->tokens_file ? tokens_new (settings->tokens_file, why) : NULL;
        bool read = tokens != NULL;
        tokens_destroy (&tokens);
        return read ? 0
               : *settings->tokens_file
                   ? -EINVAL
                   : reason_set (why, -EINVAL, "auth = token wants tokens_file");
    }
    return settings->method == AUTH_JWT ? issuer_check (&settings->issuer, why) : 0;
}

static void
tell_change (auth_t *self)
{
    if (self->changed) {
        self->changed (self->argument);
    }
}

static void
on_timer (void *argument)
{
    auth_t *self = argument;
    reason_t why = {0};
    int rc = self->tokens ? tokens_refresh (self->tokens, &why) : 0;

    if (rc < 0) {
        log_error ("tokens not read, the old ones stay", LOG_TEXT ("reason", why.text));
    } else if (rc > 0) {
        log_info ("tokens read", LOG_TEXT ("file", self->settings.tokens_file));
        tell_change (self);
    }
}

static bool
begin_method (auth_t *self, metrics_t *metrics, reason_t *why)
{
    switch ((auth_method_t) self->settings.method) {
    case AUTH_NONE: return (self->anybody = identity_new ("", ROLE_ADMIN)) != NULL;
    case AUTH_TOKEN: return (self->tokens = tokens_new (self->settings.tokens_file, why)) != NULL;
    case AUTH_JWT:
        self->client = http_client_new (self->loop, 1, metrics, why);
        self->issuer = self->client ? issuer_new (self->loop, self->client, &self->settings.issuer,
                                                  metrics, why)
                                    : NULL;
        return self->issuer != NULL;
    }
    return false;
}

auth_t *
auth_new (loop_t *loop, const auth_settings_t *settings, const mask_t *mask, metrics_t *metrics,
          reason_t *why)
{
    static const char NAME [] = "cmlwatch_gateway_auth_total";
    static const char HELP [] = "Requests by what became of who asked";
    _cleanup_ (auth_destroy) auth_t *self = calloc (1, sizeof *self);

    if (!self || !(self->timer = loop_timer_new (loop, on_timer, self))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->loop = loop;
    self->settings = *settings;
    self->mask = mask_is_empty (mask) ? NULL : mask;
    self->granted =
        metrics_with (metrics, METRIC_COUNTER, NAME, HELP, METRIC_LABELS ("result", "granted"));
    self->refused =
        metrics_with (metrics, METRIC_COUNTER, NAME, HELP, METRIC_LABELS ("result", "refused"));
    self->unavailable =
        metrics_with (metrics, METRIC_COUNTER, NAME, HELP, METRIC_LABELS ("result", "unavailable"));
    self->foreign =
        metrics_with (metrics, METRIC_COUNTER, NAME, HELP, METRIC_LABELS ("result", "origin"));
    self->forbidden =
        metrics_with (metrics, METRIC_COUNTER, NAME, HELP, METRIC_LABELS ("result", "role"));
    self->sessions = sessions_new (settings->session_key, settings->session_seconds, why);
    if (!self->sessions || !begin_method (self, metrics, why)) {
        return NULL;
    }
    loop_timer_every (self->timer, REFRESH_US);
    return take_ptr (self);
}

void
auth_destroy (auth_t **self_p)
{
    auth_t *self = *self_p;

    if (self) {
        issuer_destroy (&self->issuer);
        http_client_destroy (&self->client);
        tokens_destroy (&self->tokens);
        sessions_destroy (&self->sessions);
        identity_release (&self->anybody);
        loop_timer_destroy (&self->timer);
        free (self);
        *self_p = NULL;
    }
}

auth_method_t
auth_method (const auth_t *self)
{
    return (auth_method_t) self->settings.method;
}

static int
identify_token (auth_t *self, const char *token, size_t size, identity_t **identity, reason_t *why)
{
    time_us_t now = loop_now (self->loop).wall;

    if (self->issuer) {
        return issuer_identify (self->issuer, token, size, now, identity, why);
    }
    identity_t *found = self->tokens ? tokens_find (self->tokens, token, size) : NULL;
    if (!found) {
        return reason_set (why, -EACCES, "the token is not known");
    }
    if (found->expires_at > 0 && found->expires_at <= now) {
        return reason_set (why, -EACCES, "the token has expired");
    }
    *identity = identity_hold (found);
    return 0;
}

//  The value of our cookie in `a=b; c=d`; null when it is not among them.
static const char *
cookie_of (const char *cookies, size_t *size)
{
    size_t name = strlen (SESSION_COOKIE);

    while (cookies && *cookies) {
        cookies += strspn (cookies, "; ");
        *size = strcspn (cookies, ";");
        if (*size > name && strncmp (cookies, SESSION_COOKIE "=", name + 1) == 0) {
            *size -= name + 1;
            return cookies + name + 1;
        }
        cookies += *size;
    }
    return NULL;
}

static bool
is_safe (const char *method)
{
    return strcmp (method, "GET") == 0 || strcmp (method, "HEAD") == 0 ||
           strcmp (method, "OPTIONS") == 0;
}

//  No name: whoever owns one may have it point here (DNS rebinding), and its page is then one of this
//  host to a browser. A cookie is not sent to such a name, but where nobody has to log in none is needed.
static bool
is_address (const char *host)
{
    static const char LOCAL [] = "localhost";
    size_t size = strcspn (host, ":");

    return *host == '[' || (size > 0 && strspn (host, "0123456789.") == size) ||
           (size == strlen (LOCAL) && strncasecmp (host, LOCAL, size) == 0);
}

//  A page of this host, or one that may read our answers anyway.
static bool
is_own_origin (const auth_t *self, struct MHD_Connection *connection)
{
    const char *origin = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "Origin");
    const char *host = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "Host");
    const char *authority = origin ? strstr (origin, "://") : NULL;
    bool is_ours = authority && host && strcasecmp (authority + 3, host) == 0 &&
                   (!self->anybody || is_address (host));

    return is_ours || cors_origin (self->settings.origins, connection);
}

//  Where nobody has to log in, a page from anywhere could have a browser of this host ask. Browsers
//  say where a command comes from; who says nothing is none.
bool
auth_is_foreign_page (const auth_t *self, struct MHD_Connection *connection)
{
    return MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "Origin") &&
           !is_own_origin (self, connection);
}

static int
identify_cookie (auth_t *self, struct MHD_Connection *connection, const char *method,
                 const char *cookie, size_t size, identity_t **identity, reason_t *why)
{
    identity_t *found =
        sessions_open (self->sessions, cookie, size, loop_now (self->loop).wall, why);

    if (found && !auth_holds (self, found)) {
        identity_release (&found);
        reason_set (why, -EACCES,
                    "the token of this session was taken back, or says something else by now; log "
                    "in again");
    }
    if (!found) {
        return -EACCES;
    }
    if (!is_safe (method) && !is_own_origin (self, connection)) {
        identity_release (&found);
        return reason_set (why, -EPERM,
                           "a session's cookie gives commands only from a page of this host; "
                           "Origin must say so");
    }
    *identity = found;
    return 0;
}

static int
identify (auth_t *self, struct MHD_Connection *connection, const char *method,
          identity_t **identity, reason_t *why)
{
    const char *header =
        MHD_lookup_connection_value (connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    size_t size = 0;
    const char *cookie = cookie_of (
        MHD_lookup_connection_value (connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_COOKIE), &size);

    if (self->anybody && !is_safe (method) && auth_is_foreign_page (self, connection)) {
        return reason_set (why, -EPERM,
                           "a page of another site gives no commands, nor, where nobody logs in, "
                           "one of this host by a name; cors_origins names those that may");
    }
    if (self->anybody) {
        *identity = identity_hold (self->anybody);
        return 0;
    }
    if (header && strncasecmp (header, BEARER, strlen (BEARER)) == 0) {
        const char *token = header + strlen (BEARER) + strspn (header + strlen (BEARER), " ");
        return identify_token (self, token, strcspn (token, " "), identity, why);
    }
    if (header) {
        return reason_set (why, -EACCES, "Authorization must be `Bearer <token>`");
    }
    return cookie ? identify_cookie (self, connection, method, cookie, size, identity, why)
                  : reason_set (why, -EACCES,
                                "log in: send `Authorization: Bearer <token>`, or the cookie that "
                                "POST /api/session gives for it");
}

//  Counts the outcome; and what a viewer is not told.
static int
settle (auth_t *self, int rc, identity_t *const *identity)
{
    metric_increment (rc == 0         ? self->granted
                      : rc == -EAGAIN ? self->unavailable
                      : rc == -EPERM  ? self->foreign
                                      : self->refused);
    if (rc == 0) {
        (*identity)->view->mask = (*identity)->role < ROLE_OPERATOR ? self->mask : NULL;
    }
    return rc;
}

int
auth_identify (auth_t *self, struct MHD_Connection *connection, const char *method,
               identity_t **identity, reason_t *why)
{
    return settle (self, identify (self, connection, method, identity, why), identity);
}

int
auth_identify_token (auth_t *self, const char *token, size_t size, identity_t **identity,
                     reason_t *why)
{
    return settle (self, identify_token (self, token, size, identity, why), identity);
}

void
auth_count_forbidden (auth_t *self)
{
    metric_increment (self->forbidden);
}

int
auth_seal (auth_t *self, const identity_t *identity, buffer_t *out, time_us_t *expires)
{
    return sessions_seal (self->sessions, identity, loop_now (self->loop).wall, out, expires);
}

void
auth_end_session (auth_t *self, const identity_t *identity)
{
    if (*identity->session) {
        sessions_end (self->sessions, identity, loop_now (self->loop).wall);
        tell_change (self);
    }
}

bool
auth_holds (const auth_t *self, const identity_t *identity)
{
    return (!self->tokens || tokens_stand_for (self->tokens, identity)) &&
           !sessions_have_ended (self->sessions, identity);
}

void
auth_on_change (auth_t *self, loop_fn *fn, void *argument)
{
    self->changed = fn;
    self->argument = argument;
}

// credentials.c - see credentials.h.
//
//     nothing ─► fetching ─► keys ─► (early) fetching with keys in hand ─► keys …
//                   └► failed, until a moment later ─► fetching
//
// Invariants: (1) at most one fetch is under way; (2) keys in hand have not ended when they are
// given; (3) a failure is told until `again_at`, then get begins anew.
//
// SPDX-License-Identifier: MIT

#include "credentials.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "fetch.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREDENTIALS_MAGIC 0xc4ed5u
#define TRIES             3  //  of a fetch that may go better in a moment
#define TRY_AGAIN_US      (500 * MS_US)
#define FAILED_LEAST_US   (2 * SECOND_US)  //  a failure is told so long, then longer
#define FAILED_MOST_US    (60 * SECOND_US)
#define DOUBT_EVERY_US    (10 * SECOND_US)

struct aws_credentials {
    unsigned magic;
    aws_credentials_ask_t ask;
    char *account, *region;
    bool is_chain;  //  the origin is found anew for each fetch
    aws_origin_t *origin;
    aws_credentials_t *base;      //  borrowed, of a role that was given
    aws_credentials_t *own_base;  //  of a role that the chain found
    const aws_fetcher_t *fetcher;
    aws_fetch_t *fetch;  //  under way
    int tries;
    char *id, *secret, *token;  //  in hand; null: none
    time_us_t expires;          //  wall; TIME_UNKNOWN: never
    time_us_t doubted;          //  steady; TIME_UNKNOWN: never
    loop_timer_t *timer;        //  the next fetch, or the next try of one
    int failed;                 //  0, or what the last fetch ended with
    reason_t why;
    time_us_t again_at;  //  steady
    int64_t failures;    //  in a row
    metric_t *fetched, *refused, *ends;
};

static const aws_fetcher_t *const FETCHERS [AWS_ORIGIN_KIND_COUNT] = {
    [AWS_ORIGIN_ROLE] = &AWS_FETCH_ROLE,
    [AWS_ORIGIN_WEB_IDENTITY] = &AWS_FETCH_WEB_IDENTITY,
    [AWS_ORIGIN_PROCESS] = &AWS_FETCH_PROCESS,
    [AWS_ORIGIN_CONTAINER] = &AWS_FETCH_CONTAINER,
    [AWS_ORIGIN_INSTANCE] = &AWS_FETCH_INSTANCE,
};

time_us_t
aws_keys_refresh_at (time_us_t now, time_us_t expires, uint32_t dice)
{
    time_us_t left = expires > now ? expires - now : 0;
    time_us_t early = left / 2 < AWS_KEYS_EARLY_US ? left / 2 : AWS_KEYS_EARLY_US;

    return expires - early - (time_us_t) (((uint64_t) (early / 5) * dice) >> 32);
}

static moment_t
now_of (const aws_credentials_t *self)
{
    return collector_now (self->ask.core);
}

static uint32_t
dice_of (const aws_credentials_t *self)
{
    return collector_random (self->ask.core);
}

static void
forget (char **text_p)
{
    if (*text_p) {
        explicit_bzero (*text_p, strlen (*text_p));
    }
    free (*text_p);
    *text_p = NULL;
}

static void
drop_keys (aws_credentials_t *self)
{
    forget (&self->id);
    forget (&self->secret);
    forget (&self->token);
}

static bool
has_keys (const aws_credentials_t *self)
{
    return self->id && (self->expires == TIME_UNKNOWN || self->expires > now_of (self).wall);
}

//  --- the end of a fetch

static int
keep_keys (aws_credentials_t *self, const aws_keys_t *keys, time_us_t expires)
{
    char *id = strdup (keys->access_key_id), *secret = strdup (keys->secret_access_key);
    char *token = keys->session_token ? strdup (keys->session_token) : NULL;

    if (!id || !secret || (keys->session_token && !token)) {
        forget (&id);
        forget (&secret);
        forget (&token);
        return -ENOMEM;
    }
    drop_keys (self);
    self->id = id;
    self->secret = secret;
    self->token = token;
    self->expires = expires;
    return 0;
}

static void
succeed (aws_credentials_t *self)
{
    moment_t now = now_of (self);

    if (self->failures > 0) {
        log_info ("AWS keys again", LOG_TEXT ("account", self->account),
                  LOG_TEXT ("from", self->origin->place));
    }
    self->failed = 0;
    self->failures = 0;
    self->tries = 0;
    if (self->expires != TIME_UNKNOWN) {
        time_us_t at = aws_keys_refresh_at (now.wall, self->expires, dice_of (self));
        loop_timer_after (self->timer, at > now.wall ? at - now.wall : 0);
        metric_set (self->ends, (double) self->expires / (double) SECOND_US);
    }
}

//  With keys in hand it is tried again in time; without, when somebody asks.
static void
fail (aws_credentials_t *self, int rc, const reason_t *why)
{
    moment_t now = now_of (self);
    time_us_t most = FAILED_LEAST_US << (self->failures < 5 ? self->failures : 5);

    most = most < FAILED_MOST_US ? most : FAILED_MOST_US;
    time_us_t wait = most / 2 + (time_us_t) (((uint64_t) (most / 2) * dice_of (self)) >> 32);
    self->failed = rc;
    self->why = *why;
    self->tries = 0;
    self->again_at = now.steady + wait;
    metric_increment (self->refused);
    if (has_keys (self) && self->expires != TIME_UNKNOWN) {
        loop_timer_after (self->timer, wait);
    }
    if (self->failures++ == 0) {
        log_warn (has_keys (self) ? "AWS keys not fetched anew; those in hand serve until they end"
                                  : "no AWS keys",
                  LOG_TEXT ("account", self->account), LOG_TEXT ("reason", why->text));
    }
}

static void
explain (const aws_credentials_t *self, const reason_t *said, reason_t *why)
{
    const char *looked = self->origin->looked;

    if (looked) {
        reason_set (why, -EIO, "no AWS credentials; looked in %.370s; %.60s: %.80s", looked,
                    self->origin->place, said->text);
    } else {
        reason_set (why, -EIO, "no AWS keys from %.150s: %.300s", self->origin->place, said->text);
    }
}

static void
on_fetched (void *argument, const aws_fetched_t *fetched)
{
    aws_credentials_t *self = argument;
    assert (self->magic == CREDENTIALS_MAGIC);
    int rc = fetched->rc;
    reason_t said = fetched->why, why = {0};

    self->fetch = NULL;
    if (rc == 0 && fetched->expires != TIME_UNKNOWN && fetched->expires <= now_of (self).wall) {
        rc = reason_set (&said, -EINVAL, "the keys it gives have ended already");
    }
    rc = rc < 0 ? rc : keep_keys (self, &fetched->keys, fetched->expires);
    if (rc == 0) {
        metric_increment (self->fetched);
        succeed (self);
    } else if (fetched->again && ++self->tries < TRIES) {
        loop_timer_after (self->timer, TRY_AGAIN_US + TRY_AGAIN_US * (dice_of (self) % 100) / 100);
        return;
    } else {
        explain (self, &said, &why);
        fail (self, rc, &why);
    }
    self->ask.changed (self->ask.argument);
}

//  --- its beginning

//  The base of a role that the chain found is made with it, and with it alone.
static int
take_origin (aws_credentials_t *self, aws_origin_t **origin_p, reason_t *why)
{
    aws_origin_destroy (&self->origin);
    aws_credentials_destroy (&self->own_base);
    self->origin = take_ptr (*origin_p);
    if (self->origin->base) {
        self->own_base = aws_credentials_new_role (&self->ask, &self->origin->base, NULL);
        if (!self->own_base) {
            return reason_set (why, -ENOMEM, "out of memory");
        }
    }
    return 0;
}

static int
find_origin (aws_credentials_t *self, reason_t *why)
{
    aws_origin_t *origin = NULL;

    if (!self->is_chain) {
        return 0;
    }
    int rc = aws_origin_find (self->ask.read_variable, &origin, why);
    return rc < 0 ? rc : take_origin (self, &origin, why);
}

//  0 with keys at once, -EAGAIN when they are on their way, or a failure that was noted.
static int
begin (aws_credentials_t *self)
{
    reason_t why = {0}, said = {0};

    assert (!self->fetch && "invariant 1");
    int rc = find_origin (self, &why);
    if (rc < 0) {
        fail (self, rc, &why);
        return rc;
    }
    self->fetcher = FETCHERS [self->origin->kind];
    if (!self->fetcher) {
        const aws_keys_t keys = {self->origin->access_key_id, self->origin->secret_access_key,
                                 self->origin->session_token};
        rc = keep_keys (self, &keys, TIME_UNKNOWN);
        if (rc == 0) {
            succeed (self);
        }
        return rc;
    }
    const aws_fetch_ask_t ask = {
        .core = self->ask.core,
        .api = self->ask.api,
        .origin = self->origin,
        .base = self->base ? self->base : self->own_base,
        .account = self->account,
        .region = self->region,
        .fn = on_fetched,
        .argument = self,
    };
    self->fetch = self->fetcher->start (&ask, &said);
    if (!self->fetch) {
        explain (self, &said, &why);
        fail (self, -EIO, &why);
        return -EIO;
    }
    return -EAGAIN;
}

static void
on_timer (void *argument)
{
    aws_credentials_t *self = argument;
    assert (self->magic == CREDENTIALS_MAGIC);

    if (!self->fetch && begin (self) != -EAGAIN) {
        self->ask.changed (self->ask.argument);
    }
}

int
aws_credentials_get (aws_credentials_t *self, aws_keys_t *keys, reason_t *why)
{
    assert (self->magic == CREDENTIALS_MAGIC);
    bool waits = self->failed != 0 && now_of (self).steady < self->again_at;
    bool busy = self->fetch || self->tries > 0;

    if (!has_keys (self) && !busy && !waits) {
        (void) begin (self);
    }
    if (has_keys (self)) {
        *keys = (aws_keys_t){self->id, self->secret, self->token};
        return 0;
    }
    if (self->fetch || self->tries > 0) {
        return reason_set (why, -EAGAIN, "keys are being fetched from %s", self->origin->place);
    }
    return reason_set (why, self->failed ? self->failed : -ENOMEM, "%s", self->why.text);
}

bool
aws_credentials_doubt (aws_credentials_t *self)
{
    assert (self->magic == CREDENTIALS_MAGIC);
    time_us_t now = now_of (self).steady;
    _cleanup_ (string_destroy) char *before = self->id ? strdup (self->id) : NULL;

    if (self->fetch || self->tries > 0) {
        return true;
    }
    if (self->doubted != TIME_UNKNOWN && now - self->doubted < DOUBT_EVERY_US) {
        return false;
    }
    self->doubted = now;
    drop_keys (self);
    int rc = begin (self);
    return rc == -EAGAIN || (rc == 0 && before && strcmp (before, self->id) != 0);
}

void
aws_credentials_describe (aws_credentials_t *self, reason_t *place)
{
    reason_t why = {0};

    if (!self->origin && find_origin (self, &why) < 0) {
        *place = why;
        return;
    }
    assert (self->origin && "a role that was given has one from the start");
    snprintf (place->text, sizeof place->text, "%s%s%s", self->origin->place,
              self->origin->role_arn ? ": " : "",
              self->origin->role_arn ? self->origin->role_arn : "");
}

//  --- life

static metric_t *
fetches_total (aws_credentials_t *self, const char *outcome)
{
    return metrics_with (collector_metrics (self->ask.core), METRIC_COUNTER,
                         "cmlwatch_aws_keys_fetched_total",
                         "times that keys which end were fetched, or could not be",
                         METRIC_LABELS ("account", self->account, "outcome", outcome));
}

static aws_credentials_t *
credentials_new (const aws_credentials_ask_t *ask)
{
    _cleanup_ (aws_credentials_destroy) aws_credentials_t *self = calloc (1, sizeof *self);

    if (!self) {
        return NULL;
    }
    self->magic = CREDENTIALS_MAGIC;
    self->ask = *ask;
    self->doubted = TIME_UNKNOWN;
    self->account = strdup (ask->account);
    self->region = strdup (ask->region);
    self->timer = loop_timer_new (collector_loop (ask->core), on_timer, self);
    if (!self->account || !self->region || !self->timer) {
        return NULL;
    }
    self->ask.account = self->account;
    self->ask.region = self->region;
    self->fetched = fetches_total (self, "ok");
    self->refused = fetches_total (self, "failed");
    self->ends = metrics_with (collector_metrics (ask->core), METRIC_GAUGE,
                               "cmlwatch_aws_keys_end_timestamp_seconds",
                               "when the keys in hand end; 0 for keys that do not",
                               METRIC_LABELS ("account", self->account));
    return take_ptr (self);
}

aws_credentials_t *
aws_credentials_new (const aws_credentials_ask_t *ask)
{
    aws_credentials_t *self = credentials_new (ask);

    if (self) {
        self->is_chain = true;
    }
    return self;
}

aws_credentials_t *
aws_credentials_new_role (const aws_credentials_ask_t *ask, aws_origin_t **origin_p,
                          aws_credentials_t *base)
{
    _cleanup_ (aws_origin_destroy) aws_origin_t *origin = take_ptr (*origin_p);
    _cleanup_ (aws_credentials_destroy) aws_credentials_t *self = credentials_new (ask);

    if (!self || take_origin (self, &origin, NULL) < 0) {
        return NULL;
    }
    self->base = base;
    return take_ptr (self);
}

void
aws_credentials_destroy (aws_credentials_t **self_p)
{
    assert (self_p);

    aws_credentials_t *self = take_ptr (*self_p);
    if (self) {
        if (self->fetch) {
            self->fetcher->cancel (&self->fetch);
        }
        loop_timer_destroy (&self->timer);
        aws_credentials_destroy (&self->own_base);
        aws_origin_destroy (&self->origin);
        drop_keys (self);
        free (self->account);
        free (self->region);
        self->magic = 0;
        free (self);
    }
}

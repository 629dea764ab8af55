// SPDX-License-Identifier: MIT

#include "lease.h"

#include "modes.h"

#include "../../common/cleanup.h"
#include "../../common/digest.h"
#include "../../common/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_MAGIC      0x1ea5e001u
#define UNHEARD_MOST     (5 * SECOND_US)  //  two heartbeats and more
#define ANSWER_WITHIN_MS 1000  //  of one question; the aggregator answers in well under one
#define TOOL_WITHIN_MS   4000  //  a tool asks once, and an aggregator may stand still for a moment
#define LEAVE_WITHIN_MS  500

struct lease {
    unsigned magic;
    loop_t *loop;                          //  borrowed
    const char *kind;                      //  borrowed
    const collector_settings_t *settings;  //  borrowed
    const char *regions;                   //  borrowed
    char *source;
    uint64_t lists;  //  0: none
    bus_client_t *client;
    loop_timer_t *timer;
    lease_fn *fn;
    void *argument;
    lease_list_t list;
    time_us_t answered;  //  steady; TIME_UNKNOWN: never
    bool asking, leaving, holding;
    bool away;  //  the last question was in vain, and that has been said
    metric_t *failures;
    bus_publisher_t *publisher;  //  null: nothing is published, or nobody asked
    uint64_t heard, said,
        said_before;          //  numbers: by the last answer; at this question and the one before
    time_us_t unheard_since;  //  steady; TIME_UNKNOWN: what is said is heard
};

static void ask (void *argument);

lease_t *
lease_new (loop_t *loop, const char *kind, const char *source, const collector_settings_t *settings,
           const bus_keys_t *keys, const char *regions, lease_fn *fn, void *argument,
           metrics_t *metrics, reason_t *why)
{
    _cleanup_ (lease_destroy) lease_t *self = calloc (1, sizeof *self);
    if (!self) {
        reason_set (why, -ENOMEM, "lease: out of memory");
        return NULL;
    }
    self->magic = LEASE_MAGIC;
    self->loop = loop;
    self->kind = kind;
    self->settings = settings;
    self->regions = regions;
    self->fn = fn;
    self->argument = argument;
    self->answered = TIME_UNKNOWN;
    self->list.renew_ms = settings->renew_ms;
    self->list.ttl_ms = 3 * settings->renew_ms;
    self->failures =
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_collector_lease_failures_total",
                     "questions for the lease that had no answer, or an unusable one");
    self->source = strdup (source);
    self->timer = loop_timer_new (loop, ask, self);
    self->client = bus_client_new (loop, settings->control, keys, metrics, why);
    if (!self->source || !self->timer || !self->client) {
        if (self->client) {
            reason_set (why, -ENOMEM, "lease: out of memory");
        }
        return NULL;
    }
    loop_timer_after (self->timer, 0);
    return take_ptr (self);
}

static void
release_loop (lease_t *self)
{
    if (self->holding) {
        self->holding = false;
        loop_release (self->loop);
    }
}

void
lease_destroy (lease_t **self_p)
{
    assert (self_p);

    lease_t *self = *self_p;
    if (self) {
        release_loop (self);
        bus_client_destroy (&self->client);
        loop_timer_destroy (&self->timer);
        lease_list_clear (&self->list);
        free (self->source);
        free (self);
        *self_p = NULL;
    }
}

void
lease_follow (lease_t *self, bus_publisher_t *publisher)
{
    self->publisher = publisher;
    self->heard = self->said = self->said_before = 0;
    self->unheard_since = TIME_UNKNOWN;
}

//  What was said since the last question may still be on its way; what was said before it is not, unless
//  it is not heard at all. An aggregator that is behind hears more each time.
static void
judge_hearing (lease_t *self, int64_t heard)
{
    bool deaf = self->publisher && heard >= 0 && (uint64_t) heard < self->said_before &&
                (uint64_t) heard == self->heard;

    time_us_t now = loop_now (self->loop).steady;

    self->heard = heard >= 0 ? (uint64_t) heard : self->heard;
    self->unheard_since = !deaf                                 ? TIME_UNKNOWN
                          : self->unheard_since == TIME_UNKNOWN ? now
                                                                : self->unheard_since;
    if (deaf && now - self->unheard_since >= UNHEARD_MOST) {
        self->unheard_since = TIME_UNKNOWN;
        log_warn ("the aggregator answers and hears nothing of ours: connecting anew",
                  LOG_TEXT ("ingest", self->settings->ingest), LOG_INTEGER ("heard", heard),
                  LOG_INTEGER ("said", self->said));
        bus_publisher_reconnect (self->publisher);
    }
}

void
lease_tell_lists (lease_t *self, uint64_t digest)
{
    self->lists = digest;
}

const lease_list_t *
lease_list (const lease_t *self)
{
    return &self->list;
}

//  An aggregator may send the list again that we have.
static bool
is_the_same (const lease_list_t *old, const lease_list_t *list)
{
    return list->revision [0] && strcmp (old->revision, list->revision) == 0 &&
           strcmp (old->epoch, list->epoch) == 0;
}

//  The list is replaced as a whole; what only the answer's times say is taken always.
static void
take_list (lease_t *self, lease_list_t *list)
{
    unsigned news = 0;

    if (self->list.epoch [0] && strcmp (self->list.epoch, list->epoch) != 0) {
        news |= LEASE_FORGET;
        log_info ("the aggregator began anew", LOG_TEXT ("epoch", list->epoch));
    }
    if (list->fresh) {
        news |= LEASE_FORGET;
        log_warn ("the aggregator lost something of ours: all is told again");
    }
    if (list->resend_count > 0) {
        news |= LEASE_RESEND;
        memcpy (self->list.resend, list->resend, sizeof list->resend);
        self->list.resend_count = list->resend_count;
    }
    if (list->unchanged || is_the_same (&self->list, list)) {
        memcpy (self->list.epoch, list->epoch, sizeof list->epoch);
        self->list.renew_ms = list->renew_ms;
        self->list.ttl_ms = list->ttl_ms;
    } else {
        news |= LEASE_CHANGED;
        lease_list_t old = self->list;
        self->list = *list;
        *list = old;
        log_debug ("lease", LOG_TEXT ("revision", self->list.revision),
                   LOG_INTEGER ("regions", self->list.regions_count),
                   LOG_INTEGER ("workers", self->list.workers_count));
    }
    if (news) {
        self->fn (self->argument, news);
    }
}

//  A collector that nobody has answered yet reads what it was configured to.
static void
take_configured (lease_t *self)
{
    lease_list_t list = {0};

    if (self->answered != TIME_UNKNOWN || self->list.regions || !self->regions [0] ||
        lease_list_configured (&list, self->regions) < 0) {
        return;
    }
    list.renew_ms = self->list.renew_ms;
    list.ttl_ms = self->list.ttl_ms;
    self->list = list;
    self->fn (self->argument, LEASE_CHANGED);
}

//  Said once, not with each question; the metric counts them.
static void
note_failure (lease_t *self, const reason_t *why)
{
    metric_increment (self->failures);
    if (!self->away) {
        self->away = true;
        log_warn (modes_is_observer (self->settings)
                      ? "no list from the aggregator"
                      : "no lease from the aggregator; reading on as before",
                  LOG_TEXT ("control", self->settings->control), LOG_TEXT ("reason", why->text));
    }
    take_configured (self);
    if (self->answered == TIME_UNKNOWN) {
        self->fn (self->argument, LEASE_ALONE);
    }
}

static void
on_answer (void *argument, const bus_answer_t *answer)
{
    lease_t *self = argument;
    assert (self->magic == LEASE_MAGIC);
    _cleanup_ (lease_list_clear) lease_list_t list = {0};
    reason_t why = {0};

    if (self->leaving) {
        //  What was still asked when the leave began is answered first.
        if (!self->asking) {
            release_loop (self);
        }
        self->asking = false;
        return;
    }
    self->asking = false;
    int rc = answer->code;
    if (rc < 0) {
        reason_set (&why, rc, "%s", answer->error);
    } else {
        rc = lease_list_decode (&list, answer->json, &why);
    }
    if (rc < 0) {
        note_failure (self, &why);
        return;
    }
    if (self->away) {
        self->away = false;
        log_info ("the aggregator answers", LOG_TEXT ("control", self->settings->control));
    }
    self->answered = loop_now (self->loop).steady;
    judge_hearing (self, list.heard);
    take_list (self, &list);
}

static int
write_question (const lease_t *self, buffer_t *out)
{
    lease_list_t own = {0};
    char lists [DIGEST_TEXT_SIZE];
    json_writer_t json = json_writer (out);

    if (lease_list_configured (&own, self->regions) < 0) {
        return -ENOMEM;
    }
    json_open_object (&json);
    json_member_text (&json, "collector_id", self->source);
    json_member_text (&json, "kind", self->kind);
    json_key (&json, "regions");
    json_open_array (&json);
    for (size_t i = 0; i < own.regions_count; i++) {
        json_put_text (&json, own.regions [i]);
    }
    json_close_array (&json);
    //  A list of our own making has no revision to be unchanged from.
    json_member_text (&json, "revision", self->answered == TIME_UNKNOWN ? "" : self->list.revision);
    json_member_bool (&json, "leaving", self->leaving);
    if (self->lists) {
        digest_text (lists, self->lists);
        json_member_text (&json, "lists", lists);
    }
    if (self->publisher) {
        json_member_text (&json, "source_epoch", bus_publisher_epoch (self->publisher));
    }
    if (modes_is_observer (self->settings)) {
        json_member_bool (&json, "observing", true);
    }
    json_close_object (&json);
    lease_list_clear (&own);
    return buffer_failed (out) ? -ENOMEM : 0;
}

//  One question at a time: an aggregator that is away is not met by a pile of them.
static void
ask (void *argument)
{
    lease_t *self = argument;
    assert (self->magic == LEASE_MAGIC);
    _cleanup_ (buffer_clear) buffer_t question = {0};

    if (self->leaving) {
        return;
    }
    loop_timer_after (self->timer, self->list.renew_ms * MS_US);
    if (self->asking || write_question (self, &question) < 0) {
        return;
    }
    if (self->publisher) {
        self->said_before = self->said;
        self->said = bus_publisher_sequence (self->publisher);
    }
    int64_t within_ms = modes_is_tool (self->settings) ? TOOL_WITHIN_MS : ANSWER_WITHIN_MS;
    self->asking = bus_client_ask (self->client, "lease", question.data, question.size, within_ms,
                                   on_answer, self) == 0;
}

void
lease_leave (lease_t *self)
{
    _cleanup_ (buffer_clear) buffer_t question = {0};

    if (self->leaving) {
        return;
    }
    self->leaving = true;
    loop_timer_stop (self->timer);
    if (modes_is_observer (self->settings)) {
        return;  //  nothing was taken
    }
    if (write_question (self, &question) == 0 &&
        bus_client_ask (self->client, "lease", question.data, question.size, LEAVE_WITHIN_MS,
                        on_answer, self) == 0) {
        self->holding = true;
        loop_hold (self->loop);
    }
}

bool
lease_is_live (const lease_t *self, reason_t *why)
{
    if (self->answered == TIME_UNKNOWN) {
        reason_set (why, -EAGAIN, "the aggregator at %s has not answered yet",
                    self->settings->control);
        return false;
    }
    int64_t silent_ms = (loop_now (self->loop).steady - self->answered) / MS_US;
    if (silent_ms > self->list.ttl_ms) {
        reason_set (why, -EAGAIN,
                    "the aggregator at %s has not answered for %" PRId64
                    " s; the last lease is read on",
                    self->settings->control, silent_ms / 1000);
        return false;
    }
    return true;
}

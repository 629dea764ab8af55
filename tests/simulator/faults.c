// SPDX-License-Identifier: MIT

#include "faults.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_MAX 256

struct faults {
    fault_t list [FAULTS_MAX];
    size_t count;
    uint64_t version;
};

static const char *const NAMES [FAULT_KIND_COUNT] = {
    [FAULT_THROTTLE] = "throttle",
    [FAULT_ERROR500] = "error500",
    [FAULT_CUT] = "cut",
    [FAULT_HUGE] = "huge",
    [FAULT_HTML] = "html",
    [FAULT_SLOW] = "slow",
    [FAULT_UNREACHABLE] = "unreachable",
    [FAULT_SKEW] = "skew",
    [FAULT_WRONG_CERTIFICATE] = "wrong_certificate",
    [FAULT_DENY] = "deny",
    [FAULT_DENY_LOGIN] = "deny_login",
    [FAULT_EXPIRE_TOKENS] = "expire_tokens",
    [FAULT_PUSH_ABSENT] = "push_absent",
    [FAULT_PUSH_REFUSE] = "push_refuse",
    [FAULT_PUSH_SILENT] = "push_silent",
    [FAULT_PUSH_GARBAGE] = "push_garbage",
    [FAULT_PUSH_TEXT] = "push_text",
    [FAULT_PUSH_FRAGMENT] = "push_fragment",
    [FAULT_PUSH_HUGE] = "push_huge",
    [FAULT_PUSH_CUT] = "push_cut",
};

fault_kind_t
fault_kind_parse (const char *word)
{
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        if (strcmp (NAMES [kind], word) == 0) {
            return (fault_kind_t) kind;
        }
    }
    return FAULT_NONE;
}

const char *
fault_kind_name (fault_kind_t kind)
{
    assert (kind >= 0 && kind < FAULT_KIND_COUNT);
    return NAMES [kind];
}

const char *
fault_kind_words (void)
{
    return "throttle, error500, cut, huge, html, slow, unreachable, skew, wrong_certificate, "
           "deny, deny_login, expire_tokens, push_absent, push_refuse, push_silent, push_garbage, "
           "push_text, push_fragment, push_huge or push_cut";
}

faults_t *
faults_new (void)
{
    return calloc (1, sizeof (faults_t));
}

void
faults_destroy (faults_t **self_p)
{
    assert (self_p);

    free (*self_p);
    *self_p = NULL;
}

int
faults_add (faults_t *self, const fault_t *fault, reason_t *why)
{
    if (self->count == FAULTS_MAX) {
        return reason_set (why, -ENOSPC, "%d faults are set already; POST /_sim/reset clears them",
                           FAULTS_MAX);
    }
    self->list [self->count++] = *fault;
    self->version++;
    return 0;
}

void
faults_clear (faults_t *self)
{
    self->count = 0;
}

static void
forget_ended (faults_t *self, time_us_t steady)
{
    size_t kept = 0;

    for (size_t i = 0; i < self->count; i++) {
        if (self->list [i].count > 0 && self->list [i].until_steady > steady) {
            self->list [kept++] = self->list [i];
        }
    }
    self->count = kept;
}

static bool
concerns (const fault_t *fault, const char *api, const char *instance)
{
    return (strcmp (fault->api, FAULT_API_ANY) == 0 || strcmp (fault->api, api) == 0) &&
           (!fault->instance [0] || strcmp (fault->instance, instance) == 0);
}

bool
faults_take (faults_t *self, const char *api, const char *instance, unsigned kinds,
             time_us_t steady, fault_t *taken)
{
    forget_ended (self, steady);
    for (size_t i = 0; i < self->count; i++) {
        fault_t *fault = &self->list [i];
        if ((kinds & (1u << fault->kind)) && concerns (fault, api, instance)) {
            *taken = *fault;
            fault->count -= fault->count != FAULTS_ALWAYS;
            return true;
        }
    }
    return false;
}

bool
faults_hold (const faults_t *self, const char *api, const char *instance, fault_kind_t kind,
             time_us_t steady)
{
    for (size_t i = 0; i < self->count; i++) {
        const fault_t *fault = &self->list [i];
        if (fault->kind == kind && fault->count == FAULTS_ALWAYS && fault->until_steady > steady &&
            concerns (fault, api, instance)) {
            return true;
        }
    }
    return false;
}

bool
faults_concern (const faults_t *self, const char *api, const char *instance, unsigned kinds,
                time_us_t steady)
{
    for (size_t i = 0; i < self->count; i++) {
        const fault_t *fault = &self->list [i];
        if ((kinds & (1u << fault->kind)) && fault->count > 0 && fault->until_steady > steady &&
            concerns (fault, api, instance)) {
            return true;
        }
    }
    return false;
}

uint64_t
faults_version (const faults_t *self)
{
    return self->version;
}

void
faults_forget (faults_t *self, fault_kind_t kind)
{
    size_t kept = 0;

    for (size_t i = 0; i < self->count; i++) {
        if (self->list [i].kind != kind) {
            self->list [kept++] = self->list [i];
        }
    }
    self->count = kept;
}

// SPDX-License-Identifier: MIT

#include "accounts.h"

#include "../../common/buffer.h"
#include "../../common/cleanup.h"
#include "../../common/digest.h"
#include "../../common/ini_file.h"
#include "endpoints.h"
#include "origin.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct aws_accounts {
    aws_account_t list [AWS_ACCOUNTS_MAX];
    size_t count;
    const char *otherwise;  //  regions of an account that names none; borrowed while reading
    buffer_t regions;
    uint64_t digest;
    const char *names [AWS_ACCOUNTS_MAX];  //  scratch of aws_accounts_of_region
};

//  --- the file

static const struct {
    const char *key;
    size_t offset;
} KEYS [] = {
    {"role_arn", offsetof (aws_account_t, role_arn)},
    {"regions", offsetof (aws_account_t, regions)},
    {"external_id", offsetof (aws_account_t, external_id)},
    {"session_name", offsetof (aws_account_t, session_name)},
};

//  It becomes part of metrics, messages and of the names of units.
static bool
is_name (const char *text)
{
    size_t size = strlen (text);

    for (size_t i = 0; i < size; i++) {
        if (!isalnum ((unsigned char) text [i]) && !strchr ("._-", text [i])) {
            return false;
        }
    }
    return size > 0 && size <= AWS_ACCOUNT_NAME_MAX;
}

static int
begin_account (aws_accounts_t *self, const char *name, reason_t *why)
{
    if (!is_name (name)) {
        return reason_set (
            why, -EINVAL, "[%.80s]: an account's name is 1 to %d of letters, digits, '.', '_', '-'",
            name, AWS_ACCOUNT_NAME_MAX);
    }
    if (aws_accounts_find (self, name)) {
        return reason_set (why, -EINVAL, "[%s] is there twice", name);
    }
    if (self->count == AWS_ACCOUNTS_MAX) {
        return reason_set (why, -E2BIG, "more than %d accounts", AWS_ACCOUNTS_MAX);
    }
    aws_account_t *account = &self->list [self->count];
    *account = (aws_account_t){.name = strdup (name)};
    if (!account->name) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    self->count++;
    return 0;
}

static int
take_line (void *argument, const char *section, const char *key, const char *value, reason_t *why)
{
    aws_accounts_t *self = argument;
    uint64_t line = digest_more (DIGEST_START, section);

    self->digest += key ? digest_more (digest_more (line, key), value) : line;
    if (!key) {
        return begin_account (self, section, why);
    }
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        if (strcmp (KEYS [i].key, key) != 0) {
            continue;
        }
        aws_account_t *account = &self->list [self->count - 1];
        char **slot = (char **) (void *) ((char *) account + KEYS [i].offset);
        if (*slot || !*value) {
            return reason_set (why, -EINVAL, "%s %s", key,
                               *slot ? "is there twice" : "has no value");
        }
        *slot = strdup (value);
        return *slot ? 0 : reason_set (why, -ENOMEM, "out of memory");
    }
    return reason_set (
        why, -ENOENT, "unknown key '%.60s'; there are role_arn, regions, external_id, session_name",
        key);
}

//  --- what it says, together

//  "111122223333" of arn:aws:iam::111122223333:role/reader.
static void
take_id (aws_account_t *account)
{
    const char *at = strstr (account->role_arn, "::");

    if (at && strspn (at + 2, "0123456789") == AWS_ACCOUNT_ID_SIZE - 1) {
        memcpy (account->id, at + 2, AWS_ACCOUNT_ID_SIZE - 1);
    }
}

static int
complete (aws_accounts_t *self, aws_account_t *account, reason_t *why)
{
    if (!account->regions) {
        account->regions = strdup (self->otherwise);
    }
    if (!account->session_name) {
        account->session_name = strdup ("cmlwatch");
    }
    if (!account->regions || !account->session_name) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    if (account->role_arn) {
        take_id (account);
    }
    if (account->role_arn && (!account->id [0] || !aws_role_arn_is_valid (account->role_arn))) {
        return reason_set (why, -EINVAL, "account %s: role_arn = '%.100s' is not the ARN of a role",
                           account->name, account->role_arn);
    }
    if (!aws_session_name_is_valid (account->session_name)) {
        return reason_set (why, -EINVAL,
                           "account %s: session_name = '%.80s' is not 2 to 64 of letters, digits "
                           "and _+=,.@-",
                           account->name, account->session_name);
    }
    if (account->external_id && !account->role_arn) {
        return reason_set (why, -EINVAL, "account %s: external_id is for a role", account->name);
    }
    reason_t regions = {0};
    int rc = aws_regions_check (account->regions, &regions);
    return rc < 0 ? reason_set (why, rc, "account %s: %.400s", account->name, regions.text) : 0;
}

//  Two that are one would be read twice in each region they share.
static int
check_together (const aws_accounts_t *self, reason_t *why)
{
    for (size_t i = 0; i < self->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp (self->list [i].id, self->list [j].id) == 0) {
                return reason_set (why, -EINVAL, "accounts %s and %s are one: %s",
                                   self->list [j].name, self->list [i].name,
                                   self->list [i].id [0] ? self->list [i].id
                                                         : "that of the keys, without role_arn");
            }
        }
    }
    return self->count > 0 ? 0 : reason_set (why, -EINVAL, "no [section], so no account");
}

//  True when a comma list has this word.
static bool
lists (const char *list, const char *word, size_t size)
{
    for (list += strspn (list, ", "); *list; list += strspn (list, ", ")) {
        size_t length = strcspn (list, ", ");
        if (length == size && strncmp (list, word, size) == 0) {
            return true;
        }
        list += length;
    }
    return false;
}

static int
join_regions (aws_accounts_t *self)
{
    buffer_t *all = &self->regions;

    buffer_text (all, "");
    for (size_t i = 0; i < self->count; i++) {
        const char *at = self->list [i].regions;
        for (at += strspn (at, ", "); *at && !buffer_failed (all); at += strspn (at, ", ")) {
            size_t size = strcspn (at, ", ");
            if (!lists (all->data, at, size)) {
                buffer_format (all, "%s%.*s", all->size > 0 ? "," : "", (int) size, at);
            }
            at += size;
        }
    }
    return buffer_failed (all) ? -ENOMEM : 0;
}

static int
read_file (aws_accounts_t *self, const char *path, reason_t *why)
{
    reason_t what = {0};

    int rc = ini_file_read (path, false, take_line, self, why);
    for (size_t i = 0; rc == 0 && i < self->count; i++) {
        rc = complete (self, &self->list [i], &what);
    }
    rc = rc < 0 ? rc : check_together (self, &what);
    if (rc < 0 && what.text [0]) {
        reason_set (why, rc, "%.150s: %.340s", path, what.text);
    }
    return rc;
}

aws_accounts_t *
aws_accounts_read (const char *path, const char *regions, reason_t *why)
{
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->otherwise = regions;
    if (*path) {
        if (read_file (self, path, why) < 0) {
            return NULL;
        }
    } else {
        self->count = 1;
        self->list [0] = (aws_account_t){.name = strdup ("")};
        if (!self->list [0].name || complete (self, &self->list [0], why) < 0) {
            return NULL;
        }
    }
    if (join_regions (self) < 0) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    return take_ptr (self);
}

void
aws_accounts_destroy (aws_accounts_t **self_p)
{
    assert (self_p);

    aws_accounts_t *self = take_ptr (*self_p);
    if (self) {
        for (size_t i = 0; i < self->count; i++) {
            free (self->list [i].name);
            free (self->list [i].role_arn);
            free (self->list [i].external_id);
            free (self->list [i].session_name);
            free (self->list [i].regions);
        }
        buffer_clear (&self->regions);
        free (self);
    }
}

//  --- who

size_t
aws_accounts_count (const aws_accounts_t *self)
{
    return self->count;
}

const aws_account_t *
aws_accounts_at (const aws_accounts_t *self, size_t index)
{
    assert (index < self->count);
    return &self->list [index];
}

const aws_account_t *
aws_accounts_find (const aws_accounts_t *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->list [i].name, name) == 0) {
            return &self->list [i];
        }
    }
    return NULL;
}

const char *
aws_accounts_regions (const aws_accounts_t *self)
{
    return self->regions.data;
}

const char *const *
aws_accounts_of_region (aws_accounts_t *self, const char *region, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (lists (self->list [i].regions, region, strlen (region))) {
            self->names [(*count)++] = self->list [i].name;
        }
    }
    return self->names;
}

uint64_t
aws_accounts_digest (const aws_accounts_t *self)
{
    return self->digest;
}

int
aws_accounts_check (const void *settings, reason_t *why)
{
    const collector_settings_t *own = settings;
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *self =
        aws_accounts_read (own->accounts, own->regions, why);

    return self ? 0 : -EINVAL;
}

aws_span_t
aws_accounts_span (aws_accounts_t *self)
{
    aws_span_t span = {.accounts = self->count};
    const char *list = self->regions.data;

    for (list += strspn (list, ", "); *list; list += strspn (list, ", ")) {
        size_t size = strcspn (list, ", ");
        for (size_t i = 0; i < self->count; i++) {
            span.units += lists (self->list [i].regions, list, size);
        }
        list += size;
    }
    return span;
}

aws_span_t
aws_accounts_span_of (const collector_settings_t *settings)
{
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *self =
        aws_accounts_read (settings->accounts, settings->regions, NULL);

    return self ? aws_accounts_span (self) : (aws_span_t){0};
}

bool
aws_accounts_owns (const aws_accounts_t *self, const aws_account_t *account,
                   const collector_worker_t *worker)
{
    size_t readers = 0;
    bool is_anothers = false;

    for (size_t i = 0; i < self->count; i++) {
        readers += lists (self->list [i].regions, worker->region, strlen (worker->region));
        is_anothers |= strcmp (self->list [i].id, worker->account_id) == 0;
    }
    if (readers < 2) {
        return true;
    }
    if (!worker->account_id [0]) {
        return false;
    }
    return account->id [0] ? strcmp (account->id, worker->account_id) == 0 : !is_anothers;
}

const char *
aws_accounts_of_worker (const aws_accounts_t *self, const collector_worker_t *worker)
{
    for (size_t i = 0; i < self->count; i++) {
        const aws_account_t *account = &self->list [i];
        if (lists (account->regions, worker->region, strlen (worker->region)) &&
            aws_accounts_owns (self, account, worker)) {
            return account->name;
        }
    }
    return NULL;
}

const collector_worker_t **
aws_accounts_workers (const aws_accounts_t *self, const collector_round_t *round, size_t *count)
{
    size_t all;
    const collector_worker_t *const *leased =
        collector_workers (collector_round_core (round), collector_round_region (round), &all);
    const aws_account_t *own = aws_accounts_find (self, collector_round_account (round));
    const collector_worker_t **found = calloc (all + 1, sizeof (collector_worker_t *));

    *count = 0;
    for (size_t i = 0; found && own && i < all; i++) {
        if (aws_accounts_owns (self, own, leased [i])) {
            //  -fanalyzer: found is asked for by the loop's condition
            found [(*count)++] = leased [i];
        }
    }
    return found;
}

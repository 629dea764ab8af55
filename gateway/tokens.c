// tokens.c - see tokens.h.
//
// SPDX-License-Identifier: MIT

#include "tokens.h"

#include "../common/cleanup.h"
#include "same_file.h"

#include <czmq.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_BYTES      32
#define HASH_TEXT_BYTES ((size_t) 64)
#define HASH_PLACE      "sha256:"
#define WHAT_IS_RIGHT                                                                              \
    "a line is `name viewer|operator|admin sha256:<64 hex digits> [regions=a,b] [worker_ids=a,b] " \
    "[expires=2027-01-01T00:00:00Z]`"

struct tokens {
    char *path;
    struct stat seen;  //  of the file, when it was read
    zhashx_t *by_hash;
};

DEFINE_CLEANUP (file_close, FILE *, fclose)
DEFINE_CLEANUP (free_text, char *, free)

static void
destroy_identity (void **identity_p)
{
    identity_t *identity = *identity_p;

    identity_release (&identity);
    *identity_p = NULL;
}

static int
take_option (identity_t *identity, const char *word, reason_t *why)
{
    time_us_t expires;

    if (strncmp (word, "regions=", 8) == 0) {
        return view_limit_regions (identity->view, word + 8, why);
    }
    if (strncmp (word, "worker_ids=", 11) == 0) {
        return view_limit_workers (identity->view, word + 11, why);
    }
    if (strncmp (word, "expires=", 8) == 0 && clock_parse (word + 8, &expires) == 0) {
        identity->expires_at = expires;
        return 0;
    }
    return reason_set (why, -EINVAL, "'%.80s' is no option; %s", word, WHAT_IS_RIGHT);
}

//  One line, without its comment. It is cut to pieces.
static int
take_line (zhashx_t *by_hash, char *line, reason_t *why)
{
    char *rest = NULL, *name = strtok_r (line, " \t\r\n", &rest);
    char *role = name ? strtok_r (NULL, " \t\r\n", &rest) : NULL;
    char *hash = role ? strtok_r (NULL, " \t\r\n", &rest) : NULL;
    size_t place = strlen (HASH_PLACE);

    if (!name) {
        return 0;
    }
    if (!hash || role_of_text (role) == ROLE_NONE || strncmp (hash, HASH_PLACE, place) != 0 ||
        strlen (hash) != place + HASH_TEXT_BYTES ||
        strspn (hash + place, "0123456789abcdef") != HASH_TEXT_BYTES) {
        return reason_set (why, -EINVAL, "%s", WHAT_IS_RIGHT);
    }
    if (zhashx_size (by_hash) == TOKENS_MOST || zhashx_lookup (by_hash, hash + place)) {
        return reason_set (why, -EINVAL, "the token stands here twice, or is one of over %d",
                           TOKENS_MOST);
    }
    _cleanup_ (identity_release) identity_t *identity = identity_new (name, role_of_text (role));
    if (!identity) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    snprintf (identity->credential, sizeof identity->credential, "%s", hash + place);
    for (char *word; (word = strtok_r (NULL, " \t\r\n", &rest));) {
        if (take_option (identity, word, why) < 0) {
            return -EINVAL;
        }
    }
    zhashx_insert (by_hash, identity->credential, identity);
    take_ptr (identity);
    return 0;
}

static int
take_file (zhashx_t *by_hash, FILE *file, const char *path, reason_t *why)
{
    _cleanup_ (free_text) char *line = NULL;
    size_t room = 0;
    reason_t cause = {0};

    ssize_t size;

    for (int number = 1; (size = getline (&line, &room, file)) >= 0; number++) {
        if (strlen (line) != (size_t) size) {
            return reason_set (why, -EINVAL, "%s, line %d: it has a NUL byte", path, number);
        }
        line [strcspn (line, "#")] = '\0';
        if (take_line (by_hash, line, &cause) < 0) {
            return reason_set (why, -EINVAL, "%s, line %d: %s", path, number, cause.text);
        }
    }
    //  What came before is not all: a directory opens, and fails here.
    return feof (file) ? 0
                       : reason_set (why, -EIO, "%s: cannot be read: %s", path, strerror (errno));
}

static int
load (tokens_t *self, reason_t *why)
{
    _cleanup_ (file_close) FILE *file = fopen (self->path, "re");
    struct stat now;

    if (!file || fstat (fileno (file), &now) < 0) {
        return reason_set (why, -errno, "tokens_file: %s: %s", self->path, strerror (errno));
    }
    zhashx_t *by_hash = zhashx_new ();
    zhashx_set_destructor (by_hash, destroy_identity);
    int rc = take_file (by_hash, file, self->path, why);
    self->seen = now;
    if (rc == -EIO) {
        self->seen = (struct stat){0};  //  which may go better the next time
    }
    if (rc < 0) {
        zhashx_destroy (&by_hash);
        return rc;
    }
    zhashx_destroy (&self->by_hash);
    self->by_hash = by_hash;
    return 1;
}

tokens_t *
tokens_new (const char *path, reason_t *why)
{
    _cleanup_ (tokens_destroy) tokens_t *self = calloc (1, sizeof *self);

    if (!self || !(self->path = strdup (path))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    return load (self, why) < 0 ? NULL : take_ptr (self);
}

void
tokens_destroy (tokens_t **self_p)
{
    tokens_t *self = *self_p;

    if (self) {
        zhashx_destroy (&self->by_hash);
        free (self->path);
        free (self);
        *self_p = NULL;
    }
}

int
tokens_refresh (tokens_t *self, reason_t *why)
{
    struct stat now;

    if (stat (self->path, &now) < 0) {
        return reason_set (why, -errno, "tokens_file: %s: %s", self->path, strerror (errno));
    }
    return same_file (&now, &self->seen) ? 0 : load (self, why);
}

identity_t *
tokens_find (const tokens_t *self, const char *token, size_t size)
{
    unsigned char hash [HASH_BYTES];
    char text [HASH_TEXT_BYTES + 1];

    if (gnutls_hash_fast (GNUTLS_DIG_SHA256, token, size, hash) < 0) {
        return NULL;
    }
    for (size_t i = 0; i < HASH_BYTES; i++) {
        snprintf (text + 2 * i, 3, "%02x", hash [i]);
    }
    return zhashx_lookup (self->by_hash, text);
}

bool
tokens_stand_for (const tokens_t *self, const identity_t *identity)
{
    const identity_t *line = zhashx_lookup (self->by_hash, identity->credential);

    return line && line->role == identity->role && strcmp (line->name, identity->name) == 0 &&
           view_equal (line->view, identity->view) &&
           (line->expires_at == 0 ||
            (identity->expires_at > 0 && identity->expires_at <= line->expires_at));
}

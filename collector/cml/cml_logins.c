// SPDX-License-Identifier: MIT

#include "cml_logins.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"

#include <assert.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n"
#define TAG    "tag:"

typedef struct row {
    char *tag;      //  null: of the name or the instance id
    char *pattern;  //  null: the default
    char *username, *password;
    cml_account_t account;
} row_t;

struct cml_logins {
    row_t *rows;  //  the default is the last
    size_t count;
};

DEFINE_CLEANUP (file_close, FILE *, fclose)

static void
secret_destroy (char **self_p)
{
    if (*self_p) {
        explicit_bzero (*self_p, strlen (*self_p));
        free (*self_p);
        *self_p = NULL;
    }
}

static void
row_clear (row_t *self)
{
    free (self->tag);
    free (self->pattern);
    free (self->username);
    secret_destroy (&self->password);
}

//  Null pattern: the default. Takes the password over, whatever comes of it.
static int
add (cml_logins_t *self, const char *pattern, const char *username, char *password)
{
    const char *equals = pattern ? strchr (pattern, '=') : NULL;
    bool is_tag = equals && strncmp (pattern, TAG, strlen (TAG)) == 0;
    row_t *rows = realloc (self->rows, (self->count + 1) * sizeof *rows);

    if (!rows) {
        secret_destroy (&password);
        return -ENOMEM;
    }
    self->rows = rows;
    row_t *row = &rows [self->count++];
    *row = (row_t){.username = strdup (username), .password = password};
    if (is_tag) {
        row->tag = strndup (pattern + strlen (TAG), (size_t) (equals - pattern) - strlen (TAG));
    }
    if (pattern) {
        row->pattern = strdup (is_tag ? equals + 1 : pattern);
    }
    row->account = (cml_account_t){row->username, row->password};
    bool failed =
        !row->username || !row->password || (pattern && !row->pattern) || (is_tag && !row->tag);
    return failed ? -ENOMEM : 0;
}

//  --- the file

static char *
trim_end (char *line)
{
    char *end = line + strlen (line);

    while (end > line && strchr (BLANKS, end [-1])) {
        *--end = '\0';
    }
    return end;
}

//  The last word of a line, which loses it; null: it is the only one.
static char *
take_last_word (char *line)
{
    char *end = trim_end (line);

    while (end > line && !strchr (BLANKS, end [-1])) {
        end--;
    }
    if (end == line) {
        return NULL;
    }
    end [-1] = '\0';
    return end;
}

//  Its content without its last newline, as editors and `echo` leave one. Null and why.
static char *
read_password (const char *path, const char *where, unsigned number, reason_t *why)
{
    char text [CML_PASSWORD_MAX + 2];
    _cleanup_ (file_close) FILE *file = fopen (path, "re");
    size_t size = file ? fread (text, 1, sizeof text - 1, file) : 0;

    if (!file || ferror (file)) {
        reason_set (why, -errno, "%s:%u: cannot read %s: %s", where, number, path,
                    strerror (errno));
        return NULL;
    }
    text [size] = '\0';
    size -= size > 0 && text [size - 1] == '\n';
    size -= size > 0 && text [size - 1] == '\r';
    text [size] = '\0';
    bool is_one =
        size > 0 && size <= CML_PASSWORD_MAX && strlen (text) == size && !strpbrk (text, "\r\n");
    char *password = is_one ? strdup (text) : NULL;
    explicit_bzero (text, sizeof text);
    if (!password) {
        reason_set (why, -EINVAL, "%s:%u: %s does not hold one line of 1 to %d bytes", where,
                    number, path, CML_PASSWORD_MAX);
    }
    return password;
}

static int
read_line (cml_logins_t *self, char *line, const char *path, unsigned number, reason_t *why)
{
    line += strspn (line, BLANKS);
    if (!*line || *line == '#') {
        return 0;
    }
    char *file = take_last_word (line);
    char *username = file ? take_last_word (line) : NULL;
    if (!username || strlen (username) > CML_USERNAME_MAX ||
        (strncmp (line, TAG, strlen (TAG)) == 0 && !strchr (line, '='))) {
        return reason_set (why, -EINVAL,
                           "%s:%u: a line is `<pattern or tag:<key>=<pattern>> <username, at most "
                           "%d characters> <password file>`",
                           path, number, CML_USERNAME_MAX);
    }
    (void) trim_end (line);
    if (self->count >= CML_LOGINS_MAX) {
        return reason_set (why, -E2BIG, "%s:%u: more than %d logins", path, number, CML_LOGINS_MAX);
    }
    char *password = read_password (file, path, number, why);
    if (!password) {
        return -EINVAL;
    }
    int rc = add (self, line, username, password);
    return rc < 0 ? reason_set (why, rc, "%s:%u: out of memory", path, number) : 0;
}

static int
read_file (cml_logins_t *self, const char *path, reason_t *why)
{
    _cleanup_ (file_close) FILE *file = fopen (path, "re");
    char line [CML_LOGINS_LINE_MAX];

    if (!file) {
        return reason_set (why, -errno, "%s: %s", path, strerror (errno));
    }
    for (unsigned number = 1; fgets (line, sizeof line, file); number++) {
        if (!strchr (line, '\n') && !feof (file)) {
            return reason_set (why, -E2BIG, "%s:%u: longer than %d bytes", path, number,
                               CML_LOGINS_LINE_MAX - 2);
        }
        int rc = read_line (self, line, path, number, why);
        if (rc < 0) {
            return rc;
        }
    }
    return ferror (file) ? reason_set (why, -EIO, "%s: %s", path, strerror (errno)) : 0;
}

//  --- life

cml_logins_t *
cml_logins_new (const char *username, const char *password, const char *path, reason_t *why)
{
    _cleanup_ (cml_logins_destroy) cml_logins_t *self = calloc (1, sizeof *self);

    if (!self) {
        (void) reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    if (*path && read_file (self, path, why) < 0) {
        return NULL;
    }
    if (*username && add (self, NULL, username, strdup (password)) < 0) {
        (void) reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    return take_ptr (self);
}

void
cml_logins_destroy (cml_logins_t **self_p)
{
    assert (self_p);

    cml_logins_t *self = *self_p;
    if (self) {
        for (size_t i = 0; i < self->count; i++) {
            row_clear (&self->rows [i]);
        }
        free (self->rows);
        free (self);
        *self_p = NULL;
    }
}

static bool
fits (const row_t *row, const collector_worker_t *worker)
{
    if (!row->pattern) {
        return true;
    }
    if (row->tag) {
        const char *value = json_get_text (worker->tags, row->tag);
        return value && fnmatch (row->pattern, value, 0) == 0;
    }
    return fnmatch (row->pattern, worker->name, 0) == 0 ||
           fnmatch (row->pattern, worker->instance_id, 0) == 0;
}

const cml_account_t *
cml_logins_find (const cml_logins_t *self, const collector_worker_t *worker)
{
    for (size_t i = 0; i < self->count; i++) {
        if (fits (&self->rows [i], worker)) {
            return &self->rows [i].account;
        }
    }
    return NULL;
}

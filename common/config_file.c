// config_file.c - the file layer of config.h, on inih.
//
// Debian's inih cuts a line over its buffer in two and takes the rest for a new key, takes an
// indented line for another value of the key above, and tells its handler no line number, all
// without an error (traps 35). So it is fed by a line reader of ours, which counts lines and
// refuses both before inih sees them.
//
// SPDX-License-Identifier: MIT

#include "config.h"

#include "cleanup.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <string.h>

#define LINE_LONGEST 198  //  characters of a line; inih's INI_MAX_LINE is 200 in Debian's build

DEFINE_CLEANUP (file_close, FILE *, fclose)

typedef struct reader {
    FILE *file;
    const char *path;
    int line;
    int rc;
    const config_key_t *keys;
    void *settings;
    const char *section;
    reason_t *why;
} reader_t;

//  fgets for inih: one whole line, or the end when the line cannot be taken.
static char *
read_line (char *out, int size, void *stream)
{
    reader_t *self = stream;
    char line [1024];

    if (self->rc < 0 || !fgets (line, sizeof line, self->file)) {
        return NULL;
    }
    self->line++;
    size_t length = strcspn (line, "\r\n");
    char *text = self->line == 1 && strncmp (line, "\xef\xbb\xbf", 3) == 0 ? line + 3 : line;
    line [length] = '\0';
    if (length > LINE_LONGEST || (int) length + 2 > size) {
        self->rc = reason_set (self->why, -ERANGE, "%s:%d: the line is longer than %d characters",
                               self->path, self->line, LINE_LONGEST);
        return NULL;
    }
    size_t indent = strspn (text, " \t");
    if (indent > 0 && text [indent] && !strchr ("#;", text [indent])) {
        self->rc = reason_set (self->why, -EINVAL,
                               "%s:%d: the line is indented; a key begins in the first column",
                               self->path, self->line);
        return NULL;
    }
    snprintf (out, (size_t) size, "%s\n", text);
    return out;
}

static bool
is_known_section (const char *section)
{
    static const char *const KNOWN [] = {"aggregator", "gateway", "sim"};

    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (strcmp (section, KNOWN [i]) == 0) {
            return true;
        }
    }
    return strncmp (section, "collector-", 10) == 0;
}

static int
take_key (void *user, const char *section, const char *name, const char *value)
{
    reader_t *self = user;
    char where [300];

    snprintf (where, sizeof where, "%s:%d", self->path, self->line);
    if (strcmp (section, self->section) == 0) {
        self->rc = config_set (self->keys, self->settings, name, value, where, self->why);
    } else if (!is_known_section (section)) {
        self->rc = reason_set (self->why, -ENOENT,
                               "%s: no program has a section [%.60s]; there are [aggregator], "
                               "[gateway], [collector-ec2] and so on",
                               where, section);
    }
    return self->rc == 0;
}

int
config_read_file (const config_key_t *keys, void *settings, const char *section, const char *path,
                  reason_t *why)
{
    _cleanup_ (file_close) FILE *file = fopen (path, "re");
    if (!file) {
        return reason_set (why, -errno, "%s: %s", path, strerror (errno));
    }
    reader_t reader = {.file = file,
                       .path = path,
                       .keys = keys,
                       .settings = settings,
                       .section = section,
                       .why = why};
    int bad = ini_parse_stream (read_line, &reader, take_key, &reader);

    if (reader.rc < 0) {
        return reader.rc;
    }
    if (ferror (file)) {
        return reason_set (why, -EIO, "%s: cannot be read", path);
    }
    if (bad != 0) {
        return reason_set (why, -EINVAL,
                           "%s:%d: neither [section] nor key = value nor a comment with #", path,
                           bad);
    }
    return 0;
}

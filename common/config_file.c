// config_file.c - the file layer of config.h, on inih.
//
// Debian's inih cuts a line over its buffer in two and takes the rest for a new key, takes an
// indented line for another value of the key above, and tells its handler no line number, all
// without an error (traps 35). So it is fed by a line reader of ours, which counts lines and
// refuses both before inih sees them. A value in quotes is what stands between them, blanks and ';'
// as they are: while inih looks for comments, another sign stands for each of these ';'.
//
// SPDX-License-Identifier: MIT

#include "config.h"

#include "cleanup.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <string.h>

#define LINE_LONGEST    198  //  characters of a line; inih's INI_MAX_LINE is 200 in Debian's build
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define STAND_IN        '\x01'

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

static bool
is_known_section (const char *section)
{
    static const char *const KNOWN [] = {"aggregator", "gateway", "sim", "cli"};

    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (strcmp (section, KNOWN [i]) == 0) {
            return true;
        }
    }
    return strncmp (section, "collector-", 10) == 0;
}

//  A section nobody has is refused where it stands, whether or not it has keys.
static int
check_section (const reader_t *self, const char *text)
{
    char section [64];
    size_t size = strcspn (text + 1, "]");

    if (!text [1 + size]) {
        return reason_set (self->why, -EINVAL, "%s:%d: a line that begins with '[' is [section]",
                           self->path, self->line);
    }
    snprintf (section, sizeof section, "%.*s", (int) size, text + 1);
    if (is_known_section (section)) {
        return 0;
    }
    return reason_set (self->why, -ENOENT,
                       "%s:%d: no program has a section [%s]; there are [aggregator], [gateway], "
                       "[collector-ec2] and so on",
                       self->path, self->line, section);
}

//  In a value nobody means one, and one of them is the stand-in. In a comment it does no harm.
static int
check_signs (const reader_t *self, const char *text)
{
    for (; *text; text++) {
        if ((unsigned char) *text < ' ' && *text != '\t') {
            return reason_set (self->why, -EINVAL,
                               "%s:%d: the line has a control character, 0x%02x", self->path,
                               self->line, (unsigned) *text);
        }
    }
    return 0;
}

//  What inih would take without a word and not as it was meant.
static int
check_line (const reader_t *self, const char *text, size_t length)
{
    size_t indent = strspn (text, " \t");

    if (length > LINE_LONGEST) {
        return reason_set (self->why, -ERANGE, "%s:%d: the line is longer than %d characters",
                           self->path, self->line, LINE_LONGEST);
    }
    if (indent > 0 && text [indent] && !strchr ("#;", text [indent])) {
        return reason_set (self->why, -EINVAL,
                           "%s:%d: the line is indented; a key begins in the first column",
                           self->path, self->line);
    }
    if (*text == '[') {
        return check_section (self, text);
    }
    return text [indent] && strchr ("#;", text [indent]) ? 0 : check_signs (self, text);
}

//  Quotes are its first and its last sign.
static bool
is_quoted (const char *value, size_t size)
{
    return size >= 2 && *value == '"' && value [size - 1] == '"';
}

static void
replace (char *text, size_t size, char from, char to)
{
    for (size_t i = 0; i < size; i++) {
        text [i] = text [i] == from ? to : text [i];
    }
}

static void
hide_semicolons (char *line)
{
    char *value = line + strcspn (line, "=:");

    value += *value != '\0';
    value += strspn (value, " \t");
    size_t size = strlen (value);
    while (size > 0 && strchr (" \t", value [size - 1])) {
        size--;
    }
    if (is_quoted (value, size)) {
        replace (value, size, ';', STAND_IN);
    }
}

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
    if (!line [length] && length < sizeof line - 1 && !feof (self->file)) {
        self->rc = reason_set (self->why, -EINVAL, "%s:%d: the line has a NUL byte", self->path,
                               self->line);
        return NULL;
    }
    if (line [length] == '\r' && line [length + 1] && line [length + 1] != '\n') {
        self->rc = reason_set (self->why, -EINVAL, "%s:%d: the line has a carriage return within",
                               self->path, self->line);
        return NULL;
    }
    line [length] = '\0';
    size_t mark = self->line == 1 && strncmp (line, BYTE_ORDER_MARK, 3) == 0 ? 3 : 0;
    self->rc = check_line (self, line + mark, length - mark);
    if (self->rc < 0) {
        return NULL;
    }
    hide_semicolons (line + mark);
    snprintf (out, (size_t) size, "%s\n", line + mark);
    return out;
}

static int
take_key (void *user, const char *section, const char *name, const char *value)
{
    reader_t *self = user;
    char where [300], between [LINE_LONGEST + 1];
    size_t size = strlen (value);

    snprintf (where, sizeof where, "%s:%d", self->path, self->line);
    if (is_quoted (value, size)) {
        snprintf (between, sizeof between, "%.*s", (int) size - 2, value + 1);
        replace (between, size - 2, STAND_IN, ';');
        value = between;
        size = 0;  //  what it begins with is no comment's
    }
    if (size > 0 && *value == ';') {  //  inih takes it for a comment only behind a blank
        self->rc =
            reason_set (self->why, -EINVAL,
                        "%s: the value of '%.60s' begins with ';', as a comment does", where, name);
    } else if (strcmp (section, self->section) == 0) {
        self->rc = config_set (self->keys, self->settings, name, value, where, self->why);
    } else if (!*section) {
        self->rc =
            reason_set (self->why, -EINVAL, "%s: '%.60s' stands before any [section]", where, name);
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

// config.c - values, environment and flags; see config.h. The file is config_file.c's, what is
// printed of the table config_docs.c's.
//
// SPDX-License-Identifier: MIT

#include "config.h"

#include "buffer.h"
#include "cleanup.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
set_text (char *member, const char *value, const config_key_t *key, const char *where,
          reason_t *why)
{
    size_t size = strlen (value) + 1;

    if (size > CONFIG_TEXT_SIZE) {
        return reason_set (why, -ERANGE, "%s: %s is longer than %d characters", where, key->name,
                           CONFIG_TEXT_SIZE - 1);
    }
    if (strpbrk (value, "\r\n")) {
        return reason_set (why, -EINVAL, "%s: %s is a text of one line", where, key->name);
    }
    memcpy (member, value, size);
    return 0;
}

static int
set_integer (int64_t *member, const char *value, const config_key_t *key, const char *where,
             reason_t *why)
{
    char *end = NULL;
    errno = 0;
    int64_t number = strtoll (value, &end, 10);

    if (end == value || *end != '\0') {
        return reason_set (why, -EINVAL,
                           "%s: %s = '%.60s' is not a whole number within %" PRId64 " to %" PRId64,
                           where, key->name, value, key->least, key->most);
    }
    if (errno == ERANGE || number < key->least || number > key->most) {
        return reason_set (why, -ERANGE, "%s: %s = %.60s is not within %" PRId64 " to %" PRId64,
                           where, key->name, value, key->least, key->most);
    }
    *member = number;
    return 0;
}

static int
set_flag (bool *member, const char *value, const config_key_t *key, const char *where,
          reason_t *why)
{
    static const struct {
        const char *word;
        bool value;
    } WORDS [] = {{"yes", true}, {"true", true},   {"on", true},   {"1", true},
                  {"no", false}, {"false", false}, {"off", false}, {"0", false}};

    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        if (strcasecmp (value, WORDS [i].word) == 0) {
            *member = WORDS [i].value;
            return 0;
        }
    }
    return reason_set (why, -EINVAL, "%s: %s = '%.60s' is not yes or no", where, key->name, value);
}

static int
set_choice (int *member, const char *value, const config_key_t *key, const char *where,
            reason_t *why)
{
    char allowed [200] = "";

    for (int i = 0; key->choices [i]; i++) {
        if (strcmp (value, key->choices [i]) == 0) {
            *member = i;
            return 0;
        }
        size_t used = strlen (allowed);
        snprintf (allowed + used, sizeof allowed - used, "%s%s", i ? ", " : "", key->choices [i]);
    }
    return reason_set (why, -EINVAL, "%s: %s = '%.60s' is none of %s", where, key->name, value,
                       allowed);
}

//  Letters that differ, place by place and in length: enough to find a slip of the finger.
static size_t
distance (const char *a, const char *b)
{
    size_t rows [64] = {0}, columns = strlen (b);

    if (columns >= 63) {
        return columns;
    }
    for (size_t j = 0; j <= columns; j++) {
        rows [j] = j;
    }
    for (size_t i = 1; a [i - 1]; i++) {
        size_t corner = rows [0];
        rows [0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t change = corner + (a [i - 1] != b [j - 1]);
            size_t skip = (rows [j] < rows [j - 1] ? rows [j] : rows [j - 1]) + 1;
            corner = rows [j];
            rows [j] = change < skip ? change : skip;
        }
    }
    return rows [columns];
}

static const config_key_t *
find (const config_key_t *keys, const char *name)
{
    for (const config_key_t *key = keys; key->name; key++) {
        if (strcmp (key->name, name) == 0) {
            return key;
        }
    }
    return NULL;
}

static int
unknown_key (const config_key_t *keys, const char *name, const char *where, reason_t *why)
{
    const config_key_t *nearest = NULL;
    size_t least = 4;

    for (const config_key_t *key = keys; key->name; key++) {
        size_t far = distance (name, key->name);
        if (far < least) {
            least = far;
            nearest = key;
        }
    }
    return reason_set (why, -ENOENT, "%s: unknown key '%.60s'%s%s%s", where, name,
                       nearest ? "; is it " : "; --help lists them all",
                       nearest ? nearest->name : "", nearest ? "?" : "");
}

int
config_set (const config_key_t *keys, void *settings, const char *name, const char *value,
            const char *where, reason_t *why)
{
    const config_key_t *key = find (keys, name);
    if (!key) {
        return unknown_key (keys, name, where, why);
    }

    void *member = (char *) settings + key->offset;
    switch (key->kind) {
    case CONFIG_TEXT:
    case CONFIG_SECRET: return set_text (member, value, key, where, why);
    case CONFIG_INTEGER: return set_integer (member, value, key, where, why);
    case CONFIG_FLAG: return set_flag (member, value, key, where, why);
    case CONFIG_CHOICE: return set_choice (member, value, key, where, why);
    }
    assert (false && "a key's kind is one of config_kind_t");
    return -EINVAL;
}

void
config_init (const config_key_t *keys, void *settings)
{
    for (const config_key_t *key = keys; key->name; key++) {
        reason_t why = {0};
        int rc = config_set (keys, settings, key->name, key->initial, "default", &why);
        assert (rc == 0 && "a default obeys its own row");
        (void) rc;
    }
}

void
config_variable_name (char *out, size_t size, const char *section, const char *key)
{
    snprintf (out, size, "CMLWATCH_%s%s%s", section, *section ? "_" : "", key);
    for (; *out; out++) {
        *out = *out == '-' ? '_' : (char) toupper ((unsigned char) *out);
    }
}

DEFINE_CLEANUP (file_close, FILE *, fclose)

//  The secret is the file's content without its last newline, as editors and `echo` leave one.
int
config_read_secret (const config_key_t *keys, void *settings, const char *name, const char *path,
                    const char *where, reason_t *why)
{
    char value [CONFIG_TEXT_SIZE + 1];
    _cleanup_ (file_close) FILE *file = fopen (path, "re");
    if (!file) {
        return reason_set (why, -errno, "%s: cannot read %s: %s", where, path, strerror (errno));
    }
    size_t size = fread (value, 1, sizeof value - 1, file);
    if (ferror (file)) {  //  a directory opens, and fails here
        return reason_set (why, -EIO, "%s: cannot read %s: %s", where, path, strerror (errno));
    }
    size -= size > 0 && value [size - 1] == '\n';
    size -= size > 0 && value [size - 1] == '\r';
    value [size] = '\0';
    if (strlen (value) < size || strpbrk (value, "\r\n")) {
        return reason_set (why, -EINVAL, "%s: %s holds more than one line", where, path);
    }
    int rc = config_set (keys, settings, name, value, where, why);
    explicit_bzero (value, sizeof value);
    return rc;
}

//  What begins as ours must be ours: a misspelt variable would be a setting that does nothing.
static int
unknown_variable (const config_key_t *keys, const char *variable, size_t prefix_size, reason_t *why)
{
    char name [160];

    snprintf (name, sizeof name, "%s", variable + prefix_size);
    for (char *c = name; *c; c++) {
        *c = (char) tolower ((unsigned char) *c);
    }
    return unknown_key (keys, name, variable, why);
}

static int
read_variable (const config_key_t *keys, void *settings, const char *section, const char *variable,
               const char *value, reason_t *why)
{
    char name [160];

    for (const config_key_t *key = keys; key->name; key++) {
        config_variable_name (name, sizeof name, section, key->name);
        if (strcmp (name, variable) == 0) {
            return config_set (keys, settings, key->name, value, variable, why);
        }
        size_t size = strlen (name);
        if (strncmp (name, variable, size) != 0 || strcmp (variable + size, "_FILE") != 0) {
            continue;
        }
        if (key->kind != CONFIG_SECRET) {
            return reason_set (why, -EINVAL, "%s: only a secret is read from a file; set %s",
                               variable, name);
        }
        return config_read_secret (keys, settings, key->name, value, variable, why);
    }
    if (!*section) {
        return 0;
    }
    config_variable_name (name, sizeof name, section, "");
    return unknown_variable (keys, variable, strlen (name), why);
}

int
config_read_environment (const config_key_t *keys, void *settings, const char *section,
                         char **environment, reason_t *why)
{
    char prefix [80];

    config_variable_name (prefix, sizeof prefix, section, "");
    for (; environment && *environment; environment++) {
        const char *equals = strchr (*environment, '=');
        if (!equals || strncmp (*environment, prefix, strlen (prefix)) != 0) {
            continue;
        }
        char variable [160];
        snprintf (variable, sizeof variable, "%.*s", (int) (equals - *environment), *environment);
        int rc = read_variable (keys, settings, section, variable, equals + 1, why);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int
config_read_credentials (const config_key_t *keys, void *settings, const char *section,
                         const char *folder, reason_t *why)
{
    char path [512];

    for (const config_key_t *key = keys; folder && key->name; key++) {
        int size = snprintf (path, sizeof path, "%s/%s_%s", folder, section, key->name);
        if (key->kind != CONFIG_SECRET || size >= (int) sizeof path || access (path, F_OK) != 0) {
            continue;
        }
        int rc = config_read_secret (keys, settings, key->name, path, "credential", why);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int
config_read_flag (const config_key_t *keys, void *settings, int argc, char **argv, int *index,
                  reason_t *why)
{
    char name [80], where [96];
    const char *flag = argv [*index], *value = strchr (flag, '=');

    if (strncmp (flag, "--", 2) != 0 || strlen (flag) >= sizeof name) {
        return reason_set (why, -EINVAL, "'%.60s' is no flag; --help lists them all", flag);
    }
    snprintf (name, sizeof name, "%.*s", (int) strcspn (flag + 2, "="), flag + 2);
    snprintf (where, sizeof where, "--%s", name);
    for (char *c = name; *c; c++) {
        *c = *c == '-' ? '_' : *c;
    }
    const config_key_t *key = find (keys, name);
    if (!key) {
        return unknown_key (keys, name, where, why);
    }
    (*index)++;
    if (value) {
        return config_set (keys, settings, name, value + 1, where, why);
    }
    bool alone = *index >= argc || strncmp (argv [*index], "--", 2) == 0;
    if (key->kind == CONFIG_FLAG && alone) {
        return config_set (keys, settings, name, "yes", where, why);
    }
    if (*index >= argc) {
        return reason_set (why, -EINVAL, "%s wants a value", where);
    }
    return config_set (keys, settings, name, argv [(*index)++], where, why);
}

//  In quotes where a file's reader would take it for something else.
static void
print_text (const char *text, FILE *out)
{
    size_t size = strlen (text);
    bool quoted = strstr (text, " ;") || strstr (text, "\t;") || *text == ';' ||
                  (size > 0 && (strchr (" \t\"", *text) || strchr (" \t", text [size - 1])));

    fprintf (out, quoted ? "\"%s\"" : "%s", text);
}

static void
print_value (const config_key_t *key, const void *member, FILE *out)
{
    switch (key->kind) {
    case CONFIG_TEXT: print_text (member, out); return;
    case CONFIG_SECRET: fprintf (out, "%s", *(const char *) member ? "***" : ""); return;
    case CONFIG_INTEGER: fprintf (out, "%" PRId64, *(const int64_t *) member); return;
    case CONFIG_FLAG: fprintf (out, "%s", *(const bool *) member ? "yes" : "no"); return;
    case CONFIG_CHOICE: fprintf (out, "%s", key->choices [*(const int *) member]); return;
    }
}

void
config_print (const config_key_t *keys, const void *settings, const char *section, FILE *out)
{
    fprintf (out, "[%s]\n", section);
    for (const config_key_t *key = keys; key->name; key++) {
        fprintf (out, "%s = ", key->name);
        print_value (key, (const char *) settings + key->offset, out);
        fputc ('\n', out);
    }
}

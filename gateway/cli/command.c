// command.c - see command.h.
//
// SPDX-License-Identifier: MIT

#include "command.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "../../common/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct shared {  //  what section [cli] of the file may hold
    access_t access;
} shared_t;

const config_key_t COMMAND_SHARED [] = {COMMAND_KEYS (shared_t), {0}};

extern char **environ;

DEFINE_CLEANUP (settings_free, void *, free)

static void
print_help (const command_t *self)
{
    printf ("cmlwatch %s - %s\n\nusage: cmlwatch %s [flags]%s%s%s\n\n"
            "Flags win over the environment, which wins over section [cli] of --config FILE\n"
            "(%s, when it can be read; only --url to --timeout-ms),\nwhich wins over the "
            "defaults.\n\n",
            self->name, self->summary, self->name, self->operand ? " [" : "",
            self->operand ? self->operand : "", self->operand ? "]" : "", PROGRAM_CONFIG_FILE);
    config_print_help (self->keys, "", stdout);
    printf ("%s%s", self->notes ? "\n" : "", self->notes ? self->notes : "");
}

//  --config, which must be read before all others. Null: none was named.
static const char *
config_named (int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp (argv [i], "--config=", 9) == 0) {
            return argv [i] + 9;
        }
        if (strcmp (argv [i], "--config") == 0 && i + 1 < argc) {
            return argv [i + 1];
        }
    }
    return NULL;
}

//  The default file may be absent, and is often not for everybody to read: it has others' secrets.
static int
read_file (void *settings, const char *named, reason_t *why)
{
    const char *file = named ? named : PROGRAM_CONFIG_FILE;

    if (!named && access (file, R_OK) != 0) {
        return 0;
    }
    return config_read_file (COMMAND_SHARED, settings, "cli", file, why);
}

//  A switch never takes the word behind it, which may be an operand.
static bool
is_switch (const command_t *self, const char *flag)
{
    for (const config_key_t *key = self->keys; key->name; key++) {
        size_t size = strlen (key->name);
        bool same = strlen (flag) == size + 2 && strncmp (flag, "--", 2) == 0;
        for (size_t i = 0; same && i < size; i++) {
            same = key->name [i] == (flag [i + 2] == '-' ? '_' : flag [i + 2]);
        }
        if (same) {
            return key->kind == CONFIG_FLAG;
        }
    }
    return false;
}

static int
read_switch (const command_t *self, void *settings, const char *flag, reason_t *why)
{
    char text [128];
    char *argv [] = {text, NULL};
    int index = 0;

    snprintf (text, sizeof text, "%s=yes", flag);
    return config_read_flag (self->keys, settings, 1, argv, &index, why);
}

static int
read_flags (const command_t *self, void *settings, int argc, char **argv, reason_t *why)
{
    int rc = 0;

    for (int i = 1; rc == 0 && i < argc;) {
        if (strncmp (argv [i], "--config=", 9) == 0) {
            i++;
        } else if (strcmp (argv [i], "--config") == 0) {
            i += 2;
            rc = i > argc ? reason_set (why, -EINVAL, "--config wants a file") : 0;
        } else if (is_switch (self, argv [i])) {
            rc = read_switch (self, settings, argv [i++], why);
        } else if (argv [i][0] == '-' || !self->operand) {
            rc = config_read_flag (self->keys, settings, argc, argv, &i, why);
        } else {
            rc = config_set (self->keys, settings, "url", argv [i++], self->operand, why);
        }
    }
    return rc;
}

//  `host:port` is meant as http, as curl takes it; a slash at the end belongs to no path.
static int
settle_access (const command_t *self, void *settings, reason_t *why)
{
    access_t *own = settings;
    char url [CONFIG_TEXT_SIZE + 8];
    size_t size;

    snprintf (url, sizeof url, "%s%s", strstr (own->url, "://") ? "" : "http://", own->url);
    for (size = strlen (url); size > 0 && url [size - 1] == '/'; size--) {
        url [size - 1] = '\0';
    }
    if (size >= sizeof own->url || strpbrk (url, "?# \r\n")) {
        return reason_set (why, -EINVAL, "'%.200s' is no gateway's URL: http(s)://host[:port]",
                           own->url);
    }
    memcpy (own->url, url, size + 1);
    return *own->token_file ? config_read_secret (self->keys, settings, "token", own->token_file,
                                                  "--token-file", why)
                            : 0;
}

static int
read_layers (const command_t *self, void *settings, int argc, char **argv, reason_t *why)
{
    config_init (self->keys, settings);
    int rc = read_file (settings, config_named (argc, argv), why);
    rc = rc < 0 ? rc : config_read_environment (self->keys, settings, "", environ, why);
    rc = rc < 0 ? rc : read_flags (self, settings, argc, argv, why);
    return rc < 0 ? rc : settle_access (self, settings, why);
}

int
command_start (const command_t *self, int argc, char **argv)
{
    _cleanup_ (settings_free) void *settings = calloc (1, self->settings_size);
    reason_t why = {0};
    int code = EXIT_USAGE;

    for (int i = 1; i < argc; i++) {
        if (strcmp (argv [i], "--help") == 0 || strcmp (argv [i], "-h") == 0) {
            print_help (self);
            return EXIT_SUCCESS;
        }
    }
    log_open ("cmlwatch", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    if (settings && read_layers (self, settings, argc, argv, &why) == 0) {
        code = self->run (settings, &why);
    }
    if (why.text [0]) {
        fprintf (stderr, "cmlwatch %s: %s\n", self->name, why.text);
    }
    return code;
}

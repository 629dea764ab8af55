// program.c - see program.h.
//
// SPDX-License-Identifier: MIT

#include "program.h"

#include "log.h"
#include "version.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

const char *const PROGRAM_LOG_LEVELS [] = {"debug", "info", "warn", "error", NULL};
const char *const PROGRAM_LOG_FORMATS [] = {"logfmt", "json", NULL};

//  The command line, kept for a reload: the other thing a program has of its own.
static struct {
    int argc;
    char **argv;
} STARTED;

extern char **environ;

typedef struct request {
    const char *file;  //  null: the default, which may be missing
    bool help, version, check, man, completion;
} request_t;

const char *
program_version (void)
{
    return CMLWATCH_VERSION;
}

//  First pass: what is not a key of the table.
static int
read_request (request_t *request, int argc, char **argv, reason_t *why)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp (argv [i], "--help") == 0 || strcmp (argv [i], "-h") == 0) {
            request->help = true;
        } else if (strcmp (argv [i], "--version") == 0) {
            request->version = true;
        } else if (strcmp (argv [i], "--man") == 0) {
            request->man = true;
        } else if (strcmp (argv [i], "--completion") == 0) {
            request->completion = true;
        } else if (strcmp (argv [i], "--check-config") == 0) {
            request->check = true;
        } else if (strncmp (argv [i], "--config=", 9) == 0) {
            request->file = argv [i] + 9;
        } else if (strcmp (argv [i], "--config") == 0) {
            if (++i >= argc) {
                return reason_set (why, -EINVAL, "--config wants a file");
            }
            request->file = argv [i];
        }
    }
    return 0;
}

static bool
is_request (const char *flag, int *index)
{
    if (strcmp (flag, "--config") == 0) {
        *index += 2;
        return true;
    }
    if (strcmp (flag, "--check-config") == 0 || strncmp (flag, "--config=", 9) == 0) {
        (*index)++;
        return true;
    }
    return false;
}

static int
read_layers (const program_t *self, const request_t *request, void *settings, reason_t *why)
{
    memset (settings, 0, self->settings_size);
    config_init (self->keys, settings);

    const char *file = request->file ? request->file : PROGRAM_CONFIG_FILE;
    bool is_absent = access (file, F_OK) != 0 && errno == ENOENT;
    int rc = 0;
    if (request->file || !is_absent) {
        rc = config_read_file (self->keys, settings, self->section, file, why);
    }
    if (rc == 0) {
        rc = config_read_credentials (self->keys, settings, self->section,
                                      getenv ("CREDENTIALS_DIRECTORY"), why);
    }
    if (rc == 0) {
        rc = config_read_environment (self->keys, settings, self->section, environ, why);
    }
    for (int i = 1; rc == 0 && i < STARTED.argc;) {
        if (!is_request (STARTED.argv [i], &i)) {
            rc = config_read_flag (self->keys, settings, STARTED.argc, STARTED.argv, &i, why);
        }
    }
    if (rc == 0 && self->check) {
        rc = self->check (settings, why);
    }
    return rc;
}

static void
print_help (const program_t *self)
{
    printf (
        "%s - %s\n\nusage: %s [--config FILE] [--check-config] [--version] [--help] [flags]\n\n"
        "Flags win over the environment, which wins over section [%s] of %s,\n"
        "which wins over the defaults. A secret may also be named by a file: variable_FILE.\n\n",
        self->name, self->summary, self->name, self->section, PROGRAM_CONFIG_FILE);
    config_print_help (self->keys, self->section, stdout);
}

static void
raise_descriptor_limit (void)
{
    struct rlimit limit;

    if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit (RLIMIT_NOFILE, &limit);
    }
}

static void
open_log (const program_t *self, const void *settings)
{
    const program_settings_t *own = settings;
    log_open (self->name, (log_level_t) own->log_level, (log_format_t) own->log_format);
}

program_start_t
program_start (const program_t *self, int argc, char **argv, void *settings, reason_t *why)
{
    request_t request = {0};

    STARTED.argc = argc;
    STARTED.argv = argv;
    if (read_request (&request, argc, argv, why) < 0) {
        return PROGRAM_REFUSED;
    }
    if (request.help) {
        print_help (self);
        return PROGRAM_ANSWERED;
    }
    if (request.man || request.completion) {
        (request.man ? program_print_man : program_print_completion) (self, stdout);
        return PROGRAM_ANSWERED;
    }
    if (request.version) {
        printf ("%s %s\n", self->name, program_version ());
        return PROGRAM_ANSWERED;
    }
    if (read_layers (self, &request, settings, why) < 0) {
        return PROGRAM_REFUSED;
    }
    if (request.check) {
        config_print (self->keys, settings, self->section, stdout);
        if (self->explain) {
            self->explain (settings, stdout);
        }
        return PROGRAM_ANSWERED;
    }
    open_log (self, settings);
    raise_descriptor_limit ();
    return PROGRAM_RUN;
}

int
program_reload (const program_t *self, void *settings, reason_t *why)
{
    request_t request = {0};

    assert (STARTED.argv && "program_start was called before");
    int rc = read_request (&request, STARTED.argc, STARTED.argv, why);
    if (rc == 0) {
        rc = read_layers (self, &request, settings, why);
    }
    if (rc == 0) {
        open_log (self, settings);
    }
    return rc;
}

int
program_refuse (const program_t *self, const reason_t *why)
{
    fprintf (stderr, "%s: %s\n", self->name, why->text);
    return EXIT_REFUSED;
}

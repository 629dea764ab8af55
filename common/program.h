// program.h - what every program does before and beside its own work.
//
// --help, --version, --check-config, --config FILE; the four layers of configuration; the
// log; SIGHUP. A program describes itself in a program_t and embeds program_settings_t as
// the first member of its settings, with PROGRAM_KEYS at the head of its table.
// Exit codes: 0 done, 1 failed while running, 2 refused what it was told.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_PROGRAM_H
#define COMMON_PROGRAM_H

#include "config.h"
#include "reason.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PROGRAM_CONFIG_FILE "/etc/cmlwatch/cmlwatch.conf"  //  read when it exists
#define EXIT_REFUSED        2

typedef struct program_settings {
    int log_level;   //  log_level_t
    int log_format;  //  log_format_t
    int64_t drain_ms;
} program_settings_t;

extern const char *const PROGRAM_LOG_LEVELS [];   //  debug info warn error
extern const char *const PROGRAM_LOG_FORMATS [];  //  logfmt json

//  The first rows of each program's table; settings_t's first member is
//  `program_settings_t program`.
// clang-format off
#define PROGRAM_KEYS(settings_t)                                                                                                          \
    {"log_level",  CONFIG_CHOICE,  offsetof (settings_t, program.log_level),  "info",   0, 0,     PROGRAM_LOG_LEVELS,  "least level that is written"}, \
    {"log_format", CONFIG_CHOICE,  offsetof (settings_t, program.log_format), "logfmt", 0, 0,     PROGRAM_LOG_FORMATS, "form of a log line on stderr"}, \
    {"drain_ms",   CONFIG_INTEGER, offsetof (settings_t, program.drain_ms),   "5000",   0, 60000, NULL,                "longest time from SIGTERM to the end; what is not flushed by then is dropped and counted"}
// clang-format on

typedef struct program {
    const char *name;     //  "cmlwatch-aggregator"
    const char *section;  //  "aggregator"
    const char *summary;  //  one line for --help
    const config_key_t *keys;
    size_t settings_size;
    //  Checks what one key cannot say (two keys together, a reachable file). Optional.
    int (*check) (const void *settings, reason_t *why);
    //  Adds to --check-config (calls and cost a month). Optional.
    void (*explain) (const void *settings, FILE *out);
} program_t;

typedef enum program_start { PROGRAM_RUN, PROGRAM_ANSWERED, PROGRAM_REFUSED } program_start_t;

//  Reads all layers into settings and opens the log; RLIMIT_NOFILE is raised to its hard
//  limit. PROGRAM_ANSWERED: --help and the like were printed. PROGRAM_REFUSED: why says it.
program_start_t program_start (const program_t *self, int argc, char **argv, void *settings,
                               reason_t *why);

//  Reads all layers again into settings (for SIGHUP); argv as given to program_start,
//  which remembers it. On failure settings is not to be used and the old ones stay.
int program_reload (const program_t *self, void *settings, reason_t *why);

//  Prints `<program>: <why>` to stderr; returns EXIT_REFUSED, or EXIT_FAILURE for a fault
//  that is not the configuration's.
int program_refuse (const program_t *self, const reason_t *why);

//  What --man and --completion print, for `make install`: a page in the man(7) macros, and a
//  function for bash. Both come from the program's table, as --help does.
void program_print_man (const program_t *self, FILE *out);
void program_print_completion (const program_t *self, FILE *out);

//  What all pages begin with, and what all completions begin and end with; words= and files= are set
//  between the two. For those that are no program_t.
void program_print_title (const char *name, int section, const char *summary, FILE *out);
void program_open_completion (const char *name, const char *function, FILE *out);
void program_close_completion (const char *name, const char *function, FILE *out);

const char *program_version (void);  //  of git, from the build

#endif

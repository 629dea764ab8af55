// command.h - a subcommand of cmlwatch: a row that says what it is called, what it may be told, and
// the function that does it.
//
// main.c has the list of them; a new one is a file that ends in its `const command_t`, and a line
// there. Settings are a table as in all programs (common/config.h), so the help of each comes out of
// it: flags over environment (CMLWATCH_<KEY>) over section [cli] of the file over defaults. The
// section has only what all subcommands share, COMMAND_KEYS.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_COMMAND_H
#define GATEWAY_CLI_COMMAND_H

#include "../../common/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMAND_URL_DEFAULT "http://127.0.0.1:8080"

//  Codes of exit; doctor has its own.
#define EXIT_USAGE 2  //  what was told makes no sense
#define EXIT_GAP   3  //  tail: some events were lost for good

typedef struct access {  //  how to reach a gateway; the first member of each command's settings
    char url [CONFIG_TEXT_SIZE], token [CONFIG_TEXT_SIZE], token_file [CONFIG_TEXT_SIZE],
        cacert [CONFIG_TEXT_SIZE];
    int64_t timeout_ms;
} access_t;

//  The first rows of each table; settings_t's first member is `access_t access`.
// clang-format off
#define COMMAND_KEYS(settings_t) \
    {"url",        CONFIG_TEXT,    offsetof (settings_t, access.url),        COMMAND_URL_DEFAULT, 0, 0, NULL, "the gateway"}, \
    {"token",      CONFIG_SECRET,  offsetof (settings_t, access.token),      "", 0, 0, NULL, "token to log in with; rather by the variable or a file, for others see a command line"}, \
    {"token_file", CONFIG_TEXT,    offsetof (settings_t, access.token_file), "", 0, 0, NULL, "file that holds the token"}, \
    {"cacert",     CONFIG_TEXT,    offsetof (settings_t, access.cacert),     "", 0, 0, NULL, "PEM file with the certificates to trust; empty: the system's"}, \
    {"timeout_ms", CONFIG_INTEGER, offsetof (settings_t, access.timeout_ms), "10000", 100, 600000, NULL, "longest wait for one answer"}
// clang-format on

//  Of a command that is told nothing but whether people or programs read what it says.
typedef struct json_settings {
    access_t access;
    bool json;
} json_settings_t;

#define COMMAND_JSON_KEYS(what)                                                       \
    COMMAND_KEYS (json_settings_t),                                                   \
    {                                                                                 \
        "json", CONFIG_FLAG, offsetof (json_settings_t, json), "no", 0, 0, NULL, what \
    }

typedef struct command {
    const char *name, *summary;
    const char *operand;  //  its name in the usage, a URL in place of --url; null: takes none
    const char *notes;    //  printed behind the flags; null: none
    const config_key_t *keys;
    size_t settings_size;
    //  The code of exit. why: a sentence for stderr, when it fills one in.
    int (*run) (const void *settings, reason_t *why);
} command_t;

extern const config_key_t
    COMMAND_SHARED [];  //  COMMAND_KEYS as a table: what section [cli] may hold

extern const command_t TAIL, TOP, WORKERS, JOBS, STATE, HEALTH, DOCTOR, KEYGEN;

//  Reads all layers and runs it; argv [0] is the subcommand's name. The code of exit; what went
//  wrong is on stderr.
int command_start (const command_t *self, int argc, char **argv);

#endif

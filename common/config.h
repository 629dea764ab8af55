// config.h - a program's settings are one table; this walks it.
//
// The table gives the default, the environment variable, the flag, the line in --help, the
// line in --check-config, the manual page, the completion and the message for a wrong value.
// Flags win over environment, environment over credentials, these over the file, and the file
// over defaults (design.md section 10). A reload fills a
// second struct and changes nothing unless all of it was right.
//
// File: INI (inih, fed by a line reader of ours: traps 35), one section a process, named
// as the program without `cmlwatch-`: [aggregator], [gateway], [collector-ec2]. Other
// programs' sections are passed over; a section no program has is an error. ` ;` begins a comment, but
// for a value in quotes, which is what stands between them. Environment:
// CMLWATCH_<SECTION>_<KEY> with '-' as '_', in capitals; for a CONFIG_SECRET also
// ..._FILE, a file that holds the value (a last newline is cut). A CONFIG_SECRET is also
// taken from $CREDENTIALS_DIRECTORY/<section>_<key>, where systemd puts it. Flag: --key-with-dashes
// VALUE or --key-with-dashes=VALUE; a CONFIG_FLAG also as --key alone.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include "reason.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_TEXT_SIZE 1024  //  bytes of a CONFIG_TEXT or CONFIG_SECRET member, with its NUL

typedef enum config_kind {
    CONFIG_TEXT,     //  char [CONFIG_TEXT_SIZE]
    CONFIG_SECRET,   //  char [CONFIG_TEXT_SIZE]; never printed
    CONFIG_INTEGER,  //  int64_t
    CONFIG_FLAG,     //  bool; yes no true false on off 1 0
    CONFIG_CHOICE    //  int, the index in choices
} config_kind_t;

typedef struct config_key {
    const char *name;  //  as in the file, words joined by '_'; unit last: interval_ms
    config_kind_t kind;
    size_t offset;               //  of the member in the program's settings
    const char *initial;         //  written as a user would write it
    int64_t least, most;         //  for CONFIG_INTEGER, in the unit the name ends with
    const char *const *choices;  //  for CONFIG_CHOICE, ends with NULL
    const char *help;            //  what it does, and what happens at the bound
} config_key_t;

//  Puts every key's default into settings.
void config_init (const config_key_t *keys, void *settings);

//  0; -ENOENT for an unknown key; -EINVAL or -ERANGE for a wrong value, and settings
//  are as before. where says file and line, variable or flag, for the sentence in why.
int config_set (const config_key_t *keys, void *settings, const char *name, const char *value,
                const char *where, reason_t *why);

//  The section's lines of one file. 0; -ENOENT when there is no such file; as config_set,
//  with file and line in why, at the first wrong line.
int config_read_file (const config_key_t *keys, void *settings, const char *section,
                      const char *path, reason_t *why);

//  Variables CMLWATCH_<SECTION>_*; one that names no key is an error. The section "" is the program
//  for people: CMLWATCH_<KEY>, beside which all other variables of ours stand.
int config_read_environment (const config_key_t *keys, void *settings, const char *section,
                             char **environment, reason_t *why);

//  A CONFIG_SECRET of a file, without its last newline; where says who named the file.
int config_read_secret (const config_key_t *keys, void *settings, const char *name,
                        const char *path, const char *where, reason_t *why);

//  "collector-ec2" and "log_level" as CMLWATCH_COLLECTOR_EC2_LOG_LEVEL.
void config_variable_name (char *out, size_t size, const char *section, const char *key);

//  Secrets of the section that lie in systemd's folder of credentials; a null folder has none.
int config_read_credentials (const config_key_t *keys, void *settings, const char *section,
                             const char *folder, reason_t *why);

//  One flag of argv at *index, which is moved past it and its value.
int config_read_flag (const config_key_t *keys, void *settings, int argc, char **argv, int *index,
                      reason_t *why);

void config_print_help (const config_key_t *keys, const char *section, FILE *out);
//  The same as paragraphs of a manual page, in the man(7) macros.
void config_print_man (const config_key_t *keys, const char *section, FILE *out);
//  The flags as lines of a bash `case`: what may follow each; behind a CONFIG_FLAG one of switch_words.
void config_print_completion (const config_key_t *keys, const char *switch_words, FILE *out);
//  All flags, a blank before each.
void config_print_flags (const config_key_t *keys, FILE *out);
//  Text for a manual page: what roff would take for itself is escaped.
void config_print_roff (const char *text, FILE *out);

//  The effective values as a file that could be read back; secrets as ***.
void config_print (const config_key_t *keys, const void *settings, const char *section, FILE *out);

#endif

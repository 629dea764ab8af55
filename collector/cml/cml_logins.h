// cml_logins.h - which account opens which CML server.
//
// One default by `username` and `password`; others by a file (`logins_file`) of lines
//
//     <pattern> <username> <file that holds the password>
//
// where '#' begins a comment line. A pattern is a shell's (fnmatch: * ? [a-z]) and is held
// against the worker's name and its instance id, or, written tag:<key>=<pattern>, against
// that tag; it may have blanks. The first line that fits counts, then the default.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_LOGINS_H
#define COLLECTOR_CML_LOGINS_H

#include "../core/collector.h"

#include <stdio.h>

#define CML_LOGINS_LINE_MAX 1024
#define CML_LOGINS_MAX      1000
#define CML_USERNAME_MAX    32  //  CML's own bound
#define CML_PASSWORD_MAX    1024

typedef struct cml_account {
    const char *username, *password;
} cml_account_t;

typedef struct cml_logins cml_logins_t;

//  path "": the default alone; username "": none but the file's. The password files are read
//  now. Null and why: `<file>:<line>: <what is wrong>`.
cml_logins_t *cml_logins_new (const char *username, const char *password, const char *path,
                              reason_t *why);
void cml_logins_destroy (cml_logins_t **self_p);

//  Borrowed; null: no line fits, and there is no default.
const cml_account_t *cml_logins_find (const cml_logins_t *self, const collector_worker_t *worker);

#endif

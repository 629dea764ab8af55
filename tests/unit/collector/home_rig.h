//  home_rig.h - an environment and a home folder of a test's own, for what reads ~/.aws.
//
// SPDX-License-Identifier: MIT

#ifndef TESTS_UNIT_COLLECTOR_HOME_RIG_H
#define TESTS_UNIT_COLLECTOR_HOME_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>  //  needs the three above it

typedef struct variable {
    const char *name, *value;
} variable_t;

static const variable_t *environment;  //  of the test that runs; getenv has no argument
static char home [64];

static inline const char *
read_variable (const char *name)
{
    for (const variable_t *v = environment; v && v->name; v++) {
        if (strcmp (v->name, name) == 0) {
            return v->value;
        }
    }
    return strcmp (name, "HOME") == 0 ? home : NULL;
}

static inline void
write_file (const char *name, const char *text)
{
    char path [128];

    snprintf (path, sizeof path, "%s/.aws/%s", home, name);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    assert_int_equal (fputs (text, file) < 0, 0);
    assert_int_equal (fclose (file), 0);
}

static inline int
set_up (void **state)
{
    char folder [80];
    (void) state;

    snprintf (home, sizeof home, "/tmp/cmlwatch-origin-XXXXXX");
    assert_non_null (mkdtemp (home));
    snprintf (folder, sizeof folder, "%s/.aws", home);
    environment = NULL;
    return mkdir (folder, 0700);
}

static inline int
tear_down (void **state)
{
    static const char *const NAMES [] = {"/.aws/config", "/.aws/credentials", "/.aws/token",
                                         "/.aws", ""};
    char path [128];
    (void) state;

    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        snprintf (path, sizeof path, "%s%s", home, NAMES [i]);
        (void) remove (path);
    }
    return 0;
}

#endif

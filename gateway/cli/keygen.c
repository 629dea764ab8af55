// keygen.c - `cmlwatch keygen NAME`: the keys of a process on the bus (common/bus_keys.h).
//
// Asks no gateway. NAME.key, the public one with its name and role, goes to the aggregator's curve_allow;
// NAME.key_secret stays with the process.
//
// SPDX-License-Identifier: MIT

#include "../../common/bus_keys.h"
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings {
    access_t access;
    char name [CONFIG_TEXT_SIZE], out [CONFIG_TEXT_SIZE];
    int role;
} settings_t;

static const char *const ROLES [] = {"collector", "runner",     "gateway",
                                     "operator",  "aggregator", NULL};

static const config_key_t KEYS [] = {
    {"name", CONFIG_TEXT, offsetof (settings_t, name), "", 0, 0, NULL,
     "of the process, and of the files: letters, digits, '-', '_', '.'"},
    {"role", CONFIG_CHOICE, offsetof (settings_t, role), "collector", 0, 0, ROLES,
     "what the aggregator lets it do"},
    {"out", CONFIG_TEXT, offsetof (settings_t, out), ".", 0, 0, NULL, "folder of the two files"},
    {0},
};

static int
run (const void *settings, reason_t *why)
{
    const settings_t *own = settings;
    char key [BUS_KEY_SIZE];

    if (!*own->name) {
        reason_set (why, -EINVAL, "keygen wants a name: cmlwatch keygen --name host-1");
        return EXIT_USAGE;
    }
    int rc = bus_keys_make (own->out, own->name, ROLES [own->role], key, why);
    if (rc < 0) {
        return rc == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
    }
    printf ("%s\n", key);
    return EXIT_SUCCESS;
}

const command_t KEYGEN = {
    .name = "keygen",
    .summary = "makes the keys of a process on the bus",
    .notes = "The public key is printed, and written with name and role into NAME.key: that file\n"
             "goes into the aggregator's curve_allow (the aggregator's own is what the others get\n"
             "as curve_server_key). NAME.key_secret, readable for you alone, stays with the\n"
             "process, whose curve_key is NAME.key. What is there already is not overwritten.\n",
    .keys = KEYS,
    .settings_size = sizeof (settings_t),
    .run = run,
};

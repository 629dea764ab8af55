// print_schemas.c - writes each schema of common/schema.h, and the two documents of
// common/contract.h, into a folder: print_schemas <folder>.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/contract.h"
#include "../../common/schema.h"

#include <stdio.h>
#include <stdlib.h>

DEFINE_CLEANUP (file_close, FILE *, fclose)

typedef void write_fn (json_writer_t *out, size_t index);

static int
print (const char *folder, const char *name, write_fn *write, size_t index)
{
    char path [500];
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);
    _cleanup_ (json_destroy) struct json_object *tree = NULL;

    write (&json, index);
    snprintf (path, sizeof path, "%s/%s.json", folder, name);
    int rc = json_parse (&tree, text.data, text.size, text.size, NULL);
    buffer_clear (&text);
    _cleanup_ (file_close) FILE *file = fopen (path, "we");
    if (rc < 0 || !file) {
        fprintf (stderr, "print_schemas: %s: %s\n", path,
                 rc < 0 ? "not JSON" : "cannot be written");
        return -1;
    }
    fprintf (file, "%s\n",
             json_object_to_json_string_ext (tree, JSON_C_TO_STRING_PRETTY |
                                                       JSON_C_TO_STRING_NOSLASHESCAPE));
    return 0;
}

int
main (int argc, char **argv)
{
    if (argc != 2) {
        fprintf (stderr, "usage: print_schemas <folder>\n");
        return EXIT_FAILURE;
    }
    for (size_t index = 0; index < schema_count (); index++) {
        if (print (argv [1], schema_name (index), schema_write, index) < 0) {
            return EXIT_FAILURE;
        }
    }
    for (size_t index = 0; index < CONTRACT_COUNT; index++) {
        if (print (argv [1], contract_name (index), contract_write, index) < 0) {
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}

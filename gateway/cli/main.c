// main.c - cmlwatch: a gateway's fleet in a terminal.
//
// The word behind the name is a subcommand; what there is, is one table.
//
// SPDX-License-Identifier: MIT

#include "../../common/program.h"
#include "command.h"
#include "docs.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

static const command_t *const COMMANDS [] = {&TAIL,   &TOP,    &WORKERS, &JOBS, &STATE,
                                             &HEALTH, &DOCTOR, &KEYGEN,  NULL};

static void
print_help (FILE *out)
{
    fputs ("cmlwatch - " DOCS_SUMMARY "\n\n"
           "usage: cmlwatch COMMAND [flags]\n\n",
           out);
    for (size_t i = 0; COMMANDS [i]; i++) {
        fprintf (out, "  %-8s  %s\n", COMMANDS [i]->name, COMMANDS [i]->summary);
    }
    fputs ("\ncmlwatch COMMAND --help lists what it may be told; cmlwatch --version says which it "
           "is.\nThe gateway is --url, or CMLWATCH_URL, or " COMMAND_URL_DEFAULT ".\n",
           out);
}

int
main (int argc, char **argv)
{
    const char *word = argc > 1 ? argv [1] : "";

    setlocale (LC_ALL, "");
    setlocale (LC_NUMERIC, "C");  //  what is written is read by programs too
    if (strcmp (word, "--help") == 0 || strcmp (word, "-h") == 0 || strcmp (word, "help") == 0) {
        print_help (stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp (word, "--version") == 0) {
        printf ("cmlwatch %s\n", program_version ());
        return EXIT_SUCCESS;
    }
    if (strcmp (word, "--man") == 0 || strcmp (word, "--completion") == 0) {
        (word [2] == 'm' ? docs_print_man : docs_print_completion) (COMMANDS, stdout);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; COMMANDS [i]; i++) {
        if (strcmp (COMMANDS [i]->name, word) == 0) {
            return command_start (COMMANDS [i], argc - 1, argv + 1);
        }
    }
    if (*word) {
        fprintf (stderr, "cmlwatch: there is no command '%.60s'\n\n", word);
    }
    print_help (stderr);
    return EXIT_USAGE;
}

// program_docs.c - the manual page and the completion of a program; see program.h.
//
// SPDX-License-Identifier: MIT

#include "program.h"

#include "version.h"

#include <ctype.h>

void
program_print_title (const char *name, int section, const char *summary, FILE *out)
{
    fputs (".TH ", out);
    for (const char *c = name; *c; c++) {
        fputc (toupper ((unsigned char) *c), out);
    }
    fprintf (out, " %d \"%s\" \"cmlwatch %s\" \"cmlwatch\"\n.SH NAME\n%s \\-\n", section,
             CMLWATCH_DATE, program_version (), name);
    config_print_roff (summary, out);
    fputc ('\n', out);
}

//  What is said of all keys, before each of them.
void
program_print_man (const program_t *self, FILE *out)
{
    program_print_title (self->name, 8, self->summary, out);
    fprintf (out,
             ".SH SYNOPSIS\n.B %s\n"
             ".RB [ \\-\\-config\n.IR FILE ]\n.RB [ \\-\\-check\\-config ]\n.RB [ \\-\\-version ]\n"
             ".RB [ \\-\\-help ]\n.RI [ flags ]\n"
             ".SH DESCRIPTION\nFlags win over the environment, which wins over credentials that\n"
             "systemd hands over (a secret as\n.IR $CREDENTIALS_DIRECTORY/%s_<key> ),\n"
             "which win over section\n.B [%s]\nof\n.IR %s ,\nwhich wins over the defaults.\n"
             "In the file a key is a flag\\(aqs name without its dashes, words joined by\n.BR _ .\n"
             ".SH OPTIONS\n"
             ".TP\n.BI \\-\\-config \" FILE\"\nRead this file instead; it has to exist.\n"
             ".TP\n.B \\-\\-check\\-config\nPrint what is in force, secrets hidden, and end.\n"
             ".TP\n.B \\-\\-version\nPrint the version and end.\n"
             ".TP\n.B \\-\\-help\nPrint every flag and end.\n",
             self->name, self->section, self->section, PROGRAM_CONFIG_FILE);
    config_print_man (self->keys, self->section, out);
    fprintf (
        out,
        ".SH EXIT STATUS\n0 when it was told to end, 1 when it failed while running, %d when it\n"
        "refused what it was told.\n"
        ".SH SIGNALS\n.B SIGTERM\nand\n.B SIGINT\nend it in order, a second one at once;\n"
        ".B SIGHUP\nreads the settings anew where the program can.\n"
        ".SH FILES\n.I %s\n.SH SEE ALSO\n.BR cmlwatch\\-aggregator (8),\n"
        ".BR cmlwatch\\-gateway (8),\n.BR systemd (1)\n",
        EXIT_REFUSED, PROGRAM_CONFIG_FILE);
}

void
program_open_completion (const char *name, const char *function, FILE *out)
{
    fprintf (out,
             "# bash completion for %s, printed from its table of settings\n"
             "%s() {\n    local words='' files=''\n    COMPREPLY=()\n",
             name, function);
}

void
program_close_completion (const char *name, const char *function, FILE *out)
{
    fprintf (out,
             "    if [ -n \"$words\" ]; then mapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
             "\"$2\"); fi\n"
             "    if [ -z \"$words\" ]; then mapfile -t COMPREPLY < <(compgen -f -- \"$2\"); fi\n"
             "}\ncomplete -F %s %s\n",
             function, name);
}

//  For bash: flags, then what may follow one of them.
void
program_print_completion (const program_t *self, FILE *out)
{
    char function [80];

    snprintf (function, sizeof function, "_cmlwatch_%s", self->section);
    program_open_completion (self->name, function, out);
    fputs ("    case $3 in\n", out);
    config_print_completion (self->keys, "yes no", out);
    fputs ("    --config) files=yes ;;\n    esac\n"
           "    if [ -z \"$words$files\" ] || [[ $2 == -* ]]; then\n"
           "        words='--help --version --check-config --config",
           out);
    config_print_flags (self->keys, out);
    fputs ("'\n    fi\n", out);
    program_close_completion (self->name, function, out);
}

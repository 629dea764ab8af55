// docs.c - see docs.h.
//
// SPDX-License-Identifier: MIT

#include "docs.h"

#include "../../common/program.h"

#include <string.h>

#define COMPLETION "_cmlwatch"

//  The flags that a subcommand has beside those of all; keygen, which asks no gateway, has none of these.
static const config_key_t *
own_keys (const command_t *self)
{
    const config_key_t *own = self->keys;

    for (const config_key_t *key = COMMAND_SHARED; key->name && own->name; key++) {
        own += strcmp (key->name, own->name) == 0;
    }
    return own;
}

//  Prose in lines, which a page breaks anew.
static void
print_notes (const char *notes, FILE *out)
{
    for (const char *line = notes; *line;) {
        char text [256];
        size_t size = strcspn (line, "\n");

        snprintf (text, sizeof text, "%.*s", (int) size, line);
        config_print_roff (text, out);
        fputc ('\n', out);
        line += size + (line [size] == '\n');
    }
}

static void
print_command (const command_t *self, FILE *out)
{
    const config_key_t *own = own_keys (self);

    fprintf (out, ".SS %s\n.B cmlwatch %s\n.RI [ flags ]\n", self->name, self->name);
    if (self->operand) {
        fprintf (out, ".RI [ %s ]\n", self->operand);
    }
    fputs (".PP\n", out);
    config_print_roff (self->summary, out);
    fputs (own == self->keys ? ".\nIt asks no gateway, and has none of the flags of the others "
                               "but\n.B \\-\\-config\nand\n.BR \\-\\-help .\n"
                             : ".\n",
           out);
    config_print_man (own, "", out);
    if (self->notes) {
        fputs (".PP\n", out);
        print_notes (self->notes, out);
    }
}

void
docs_print_man (const command_t *const *commands, FILE *out)
{
    program_print_title ("cmlwatch", 1, DOCS_SUMMARY, out);
    fputs (
        ".SH SYNOPSIS\n.B cmlwatch\n.I COMMAND\n.RI [ flags ]\n.br\n"
        ".B cmlwatch\n.I COMMAND\n.B \\-\\-help\n.br\n.B cmlwatch \\-\\-version\n"
        ".SH DESCRIPTION\nFlags win over the environment, which wins over section\n.B [cli]\nof\n",
        out);
    fprintf (out,
             ".IR %s ,\nwhere that can be read, which wins over the defaults.\n"
             "The section has only the flags of all commands; there a key is a flag\\(aqs name\n"
             "without its dashes, words joined by\n.BR _ .\n"
             "A flag that is yes or no is yes when it stands alone.\n"
             ".SH OPTIONS OF ALL COMMANDS\n"
             ".TP\n.BI \\-\\-config \" FILE\"\nRead this file instead; it has to exist.\n"
             ".TP\n.B \\-\\-help\nPrint every flag of the command and end.\n",
             PROGRAM_CONFIG_FILE);
    config_print_man (COMMAND_SHARED, "", out);
    fputs (".SH COMMANDS\n", out);
    for (size_t i = 0; commands [i]; i++) {
        print_command (commands [i], out);
    }
    fprintf (out,
             ".SH EXIT STATUS\n0 when it did what it was told, 1 when it could not, %d when it\n"
             "refused what it was told; other codes stand with their command.\n"
             ".SH FILES\n.I %s\n.SH SEE ALSO\n.BR cmlwatch\\-aggregator (8),\n"
             ".BR cmlwatch\\-gateway (8)\n",
             EXIT_USAGE, PROGRAM_CONFIG_FILE);
}

//  A switch never takes the word behind it: what follows is another flag.
static void
print_arm (const command_t *self, FILE *out)
{
    fprintf (out, "    %s)\n    case $3 in\n", self->name);
    config_print_completion (self->keys, "", out);
    fputs ("    --config) files=yes ;;\n    esac\n"
           "    if [ -z \"$words$files\" ] || [[ $2 == -* ]]; then\n"
           "        words='--help --config",
           out);
    config_print_flags (self->keys, out);
    fputs ("'\n    fi ;;\n", out);
}

void
docs_print_completion (const command_t *const *commands, FILE *out)
{
    program_open_completion ("cmlwatch", COMPLETION, out);
    fputs ("    local command=''\n"
           "    if [ \"$COMP_CWORD\" -gt 1 ]; then command=${COMP_WORDS[1]}; fi\n"
           "    case $command in\n",
           out);
    for (size_t i = 0; commands [i]; i++) {
        print_arm (commands [i], out);
    }
    fputs ("    '') words='--help --version", out);
    for (size_t i = 0; commands [i]; i++) {
        fprintf (out, " %s", commands [i]->name);
    }
    fputs ("' ;;\n    esac\n", out);
    program_close_completion ("cmlwatch", COMPLETION, out);
}

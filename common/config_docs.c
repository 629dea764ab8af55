// config_docs.c - what is printed of a table of settings; see config.h.
//
// SPDX-License-Identifier: MIT

#include "config.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define ROFF_COLUMNS 70  //  mandoc wants lines under 80; what is allowed stands behind

//  What a value may be, behind the help; nothing where any text will do.
static void
print_allowed (const config_key_t *key, const char *apart, FILE *out)
{
    switch (key->kind) {
    case CONFIG_INTEGER:
        fprintf (out, "%s(%" PRId64 " to %" PRId64 ")", apart, key->least, key->most);
        return;
    case CONFIG_FLAG: fprintf (out, "%s(yes or no)", apart); return;
    case CONFIG_CHOICE:
        for (size_t i = 0; key->choices [i]; i++) {
            fprintf (out, "%s%s%s", i == 0 ? apart : ", ", i == 0 ? "(" : "", key->choices [i]);
        }
        fputc (')', out);
        return;
    case CONFIG_TEXT:
    case CONFIG_SECRET: return;
    }
}

static void
print_flag (const config_key_t *key, const char *dash, FILE *out)
{
    fprintf (out, "%s%s", dash, dash);
    for (const char *c = key->name; *c; c++) {
        *c == '_' ? fputs (dash, out) : fputc (*c, out);
    }
}

void
config_print_help (const config_key_t *keys, const char *section, FILE *out)
{
    char name [160];

    for (const config_key_t *key = keys; key->name; key++) {
        fputs ("  ", out);
        print_flag (key, "-", out);
        config_variable_name (name, sizeof name, section, key->name);
        fprintf (out, "  [%s]  %s\n      %s", key->kind == CONFIG_SECRET ? "secret" : key->initial,
                 name, key->help);
        print_allowed (key, " ", out);
        fputc ('\n', out);
    }
}

//  One character, and what has to stand for it.
static size_t
print_escaped (char c, bool begins, FILE *out)
{
    static const struct {
        char c;
        const char *roff;
    } ESCAPES [] = {{'\\', "\\e"}, {'`', "\\(ga"}, {'~', "\\(ti"}, {'^', "\\(ha"}, {'\'', "\\(aq"}};

    for (size_t i = 0; i < sizeof ESCAPES / sizeof *ESCAPES; i++) {
        if (c == ESCAPES [i].c) {
            fputs (ESCAPES [i].roff, out);
            return strlen (ESCAPES [i].roff);
        }
    }
    fputs (begins && c == '.' ? "\\&" : "", out);
    fputc (c, out);
    return 1;
}

void
config_print_roff (const char *text, FILE *out)
{
    size_t column = 0;

    for (const char *c = text; *c; c++) {
        if (*c == ' ' && column + strcspn (c + 1, " ") > ROFF_COLUMNS) {
            fputc ('\n', out);
            column = 0;
        } else {
            column += print_escaped (*c, column == 0, out);
        }
    }
}

void
config_print_man (const config_key_t *keys, const char *section, FILE *out)
{
    char name [160];

    for (const config_key_t *key = keys; key->name; key++) {
        bool is_known = key->kind != CONFIG_SECRET && *key->initial;

        fputs (".TP\n.B ", out);
        print_flag (key, "\\-", out);
        fputc ('\n', out);
        config_print_roff (key->help, out);
        print_allowed (key, "\n", out);
        fputs (".\n", out);
        if (is_known) {
            fprintf (out, "Default:\n.BR \"%s\" .\n", key->initial);
        }
        config_variable_name (name, sizeof name, section, key->name);
        fprintf (out, "In the environment:\n.BR %s%s\n", name,
                 key->kind == CONFIG_SECRET ? " ," : " .");
        if (key->kind == CONFIG_SECRET) {
            fprintf (out, "or a file named by\n.BR %s_FILE .\n", name);
        }
    }
}

//  A file, a folder, or one of the words it may be.
void
config_print_completion (const config_key_t *keys, const char *switch_words, FILE *out)
{
    for (const config_key_t *key = keys; key->name; key++) {
        fputs ("    ", out);
        print_flag (key, "-", out);
        fputc (')', out);
        if (key->kind == CONFIG_CHOICE) {
            fputs (" words='", out);
            for (size_t i = 0; key->choices [i]; i++) {
                fprintf (out, "%s%s", i == 0 ? "" : " ", key->choices [i]);
            }
            fputs ("' ;;\n", out);
        } else if (key->kind == CONFIG_FLAG) {
            fprintf (out, " words='%s' ;;\n", switch_words);
        } else {
            fputs (" files=yes ;;\n", out);
        }
    }
}

void
config_print_flags (const config_key_t *keys, FILE *out)
{
    for (const config_key_t *key = keys; key->name; key++) {
        fputc (' ', out);
        print_flag (key, "-", out);
    }
}

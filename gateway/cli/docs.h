// docs.h - the manual page of cmlwatch and its completion for bash, for `make install`.
//
// Both come from the table of subcommands and their tables of flags, as --help does.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_DOCS_H
#define GATEWAY_CLI_DOCS_H

#include "command.h"

#include <stdio.h>

#define DOCS_SUMMARY "a fleet of Cisco Modeling Labs workers, live in a terminal"

//  commands ends with a null.
void docs_print_man (const command_t *const *commands, FILE *out);
void docs_print_completion (const command_t *const *commands, FILE *out);

#endif

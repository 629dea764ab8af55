// output.h - what a command has to say, on stdout, whole or not at all.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_OUTPUT_H
#define GATEWAY_CLI_OUTPUT_H

#include "../../common/buffer.h"
#include "../../common/reason.h"

//  written: out is whole. The code of exit.
int output_print (const buffer_t *out, bool written, reason_t *why);

#endif

// cml_pins.h - which public key each CML server is known by.
//
// CML comes with a certificate that nobody has signed and whose name is not the address,
// so the operator writes down the fingerprints of the keys (`verify = fingerprint`). A
// line is
//
//     <instance id, worker name, address or *> sha256//<base64 of 32 bytes>
//
// where '#' begins a comment line; a name may have blanks. The first of the four under
// which a server is found counts, in that order. Several lines for one server are several
// keys that are right, as while a certificate is being replaced.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_PINS_H
#define COLLECTOR_CML_PINS_H

#include "../../common/reason.h"

#include <stdio.h>

#define CML_PINS_LINE_MAX 1024
#define CML_PINS_MAX      100000  //  lines with a key; more is refused

typedef struct cml_pins cml_pins_t;

//  Reads a whole file. Null and why: `<file>:<line>: <what is wrong and what would be right>`.
cml_pins_t *cml_pins_read (const char *path, reason_t *why);

//  As above, of an open stream; path is for the sentence.
cml_pins_t *cml_pins_read_stream (FILE *file, const char *path, reason_t *why);
void cml_pins_destroy (cml_pins_t **self_p);

//  The pins of a server as libcurl takes them, several apart by ';'; null: it is not there
//  under any of its names. Names that are empty are passed over. Borrowed.
const char *cml_pins_find (const cml_pins_t *self, const char *instance_id, const char *name,
                           const char *address);

#endif

// json_number.h - a JSON number in the text of a document; for json_doc.c alone.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_JSON_NUMBER_H
#define COMMON_JSON_NUMBER_H

#include "json_doc.h"

//  Reads the number at this place of a text that ends with NUL: a whole one within 64 bits is an
//  integer, any other a double. Returns where it ends, or where *fault is, which else stays as it was.
const char *json_number_read (json_node_t *out, const char *at, const char **fault);

#endif

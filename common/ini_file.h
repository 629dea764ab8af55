// ini_file.h - files in the form of ~/.aws/config: [section] and key = value, read line by line.
//
// Not inih, which the programs' own configuration uses: Debian's cuts lines at 200 characters,
// and a session token alone is longer. As AWS's tools read it: '#' and ';' begin a comment in the
// first column only, names are separated from values by the first '=', white space around both
// is not theirs. Nothing is kept; the reader's function takes what it wants.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_INI_FILE_H
#define COMMON_INI_FILE_H

#include "reason.h"

#include <stdbool.h>

#define INI_FILE_LINE_MAX  16384
#define INI_FILE_LINES_MAX 20000

//  Called for each section (key null) and each key. Texts are borrowed for the call. A negative
//  errno ends the reading with it; why is then the function's to fill, "file:line: " before it.
typedef int ini_file_fn (void *argument, const char *section, const char *key, const char *value,
                         reason_t *why);

//  nested: indented lines belong to the key above and are passed over, as in ~/.aws/config (`s3 =`
//  and its settings); else they are an error. 0; -ENOENT when there is no such file; -EACCES and
//  the like when it cannot be read; -EINVAL for a line that is none of the forms.
int ini_file_read (const char *path, bool nested, ini_file_fn *fn, void *argument, reason_t *why);

#endif

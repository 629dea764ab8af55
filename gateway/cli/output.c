// output.c - see output.h.
//
// SPDX-License-Identifier: MIT

#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
output_print (const buffer_t *out, bool written, reason_t *why)
{
    if (!written) {
        reason_set (why, -ENOMEM, "out of memory");
        return EXIT_FAILURE;
    }
    if (fwrite (out->data, 1, out->size, stdout) < out->size || fflush (stdout) != 0) {
        if (errno != EPIPE) {  //  `| head` has what it wanted
            reason_set (why, -errno, "cannot write: %s", strerror (errno));
        }
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

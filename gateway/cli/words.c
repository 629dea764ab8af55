// words.c - see words.h.
//
// SPDX-License-Identifier: MIT

#include "words.h"

#include "../../common/url.h"

#include <string.h>

void
words_write_query (const words_t *self, buffer_t *out)
{
#define WRITE(name, help)                       \
    if (*self->name) {                          \
        url_add_field (out, #name, self->name); \
    }
    WORDS (WRITE)
#undef WRITE
}

bool
words_have (const char *list, const char *name)
{
    size_t size = strlen (name);

    if (!*list) {
        return true;
    }
    for (;; list++) {
        size_t word = strcspn (list, ",");
        if (word == size && strncmp (list, name, size) == 0) {
            return true;
        }
        list += word;
        if (!*list) {
            return false;
        }
    }
}

// fuzz.h - what every target of the fuzzer has: its one entry point, and a check that stays on.
//
// A target is one file: bytes go in, and besides not crashing it checks what the code promises
// (what was written is read again, an answer is JSON, a refusal changes nothing). libFuzzer calls
// it for `make fuzz`, replay.c for `make test`. Its name without fuzz_ is its folder in corpus/.
//
// SPDX-License-Identifier: MIT

#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

//  assert() may be compiled out; this is not, and says what was found.
#define CHECK(promise)                                                                     \
    do {                                                                                   \
        if (!(promise)) {                                                                  \
            fprintf (stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #promise); \
            abort ();                                                                      \
        }                                                                                  \
    } while (0)

//  A text of these bytes (up to the first NUL, as a text ends there), in memory of its own and no
//  larger, so that a step beyond it is seen. The caller frees it.
static inline char *
fuzz_text (const uint8_t *data, size_t size)
{
    size_t length = size > 0 ? strnlen ((const char *) data, size) : 0;
    char *text = malloc (length + 1);

    CHECK (text);
    if (length > 0) {
        memcpy (text, data, length);
    }
    text [length] = '\0';
    return text;
}

#endif

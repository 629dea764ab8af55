//  Percent-decoding, and a round through the encoder.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../common/cleanup.h"
#include "../../common/url.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    _cleanup_ (string_destroy) char *text = malloc (size + 1);
    _cleanup_ (string_destroy) char *again = NULL;
    _cleanup_ (buffer_clear) buffer_t encoded = {0};

    CHECK (text);
    long length = url_decode (text, (const char *) data, size);
    if (length < 0) {
        return 0;
    }
    CHECK ((size_t) length <= size && strlen (text) == (size_t) length);
    url_encode (&encoded, text);
    if (encoded.size > 0) {
        CHECK (strspn (encoded.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-_.~%") == encoded.size);
        again = malloc (encoded.size + 1);
        CHECK (again);
        CHECK (url_decode (again, encoded.data, encoded.size) == length);
        CHECK (strcmp (again, text) == 0);
    }
    return 0;
}

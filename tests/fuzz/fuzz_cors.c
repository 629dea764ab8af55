//  The list of origins (first line) and a request's Origin (the rest): only one that stands in the
//  list, to the byte, is answered.
//  SPDX-License-Identifier: MIT

#include "fake_mhd.h"

#include "../../gateway/cors.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    _cleanup_ (string_destroy) char *text = fuzz_text (data, size);
    _cleanup_ (buffer_clear) buffer_t out = {0};
    char *rest = text, *origins = strsep (&rest, "\n");
    struct MHD_Connection connection = {.pairs = {{MHD_HEADER_KIND, "Origin", rest}},
                                        .count = rest ? 1 : 0};
    reason_t why = {""};

    if (cors_check (origins, &why) < 0) {
        CHECK (why.text [0]);
        return 0;
    }
    const char *origin = cors_origin (origins, &connection);
    CHECK (!origin || (origin == rest && strstr (origins, origin) && *origin));
    CHECK (!origin || strncmp (origin, "http", 4) == 0);
    CHECK (!origin || !strpbrk (origin, " ,\t*"));
    if (!rest || !strpbrk (rest, "\r\n")) {  //  libmicrohttpd's header value never has one
        cors_write (origins, &connection, &out);
        CHECK (!origin || strstr (out.data, origin));
    }
    return 0;
}

//  What gives keys as JSON: a command, a container's endpoint, the instance's metadata. A key that
//  is taken fits into a header and ends at a time that is known, or never where that is allowed.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../collector/aws/fetch.h"
#include "../../common/cleanup.h"

static void
check_text (const char *text)
{
    CHECK (text && text [0] && strlen (text) <= AWS_KEY_TEXT_MAX && !strpbrk (text, "\r\n"));
}

static void
take (struct json_object *json, const char *token_name, bool optional)
{
    aws_fetched_t fetched = {0};

    int rc = aws_keys_of_json (json, token_name, optional, &fetched);
    CHECK (rc == fetched.rc && rc <= 0);
    if (rc < 0) {
        CHECK (fetched.why.text [0]);
        return;
    }
    check_text (fetched.keys.access_key_id);
    check_text (fetched.keys.secret_access_key);
    CHECK (fetched.keys.session_token || optional);
    if (fetched.keys.session_token) {
        check_text (fetched.keys.session_token);
    }
    CHECK (fetched.expires != TIME_UNKNOWN || optional);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    _cleanup_ (json_destroy) struct json_object *json = NULL;
    reason_t why = {""};
    _cleanup_ (string_destroy) char *line = fuzz_text (data, size);
    _cleanup_ (aws_words_destroy) char **words = aws_words_new (line);

    CHECK (!words || words [0]);
    if (json_parse (&json, data, size, AWS_KEY_ANSWER_MAX, &why) < 0) {
        CHECK (!json && why.text [0]);
        return 0;
    }
    take (json, "Token", false);
    take (json, "SessionToken", true);
    return 0;
}

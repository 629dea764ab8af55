// fetch.c - what the fetches share: keys out of JSON, a token out of a file, words of a command.
//
// SPDX-License-Identifier: MIT

#include "fetch.h"

#include "../../common/cleanup.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TOKEN_FILE_MAX 20000  //  characters of a web identity token: STS takes so many
#define WORDS_MAX      64

DEFINE_CLEANUP (file_close, FILE *, fclose)

//  Null when absent, empty or too long to be one; a line break would end a header.
static const char *
key_text (struct json_object *json, const char *name)
{
    const char *text = json_get_text (json, name);

    return text && *text && strlen (text) <= AWS_KEY_TEXT_MAX && !strpbrk (text, "\r\n") ? text
                                                                                         : NULL;
}

int
aws_keys_of_json (struct json_object *json, const char *token_name, bool optional,
                  aws_fetched_t *fetched)
{
    const char *code = json_get_text (json, "Code"), *message = json_get_text (json, "Message");
    const char *missing = NULL;
    bool has_end = json_get (json, "Expiration") != NULL;

    message = message ? message : json_get_text (json, "message");
    if (code && strcmp (code, "Success") != 0) {
        return fetched->rc = reason_set (&fetched->why, -EINVAL, "it says %.60s: %.200s", code,
                                         message ? message : "");
    }
    fetched->keys = (aws_keys_t){.access_key_id = key_text (json, "AccessKeyId"),
                                 .secret_access_key = key_text (json, "SecretAccessKey"),
                                 .session_token = key_text (json, token_name)};
    fetched->expires = TIME_UNKNOWN;
    if (!fetched->keys.access_key_id) {
        missing = "AccessKeyId";
    } else if (!fetched->keys.secret_access_key) {
        missing = "SecretAccessKey";
    } else if (!optional && !fetched->keys.session_token) {
        missing = token_name;
    } else if (has_end ? !json_get_time (json, "Expiration", &fetched->expires) : !optional) {
        missing = "Expiration (a time as 2026-11-20T10:30:00Z)";
    }
    if (missing) {
        return fetched->rc = reason_set (&fetched->why, -EINVAL, "its answer has no %s", missing);
    }
    return fetched->rc = 0;
}

char *
aws_read_token_file (const char *path, reason_t *why)
{
    _cleanup_ (string_destroy) char *text = calloc (1, TOKEN_FILE_MAX + 2);
    _cleanup_ (file_close) FILE *file = fopen (path, "re");

    if (!file || !text) {
        reason_set (why, -errno, "%.200s: %s", path, strerror (errno));
        return NULL;
    }
    size_t size = fread (text, 1, TOKEN_FILE_MAX + 1, file);
    if (ferror (file) || size > TOKEN_FILE_MAX) {
        reason_set (why, -EINVAL, "%.200s: %s", path,
                    ferror (file) ? "cannot be read" : "is too large for a token");
        return NULL;
    }
    while (size > 0 && isspace ((unsigned char) text [size - 1])) {
        text [--size] = '\0';
    }
    memmove (text, text + strspn (text, " \t\r\n"), strlen (text + strspn (text, " \t\r\n")) + 1);
    if (!*text || strpbrk (text, "\r\n")) {
        reason_set (why, -EINVAL, "%.200s: does not hold one line with a token", path);
        return NULL;
    }
    return take_ptr (text);
}

//  --- words

void
aws_words_destroy (char ***words_p)
{
    assert (words_p);

    for (char **word = *words_p; word && *word; word++) {
        free (*word);
    }
    free (*words_p);
    *words_p = NULL;
}

//  One word into out (as large as the line); moves *at behind it. False for an open quote.
static bool
take_word (const char **at, char *out)
{
    char quote = '\0';

    for (; **at && (quote || !strchr (" \t", **at)); (*at)++) {
        char c = **at;
        bool escapes = c == '\\' && quote != '\'' && (*at) [1];
        if (escapes && (!quote || strchr ("\"\\", (*at) [1]))) {
            *out++ = *++(*at);
        } else if (quote && c == quote) {
            quote = '\0';
        } else if (!quote && (c == '"' || c == '\'')) {
            quote = c;
        } else {
            *out++ = c;
        }
    }
    *out = '\0';
    return !quote;
}

char **
aws_words_new (const char *line)
{
    _cleanup_ (aws_words_destroy) char **words = calloc (WORDS_MAX + 1, sizeof (char *));
    _cleanup_ (string_destroy) char *word = malloc (strlen (line) + 1);
    size_t count = 0;

    while (words && word && *(line += strspn (line, " \t"))) {
        if (count == WORDS_MAX || !take_word (&line, word) || !(words [count++] = strdup (word))) {
            return NULL;
        }
    }
    return count > 0 ? take_ptr (words) : NULL;
}

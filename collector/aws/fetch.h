// fetch.h - getting keys from where they are (origin.h), without waiting for it.
//
// A fetch is one question to one place: STS, a command, the container's endpoint, the instance's
// metadata. It ends with one call of its function. Whether keys are still good, when to ask
// again and what to do meanwhile is not its affair (credentials.c).
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_AWS_FETCH_H
#define COLLECTOR_AWS_FETCH_H

#include "../../common/json.h"
#include "credentials.h"
#include "origin.h"
#include "query_api.h"

#define AWS_KEY_TEXT_MAX   4096  //  bytes of each text of a key; a session token has about 1,000
#define AWS_KEY_ANSWER_MAX 65536

typedef struct aws_fetched {  //  borrowed, during the call only
    int rc;                   //  0, or a negative errno and why
    bool again;               //  it may go better in a moment: no answer, an error of the server's
    aws_keys_t keys;
    time_us_t expires;  //  wall; TIME_UNKNOWN: never
    reason_t why;
} aws_fetched_t;

typedef void aws_fetched_fn (void *argument, const aws_fetched_t *fetched);

typedef struct aws_fetch_ask {
    collector_t *core;
    aws_api_t *api;
    const aws_origin_t *origin;  //  stays in place while the fetch lasts
    aws_credentials_t *base;     //  whose keys ask for a role
    const char *account;         //  its name
    const char *region;          //  of STS
    aws_fetched_fn *fn;
    void *argument;
} aws_fetch_ask_t;

//  A fetch under way, each kind's own; null and why when it could not begin. fn is called
//  once, never from within start; what start gave is gone then.
typedef struct aws_fetch aws_fetch_t;
typedef struct aws_fetcher {
    aws_fetch_t *(*start) (const aws_fetch_ask_t *ask, reason_t *why);
    void (*cancel) (aws_fetch_t **self_p);
} aws_fetcher_t;

extern const aws_fetcher_t AWS_FETCH_ROLE, AWS_FETCH_WEB_IDENTITY;  //  fetch_sts.c
extern const aws_fetcher_t AWS_FETCH_PROCESS;                       //  fetch_process.c
extern const aws_fetcher_t AWS_FETCH_CONTAINER;                     //  fetch_container.c
extern const aws_fetcher_t AWS_FETCH_INSTANCE;                      //  fetch_instance.c

//  Keys out of a JSON object that ends with the fetch: AccessKeyId, SecretAccessKey, the token
//  under token_name, Expiration. token and Expiration may be absent only where optional. 0, or
//  -EINVAL and why names what is missing or wrong; an object that tells an error instead
//  (Code, Message) is told so. The texts are borrowed from json.
int aws_keys_of_json (struct json_object *json, const char *token_name, bool optional,
                      aws_fetched_t *fetched);

//  A small file's content without white space at its ends, which the caller frees; null and why.
char *aws_read_token_file (const char *path, reason_t *why);

//  Words of a command line as a shell would cut it: blanks, quotes of both kinds, '\'. An array
//  that ends with null, to be freed with aws_words_destroy; null for an open quote or nothing.
char **aws_words_new (const char *line);
void aws_words_destroy (char ***words_p);

#endif

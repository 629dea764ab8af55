// origin_env.c - the providers that the environment alone decides: keys, and web identity.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "origin.h"

#include <errno.h>
#include <string.h>

#define SESSION_NAME "cmlwatch"

int
aws_environment_keys (aws_getenv_fn *read_variable, aws_origin_t **origin_p, reason_t *why)
{
    const char *id = aws_variable (read_variable, "AWS_ACCESS_KEY_ID");
    const char *secret = aws_variable (read_variable, "AWS_SECRET_ACCESS_KEY");
    const char *token = aws_variable (read_variable, "AWS_SESSION_TOKEN");

    if (!id && !secret) {
        return -ENOENT;
    }
    if (!id || !secret) {
        return reason_set (why, -EINVAL, "%s is set but %s is not: both are needed",
                           id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                           id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    }
    _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
        aws_origin_new (AWS_ORIGIN_KEYS, "the environment");
    if (!origin || !(origin->access_key_id = strdup (id)) ||
        !(origin->secret_access_key = strdup (secret)) ||
        (token && !(origin->session_token = strdup (token)))) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    *origin_p = take_ptr (origin);
    return 0;
}

int
aws_environment_web_identity (aws_getenv_fn *read_variable, aws_origin_t **origin_p, reason_t *why)
{
    const char *file = aws_variable (read_variable, "AWS_WEB_IDENTITY_TOKEN_FILE");
    const char *arn = aws_variable (read_variable, "AWS_ROLE_ARN");
    const char *session = aws_variable (read_variable, "AWS_ROLE_SESSION_NAME");

    if (!file) {
        return -ENOENT;
    }
    if (!arn || !aws_role_arn_is_valid (arn)) {
        return reason_set (why, -EINVAL,
                           "AWS_WEB_IDENTITY_TOKEN_FILE is set but AWS_ROLE_ARN = '%.100s' is not "
                           "the ARN of a role",
                           arn ? arn : "");
    }
    session = session ? session : SESSION_NAME;
    if (!aws_session_name_is_valid (session)) {
        return reason_set (why, -EINVAL,
                           "AWS_ROLE_SESSION_NAME = '%.80s' is not 2 to 64 of letters, digits and "
                           "_+=,.@-",
                           session);
    }
    _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
        aws_origin_new (AWS_ORIGIN_WEB_IDENTITY, "web identity (AWS_WEB_IDENTITY_TOKEN_FILE)");
    if (!origin || !(origin->role_arn = strdup (arn)) || !(origin->token_file = strdup (file)) ||
        !(origin->session_name = strdup (session))) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    *origin_p = take_ptr (origin);
    return 0;
}

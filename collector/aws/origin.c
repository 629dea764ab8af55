// SPDX-License-Identifier: MIT

#include "origin.h"

#include "../../common/buffer.h"
#include "../../common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_NAME_LEAST 2
#define SESSION_NAME_MOST  64
#define ROLE_ARN_MOST      2048
#define PLACE_SIZE         320

const char *
aws_getenv (const char *name)
{
    return getenv (name);
}

const char *
aws_variable (aws_getenv_fn *read_variable, const char *name)
{
    const char *value = read_variable (name);
    return value && *value ? value : NULL;
}

aws_origin_t *
aws_origin_new (aws_origin_kind_t kind, const char *place)
{
    aws_origin_t *self = calloc (1, sizeof *self);

    if (self) {
        self->kind = kind;
        self->place = strdup (place);
        if (!self->place) {
            aws_origin_destroy (&self);
        }
    }
    return self;
}

static void
forget_secret (char *text)
{
    if (text) {
        explicit_bzero (text, strlen (text));
    }
    free (text);
}

void
aws_origin_destroy (aws_origin_t **self_p)
{
    assert (self_p);

    aws_origin_t *self = take_ptr (*self_p);
    if (self) {
        aws_origin_destroy (&self->base);
        forget_secret (self->secret_access_key);
        forget_secret (self->session_token);
        forget_secret (self->authorization);
        free (self->access_key_id);
        free (self->role_arn);
        free (self->session_name);
        free (self->external_id);
        free (self->token_file);
        free (self->command);
        free (self->url);
        free (self->authorization_file);
        free (self->looked);
        free (self->place);
        free (self);
    }
}

bool
aws_session_name_is_valid (const char *name)
{
    size_t size = strlen (name);

    return size >= SESSION_NAME_LEAST && size <= SESSION_NAME_MOST &&
           strspn (name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                         "_+=,.@-") == size;
}

bool
aws_role_arn_is_valid (const char *arn)
{
    const char *role = strstr (arn, ":role/");

    return strncmp (arn, "arn:aws", 7) == 0 && strstr (arn, ":iam::") && role && role [6] &&
           strlen (arn) <= ROLE_ARN_MOST && !strpbrk (arn, " \t");
}

//  The order is botocore's. A null place: the row is part of the one described before it.
static const struct {
    aws_provide_fn *provide;
    const char *place;
} PROVIDERS [] = {
    {aws_environment_keys,
     "the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN)"},
    {aws_profile_role, NULL},
    {aws_environment_web_identity, "web identity (AWS_WEB_IDENTITY_TOKEN_FILE)"},
    {aws_profile_web_identity, NULL},
    {aws_profile_keys, ""},  //  aws_profile_describe
    {aws_container_keys, "a container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, _FULL_URI)"},
    {aws_instance_keys, "instance metadata (off: AWS_EC2_METADATA_DISABLED)"},
};

static void
add_place (buffer_t *looked, aws_getenv_fn *read_variable, const char *place)
{
    char profile [PLACE_SIZE];

    if (!place) {
        return;
    }
    if (!*place) {
        aws_profile_describe (read_variable, profile, sizeof profile);
        place = profile;
    }
    buffer_format (looked, "%s%s", looked->size > 0 ? "; " : "", place);
}

int
aws_origin_find (aws_getenv_fn *read_variable, aws_origin_t **origin_p, reason_t *why)
{
    _cleanup_ (buffer_clear) buffer_t looked = {0};

    for (size_t i = 0; i < sizeof PROVIDERS / sizeof *PROVIDERS; i++) {
        int rc = PROVIDERS [i].provide (read_variable, origin_p, why);
        if (rc == 0 && (*origin_p)->kind == AWS_ORIGIN_INSTANCE) {
            //  It always is a place to look at; whether it has keys is known when it was asked.
            (*origin_p)->looked = strdup (looked.data ? looked.data : "");
        }
        if (rc != -ENOENT) {
            return rc;
        }
        add_place (&looked, read_variable, PROVIDERS [i].place);
    }
    return reason_set (why, -ENOENT, "no AWS credentials; looked in %s",
                       looked.data ? looked.data : "");
}

// SPDX-License-Identifier: MIT

#include "credentials.h"

#include "../../common/buffer.h"
#include "../../common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct aws_credentials {
    aws_getenv_fn *read_variable;
};

const char *
aws_getenv (const char *name)
{
    return getenv (name);
}

//  0, -ENOENT when this place is not configured, or a fault of it.
typedef int provide_fn (aws_credentials_t *self, moment_t now, aws_keys_t *keys, reason_t *why);

//  An empty variable counts as unset.
static const char *
variable (const aws_credentials_t *self, const char *name)
{
    const char *value = self->read_variable (name);
    return value && *value ? value : NULL;
}

static int
from_environment (aws_credentials_t *self, moment_t now, aws_keys_t *keys, reason_t *why)
{
    (void) now;
    const char *id = variable (self, "AWS_ACCESS_KEY_ID");
    const char *secret = variable (self, "AWS_SECRET_ACCESS_KEY");

    if (!id && !secret) {
        return -ENOENT;
    }
    if (!id || !secret) {
        return reason_set (why, -EINVAL, "%s is set but %s is not: both are needed",
                           id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                           id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    }
    *keys = (aws_keys_t){.access_key_id = id,
                         .secret_access_key = secret,
                         .session_token = variable (self, "AWS_SESSION_TOKEN")};
    return 0;
}

static const struct {
    provide_fn *provide;
    const char *place;
} PROVIDERS [] = {
    {from_environment,
     "the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN: not set)"},
};

aws_credentials_t *
aws_credentials_new (aws_getenv_fn *read_variable)
{
    assert (read_variable);

    aws_credentials_t *self = calloc (1, sizeof *self);
    if (self) {
        self->read_variable = read_variable;
    }
    return self;
}

void
aws_credentials_destroy (aws_credentials_t **self_p)
{
    assert (self_p);

    free (*self_p);
    *self_p = NULL;
}

int
aws_credentials_get (aws_credentials_t *self, moment_t now, aws_keys_t *keys, reason_t *why)
{
    _cleanup_ (buffer_clear) buffer_t places = {0};

    for (size_t i = 0; i < sizeof PROVIDERS / sizeof *PROVIDERS; i++) {
        int rc = PROVIDERS [i].provide (self, now, keys, why);
        if (rc != -ENOENT) {
            return rc;
        }
        buffer_format (&places, "%s%s", places.size > 0 ? "; " : "", PROVIDERS [i].place);
    }
    return reason_set (why, -ENOENT, "no AWS credentials; looked in %s",
                       places.data ? places.data : "");
}

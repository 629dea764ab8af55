// origin_profile.c - the shared files, ~/.aws/credentials and ~/.aws/config, and their profiles.
//
// A profile is `[name]` of the first and `[profile name]` of the second together; the first wins
// where both have a key. One profile is in force: AWS_PROFILE, else AWS_DEFAULT_PROFILE, else
// `default`. A role's source_profile is another profile, which may again have a role; a
// profile that leads back to itself is refused, but for its own keys. Files are read anew each
// time, so that what was changed in them counts the next time keys are wanted.
//
// SPDX-License-Identifier: MIT

#include "../../common/buffer.h"
#include "../../common/cleanup.h"
#include "../../common/ini_file.h"
#include "origin.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_SHOWN      85  //  bytes of a path in a message
#define PATH_SIZE       1024
#define NAME_SIZE       256
#define CHAIN_MAX       5  //  profiles that lead from one to the next
#define DURATION_LEAST  900
#define DURATION_MOST   43200
#define SESSION_NAME    "cmlwatch"
#define DEFAULT_PROFILE "default"

typedef enum profile_key {
    KEY_ID,
    KEY_SECRET,
    KEY_TOKEN,
    KEY_REGION,
    KEY_ROLE,
    KEY_SOURCE_PROFILE,
    KEY_SOURCE,
    KEY_EXTERNAL_ID,
    KEY_SESSION_NAME,
    KEY_DURATION,
    KEY_TOKEN_FILE,
    KEY_PROCESS,
    KEY_MFA,
    KEY_SSO_SESSION,
    KEY_SSO_URL,
    KEY_COUNT
} profile_key_t;

static const char *const NAMES [KEY_COUNT] = {
    [KEY_ID] = "aws_access_key_id",
    [KEY_SECRET] = "aws_secret_access_key",
    [KEY_TOKEN] = "aws_session_token",
    [KEY_REGION] = "region",
    [KEY_ROLE] = "role_arn",
    [KEY_SOURCE_PROFILE] = "source_profile",
    [KEY_SOURCE] = "credential_source",
    [KEY_EXTERNAL_ID] = "external_id",
    [KEY_SESSION_NAME] = "role_session_name",
    [KEY_DURATION] = "duration_seconds",
    [KEY_TOKEN_FILE] = "web_identity_token_file",
    [KEY_PROCESS] = "credential_process",
    [KEY_MFA] = "mfa_serial",
    [KEY_SSO_SESSION] = "sso_session",
    [KEY_SSO_URL] = "sso_start_url",
};

typedef struct files {
    char config [PATH_SIZE], credentials [PATH_SIZE];
    char profile [NAME_SIZE];  //  in force
    bool named;                //  by a variable: it has to be there
} files_t;

typedef struct profile {
    const char *name;
    bool found;
    bool is_config;  //  of the file being read
    char *values [KEY_COUNT];
    bool id_of_config;
} profile_t;

static void
profile_clear (profile_t *self)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (self->values [i]) {
            explicit_bzero (self->values [i], strlen (self->values [i]));
        }
        free (self->values [i]);
    }
    *self = (profile_t){0};
}

static void
find_file (aws_getenv_fn *read_variable, const char *variable, const char *name,
           char path [PATH_SIZE])
{
    const char *own = aws_variable (read_variable, variable);
    const char *home = aws_variable (read_variable, "HOME");

    if (own && strncmp (own, "~/", 2) == 0 && home) {
        snprintf (path, PATH_SIZE, "%s%s", home, own + 1);
    } else if (own) {
        snprintf (path, PATH_SIZE, "%s", own);
    } else {
        snprintf (path, PATH_SIZE, "%s/.aws/%s", home ? home : "", name);
    }
}

static files_t
find_files (aws_getenv_fn *read_variable)
{
    files_t files = {0};
    const char *name = aws_variable (read_variable, "AWS_PROFILE");

    name = name ? name : aws_variable (read_variable, "AWS_DEFAULT_PROFILE");
    files.named = name != NULL;
    snprintf (files.profile, sizeof files.profile, "%s", name ? name : DEFAULT_PROFILE);
    find_file (read_variable, "AWS_CONFIG_FILE", "config", files.config);
    find_file (read_variable, "AWS_SHARED_CREDENTIALS_FILE", "credentials", files.credentials);
    return files;
}

//  --- one profile

//  `[default]`, `[profile name]`, `[profile "name"]`, or `[name]` of the credentials' file.
static bool
is_section_of (const profile_t *self, const char *section)
{
    if (!self->is_config) {
        return strcmp (section, self->name) == 0;
    }
    if (strncmp (section, "profile", 7) == 0 && strchr (" \t", section [7]) && section [7]) {
        section += 7 + strspn (section + 7, " \t");
        size_t size = strlen (section);
        bool quoted = size >= 2 && strchr ("\"'", *section) && section [size - 1] == *section;
        size_t of = quoted ? size - 2 : size;
        return strlen (self->name) == of && strncmp (section + quoted, self->name, of) == 0;
    }
    return strcmp (section, DEFAULT_PROFILE) == 0 && strcmp (self->name, DEFAULT_PROFILE) == 0;
}

//  The credentials' file is read after the other: what it says stands.
static int
take_key (void *argument, const char *section, const char *key, const char *value, reason_t *why)
{
    profile_t *self = argument;

    if (!is_section_of (self, section)) {
        return 0;
    }
    self->found = true;
    for (size_t i = 0; key && *value && i < KEY_COUNT; i++) {
        if (strcmp (key, NAMES [i]) == 0) {
            free (self->values [i]);
            self->values [i] = strdup (value);
            self->id_of_config = i == KEY_ID ? self->is_config : self->id_of_config;
            return self->values [i] ? 0 : reason_set (why, -ENOMEM, "out of memory");
        }
    }
    return 0;
}

//  0; -ENOENT when neither file has it.
static int
profile_read (profile_t *self, const files_t *files, const char *name, reason_t *why)
{
    *self = (profile_t){.name = name, .is_config = true};
    int rc = ini_file_read (files->config, true, take_key, self, why);
    if (rc < 0 && rc != -ENOENT) {
        return rc;
    }
    self->is_config = false;
    rc = ini_file_read (files->credentials, true, take_key, self, why);
    if (rc < 0 && rc != -ENOENT) {
        return rc;
    }
    return self->found ? 0 : -ENOENT;
}

static int
no_such_profile (const files_t *files, const char *name, const char *said_by, reason_t *why)
{
    return reason_set (why, -EINVAL, "profile '%.80s' (%s) is in neither %.150s nor %.150s", name,
                       said_by, files->config, files->credentials);
}

//  The profile in force. -ENOENT when there is none and nobody named it.
static int
read_own (profile_t *self, files_t *files, aws_getenv_fn *read_variable, reason_t *why)
{
    *files = find_files (read_variable);
    int rc = profile_read (self, files, files->profile, why);
    if (rc == -ENOENT && files->named) {
        return no_such_profile (files, files->profile, "AWS_PROFILE", why);
    }
    return rc;
}

//  --- what a profile says

static aws_origin_t *
origin_of (const profile_t *self, aws_origin_kind_t kind, const char *what)
{
    char place [NAME_SIZE + 80];

    snprintf (place, sizeof place, "%s of profile '%s'", what, self->name);
    return aws_origin_new (kind, place);
}

static int
copy (char **slot, const char *text)
{
    *slot = text ? strdup (text) : NULL;
    return text && !*slot ? -ENOMEM : 0;
}

static int
take_keys (const profile_t *self, aws_origin_t **origin_p, reason_t *why)
{
    if (!self->values [KEY_ID] || !self->values [KEY_SECRET]) {
        return reason_set (why, -EINVAL, "profile '%.80s' has %s but not %s: both are needed",
                           self->name, NAMES [self->values [KEY_ID] ? KEY_ID : KEY_SECRET],
                           NAMES [self->values [KEY_ID] ? KEY_SECRET : KEY_ID]);
    }
    _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
        origin_of (self, AWS_ORIGIN_KEYS, "the keys");
    if (!origin || copy (&origin->access_key_id, self->values [KEY_ID]) < 0 ||
        copy (&origin->secret_access_key, self->values [KEY_SECRET]) < 0 ||
        copy (&origin->session_token, self->values [KEY_TOKEN]) < 0) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    *origin_p = take_ptr (origin);
    return 0;
}

static int
take_process (const profile_t *self, aws_origin_t **origin_p, reason_t *why)
{
    _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
        origin_of (self, AWS_ORIGIN_PROCESS, "credential_process");
    if (!origin || copy (&origin->command, self->values [KEY_PROCESS]) < 0) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    *origin_p = take_ptr (origin);
    return 0;
}

//  Keys of the credentials' file, credential_process, keys of the config's: botocore's order.
static int
take_keys_or_process (const profile_t *self, aws_origin_t **origin_p, reason_t *why)
{
    bool has_keys = self->values [KEY_ID] || self->values [KEY_SECRET];

    if (has_keys && !(self->id_of_config && self->values [KEY_PROCESS])) {
        return take_keys (self, origin_p, why);
    }
    if (self->values [KEY_PROCESS]) {
        return take_process (self, origin_p, why);
    }
    if (self->values [KEY_SSO_SESSION] || self->values [KEY_SSO_URL]) {
        return reason_set (why, -ENOTSUP,
                           "profile '%.80s' is for a person's login (sso), which a service cannot "
                           "do; give it a role, keys or a credential_process",
                           self->name);
    }
    return -ENOENT;
}

//  The facts that both kinds of role share.
static int
take_role_facts (const profile_t *self, aws_origin_t *origin, reason_t *why)
{
    const char *session = self->values [KEY_SESSION_NAME], *seconds = self->values [KEY_DURATION];
    const char *arn = self->values [KEY_ROLE];
    char *end = NULL;

    session = session ? session : SESSION_NAME;
    if (!arn || !aws_role_arn_is_valid (arn)) {
        return reason_set (why, -EINVAL,
                           "profile '%.80s': role_arn = '%.100s' is not the ARN of a role",
                           self->name, arn ? arn : "");
    }
    if (!aws_session_name_is_valid (session)) {
        return reason_set (why, -EINVAL,
                           "profile '%.80s': role_session_name = '%.80s' is not 2 to 64 of "
                           "letters, digits and _+=,.@-",
                           self->name, session);
    }
    origin->duration_seconds = seconds ? strtoll (seconds, &end, 10) : 0;
    if (seconds && (*end || origin->duration_seconds < DURATION_LEAST ||
                    origin->duration_seconds > DURATION_MOST)) {
        return reason_set (why, -EINVAL,
                           "profile '%.80s': duration_seconds = '%.40s' is not within %d to %d",
                           self->name, seconds, DURATION_LEAST, DURATION_MOST);
    }
    return copy (&origin->role_arn, arn) < 0 || copy (&origin->session_name, session) < 0 ||
                   copy (&origin->external_id, self->values [KEY_EXTERNAL_ID]) < 0
               ? reason_set (why, -ENOMEM, "out of memory")
               : 0;
}

static int
take_web_identity (const profile_t *self, aws_origin_t **origin_p, reason_t *why)
{
    if (!self->values [KEY_TOKEN_FILE]) {
        return -ENOENT;
    }
    _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
        origin_of (self, AWS_ORIGIN_WEB_IDENTITY, "web identity");
    if (!origin || copy (&origin->token_file, self->values [KEY_TOKEN_FILE]) < 0) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    int rc = take_role_facts (self, origin, why);
    if (rc == 0) {
        *origin_p = take_ptr (origin);
    }
    return rc;
}

//  --- roles, and whose keys assume them

typedef struct chain {
    aws_getenv_fn *read_variable;
    const files_t *files;
    const char *names [CHAIN_MAX];  //  of the profiles on the way
    size_t count;
} chain_t;

static int take_role (const profile_t *self, chain_t *chain, aws_origin_t **origin_p,
                      reason_t *why);

static const struct {
    const char *word;
    aws_provide_fn *provide;
} SOURCES [] = {
    {"Environment", aws_environment_keys},
    {"EcsContainer", aws_container_keys},
    {"Ec2InstanceMetadata", aws_instance_keys},
};

static int
base_of_source (const profile_t *self, const chain_t *chain, aws_origin_t **base_p, reason_t *why)
{
    const char *word = self->values [KEY_SOURCE];

    for (size_t i = 0; i < sizeof SOURCES / sizeof *SOURCES; i++) {
        if (strcmp (SOURCES [i].word, word) == 0) {
            int rc = SOURCES [i].provide (chain->read_variable, base_p, why);
            return rc != -ENOENT ? rc
                                 : reason_set (why, -EINVAL,
                                               "profile '%.80s': credential_source = %s has no "
                                               "keys: its variables are not set, or it is disabled",
                                               self->name, word);
        }
    }
    return reason_set (why, -EINVAL,
                       "profile '%.80s': credential_source = '%.60s' is none of Environment, "
                       "EcsContainer, Ec2InstanceMetadata",
                       self->name, word);
}

static int
base_of_profile (chain_t *chain, const char *name, aws_origin_t **base_p, reason_t *why)
{
    _cleanup_ (profile_clear) profile_t source = {0};
    bool is_own = strcmp (name, chain->names [chain->count - 1]) == 0;

    for (size_t i = 0; !is_own && i < chain->count; i++) {
        if (strcmp (name, chain->names [i]) == 0) {
            return reason_set (why, -EINVAL, "source_profile = '%.80s' leads in a circle", name);
        }
    }
    int rc = profile_read (&source, chain->files, name, why);
    if (rc == -ENOENT) {
        return no_such_profile (chain->files, name, "source_profile", why);
    }
    if (rc == 0 && is_own) {
        return take_keys (&source, base_p, why);
    }
    rc = rc < 0 ? rc : take_role (&source, chain, base_p, why);
    rc = rc != -ENOENT ? rc : take_web_identity (&source, base_p, why);
    rc = rc != -ENOENT ? rc : take_keys_or_process (&source, base_p, why);
    return rc != -ENOENT ? rc
                         : reason_set (why, -EINVAL, "source_profile = '%.80s' has no keys", name);
}

//  -ENOENT when the profile has no role of this kind.
static int
take_role (const profile_t *self, chain_t *chain, aws_origin_t **origin_p, reason_t *why)
{
    const char *source = self->values [KEY_SOURCE_PROFILE];

    if (!self->values [KEY_ROLE] || self->values [KEY_TOKEN_FILE]) {
        return -ENOENT;
    }
    if (self->values [KEY_MFA]) {
        return reason_set (why, -ENOTSUP,
                           "profile '%.80s' wants a person's second factor (mfa_serial), which a "
                           "service does not have",
                           self->name);
    }
    if (!source == !self->values [KEY_SOURCE]) {
        return reason_set (why, -EINVAL,
                           "profile '%.80s' has role_arn: it needs source_profile or "
                           "credential_source, and not both",
                           self->name);
    }
    if (chain->count == CHAIN_MAX) {
        return reason_set (why, -EINVAL, "more than %d profiles lead from one to the next",
                           CHAIN_MAX);
    }
    chain->names [chain->count++] = self->name;
    _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
        origin_of (self, AWS_ORIGIN_ROLE, "the role");
    if (!origin) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    int rc = take_role_facts (self, origin, why);
    rc = rc < 0   ? rc
         : source ? base_of_profile (chain, source, &origin->base, why)
                  : base_of_source (self, chain, &origin->base, why);
    if (rc == 0) {
        *origin_p = take_ptr (origin);
    }
    return rc;
}

//  --- the providers

int
aws_profile_role (aws_getenv_fn *read_variable, aws_origin_t **origin_p, reason_t *why)
{
    _cleanup_ (profile_clear) profile_t profile = {0};
    files_t files;
    chain_t chain = {.read_variable = read_variable, .files = &files};

    int rc = read_own (&profile, &files, read_variable, why);
    return rc < 0 ? rc : take_role (&profile, &chain, origin_p, why);
}

int
aws_profile_web_identity (aws_getenv_fn *read_variable, aws_origin_t **origin_p, reason_t *why)
{
    _cleanup_ (profile_clear) profile_t profile = {0};
    files_t files;

    int rc = read_own (&profile, &files, read_variable, why);
    return rc < 0 ? rc : take_web_identity (&profile, origin_p, why);
}

int
aws_profile_keys (aws_getenv_fn *read_variable, aws_origin_t **origin_p, reason_t *why)
{
    _cleanup_ (profile_clear) profile_t profile = {0};
    files_t files;

    int rc = read_own (&profile, &files, read_variable, why);
    return rc < 0 ? rc : take_keys_or_process (&profile, origin_p, why);
}

bool
aws_profile_region (aws_getenv_fn *read_variable, char *region, unsigned size)
{
    _cleanup_ (profile_clear) profile_t profile = {0};
    files_t files;

    if (read_own (&profile, &files, read_variable, NULL) < 0 || !profile.values [KEY_REGION] ||
        strlen (profile.values [KEY_REGION]) >= size) {
        return false;
    }
    snprintf (region, size, "%s", profile.values [KEY_REGION]);
    return true;
}

//  Of a long path its end: there it says which file it is.
static const char *
end_of (const char *path)
{
    size_t size = strlen (path);

    return path + (size > PATH_SHOWN ? size - PATH_SHOWN : 0);
}

void
aws_profile_describe (aws_getenv_fn *read_variable, char *text, unsigned size)
{
    files_t files = find_files (read_variable);
    _cleanup_ (profile_clear) profile_t profile = {0};
    bool found = profile_read (&profile, &files, files.profile, NULL) == 0;

    snprintf (text, size, "profile '%.40s' of %s and %s (%s)", files.profile,
              end_of (files.credentials), end_of (files.config),
              found ? "has no keys" : "not there");
}

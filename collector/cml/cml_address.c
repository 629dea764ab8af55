// SPDX-License-Identifier: MIT

#include "cml_address.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME   "https://"
#define TAG      "tag:"
#define KEY_SIZE 130  //  of a tag: 128 characters at the most
#define PORT_MAX 65535

static const struct {
    const char *name;
    size_t place;  //  of the text in collector_worker_t
} PARTS [] = {
    {"public_ip", offsetof (collector_worker_t, public_ip)},
    {"private_ip", offsetof (collector_worker_t, private_ip)},
    {"name", offsetof (collector_worker_t, name)},
    {"instance_id", offsetof (collector_worker_t, instance_id)},
    {"region", offsetof (collector_worker_t, region)},
};

#define PART_COUNT (sizeof PARTS / sizeof *PARTS)

//  What the three short forms stand for.
static const char *
template_of (const char *setting, char text [CONFIG_TEXT_SIZE + 2])
{
    if (strcmp (setting, "public") == 0) {
        return "{public_ip}";
    }
    if (strcmp (setting, "private") == 0) {
        return "{private_ip}";
    }
    if (strncmp (setting, TAG, strlen (TAG)) == 0) {
        snprintf (text, CONFIG_TEXT_SIZE + 2, "{%.*s}", CONFIG_TEXT_SIZE - 1, setting);
        return text;
    }
    return setting;
}

static size_t
part_of (const char *name, size_t size)
{
    size_t i = 0;

    while (i < PART_COUNT &&
           (strlen (PARTS [i].name) != size || strncmp (PARTS [i].name, name, size) != 0)) {
        i++;
    }
    return i;
}

static bool
is_tag (const char *name, size_t size)
{
    return size > strlen (TAG) && size - strlen (TAG) < KEY_SIZE &&
           strncmp (name, TAG, strlen (TAG)) == 0;
}

//  The worker's text for a part; "" when it has none.
static const char *
value_of (const collector_worker_t *worker, const char *name, size_t size)
{
    char key [KEY_SIZE];

    if (is_tag (name, size)) {
        snprintf (key, sizeof key, "%.*s", (int) (size - strlen (TAG)), name + strlen (TAG));
        const char *value = json_get_text (worker->tags, key);
        return value ? value : "";
    }
    size_t part = part_of (name, size);
    return part < PART_COUNT
               ? *(const char *const *) (const void *) ((const char *) worker + PARTS [part].place)
               : "";
}

//  --- the setting

int
cml_address_check (const char *setting, reason_t *why)
{
    char text [CONFIG_TEXT_SIZE + 2];
    const char *at = template_of (setting, text);

    if (strncmp (at, "http://", 7) == 0 || (strstr (at, "://") && strncmp (at, SCHEME, 8) != 0)) {
        return reason_set (why, -EINVAL, "address = '%s': CML is asked by https alone", setting);
    }
    for (; *at; at++) {
        const char *end = *at == '{' ? strchr (at, '}') : NULL;
        size_t size = end ? (size_t) (end - at - 1) : 0;
        if (*at == '}' || (*at == '{' && (!end || (part_of (at + 1, size) == PART_COUNT &&
                                                   !is_tag (at + 1, size))))) {
            return reason_set (
                why, -EINVAL,
                "address = '%s' is not public, private, tag:<key> or a template with "
                "{name} {instance_id} {region} {public_ip} {private_ip} {tag:<key>}",
                setting);
        }
        at = end ? end : at;
    }
    return *setting ? 0 : reason_set (why, -EINVAL, "address is empty");
}

//  --- a worker's

static int
expand (buffer_t *out, const char *at, const collector_worker_t *worker, reason_t *why)
{
    for (; *at; at++) {
        const char *end = *at == '{' ? strchr (at, '}') : NULL;
        if (!end) {
            buffer_append (out, at, 1);
            continue;
        }
        size_t size = (size_t) (end - at - 1);
        const char *value = value_of (worker, at + 1, size);
        if (!*value) {
            return reason_set (why, -ENOENT, "%s has no %.*s (setting `address`)", worker->subject,
                               (int) size, at + 1);
        }
        buffer_text (out, value);
        at = end;
    }
    return buffer_failed (out) ? reason_set (why, -ENOENT, "out of memory") : 0;
}

//  A name or an address: nothing that would change the URL's sense.
static bool
is_host (const char *text)
{
    size_t size = strlen (text);

    for (size_t i = 0; i < size; i++) {
        if (!isalnum ((unsigned char) text [i]) && !strchr (".:-", text [i])) {
            return false;
        }
    }
    return size > 0 && size < CML_HOST_SIZE;
}

static bool
read_port (const char *text, int64_t *port)
{
    char *end;
    errno = 0;
    long value = isdigit ((unsigned char) *text) ? strtol (text, &end, 10) : 0;

    if (value < 1 || value > PORT_MAX || *end) {
        return false;
    }
    *port = value;
    return true;
}

//  [2001:db8::1]:5543, 2001:db8::1, name:5543, name. Cuts text up.
static bool
split (cml_address_t *self, char *text)
{
    char *host = text, *port = NULL, *bracket = *text == '[' ? strchr (text, ']') : NULL;

    if (bracket) {
        host = text + 1;
        *bracket++ = '\0';
        port = *bracket == ':' ? bracket + 1 : NULL;
        if (*bracket && !port) {
            return false;
        }
    } else if (strchr (text, ':') == strrchr (text, ':') && strchr (text, ':')) {
        port = strchr (text, ':');
        *port++ = '\0';
    }
    if ((port && !read_port (port, &self->port)) || !is_host (host)) {
        return false;
    }
    snprintf (self->host, sizeof self->host, "%s", host);
    return true;
}

int
cml_address_of (cml_address_t *self, const char *setting, int64_t port,
                const collector_worker_t *worker, reason_t *why)
{
    char text [CONFIG_TEXT_SIZE + 2];
    _cleanup_ (buffer_clear) buffer_t out = {0};

    *self = (cml_address_t){.port = port};
    int rc = expand (&out, template_of (setting, text), worker, why);
    if (rc < 0 || !out.data) {  //  no setting is empty (cml_address_check)
        return -ENOENT;
    }
    size_t skip = strncmp (out.data, SCHEME, strlen (SCHEME)) == 0 ? strlen (SCHEME) : 0;
    if (out.size > skip && out.data [out.size - 1] == '/') {
        out.data [out.size - 1] = '\0';
    }
    _cleanup_ (string_destroy) char *whole = strdup (out.data + skip);
    if (!whole || !split (self, out.data + skip)) {
        return reason_set (why, -ENOENT,
                           "%s: '%.60s' is no host, with or without a port "
                           "(setting `address`)",
                           worker->subject, whole ? whole : "");
    }
    return 0;
}

// origin_machine.c - the providers that the machine is: a container's endpoint, instance metadata.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "origin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CONTAINER_HOST "http://169.254.170.2"
#define METADATA_IPV4  "http://169.254.169.254"
#define METADATA_IPV6  "http://[fd00:ec2::254]"

//  Where http is let be: the host alone, for what follows is never sent through a proxy.
static bool
is_local (const char *host)
{
    static const char *const CONTAINERS [] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23",
                                              "::1", "localhost"};
    struct in_addr address;

    for (size_t i = 0; i < sizeof CONTAINERS / sizeof *CONTAINERS; i++) {
        if (strcasecmp (host, CONTAINERS [i]) == 0) {
            return true;
        }
    }
    return inet_pton (AF_INET, host, &address) == 1 && ntohl (address.s_addr) >> 24 == 127;
}

//  A user in the URL, or a backslash, could make one reader see another host than the next.
bool
aws_container_url_is_safe (const char *url)
{
    bool is_http = strncasecmp (url, "http://", 7) == 0;
    bool is_https = strncasecmp (url, "https://", 8) == 0;
    const char *at = url + (is_http ? 7 : 8);
    char host [256];

    if (!is_http && !is_https) {
        return false;
    }
    size_t authority = strcspn (at, "/?#");
    if (authority == 0 || authority >= sizeof host || memchr (at, '@', authority) ||
        strpbrk (url, "\\ \t\r\n")) {
        return false;
    }
    size_t size = *at == '[' ? strcspn (++at, "]") : strcspn (at, ":/?#");
    snprintf (host, sizeof host, "%.*s", (int) size, at);
    return is_https || is_local (host);
}

static int
make_container (aws_getenv_fn *read_variable, const char *url, const char *variable,
                aws_origin_t **origin_p, reason_t *why)
{
    const char *file = aws_variable (read_variable, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = aws_variable (read_variable, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    char place [200];

    snprintf (place, sizeof place, "the container's endpoint (%s)", variable);
    _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
        aws_origin_new (AWS_ORIGIN_CONTAINER, place);
    if (!origin || !(origin->url = strdup (url)) ||
        (file && !(origin->authorization_file = strdup (file))) ||
        (!file && token && !(origin->authorization = strdup (token)))) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    *origin_p = take_ptr (origin);
    return 0;
}

int
aws_container_keys (aws_getenv_fn *read_variable, aws_origin_t **origin_p, reason_t *why)
{
    const char *relative = aws_variable (read_variable, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = aws_variable (read_variable, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    char url [1024];

    if (relative) {
        if (*relative != '/' || strlen (relative) + sizeof CONTAINER_HOST > sizeof url) {
            return reason_set (why, -EINVAL,
                               "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = '%.100s' is not a path",
                               relative);
        }
        snprintf (url, sizeof url, CONTAINER_HOST "%s", relative);
        return make_container (read_variable, url, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                               origin_p, why);
    }
    if (!full) {
        return -ENOENT;
    }
    if (!aws_container_url_is_safe (full)) {
        return reason_set (why, -EINVAL,
                           "AWS_CONTAINER_CREDENTIALS_FULL_URI = '%.100s' is neither https nor at "
                           "this machine (localhost, 127.0.0.0/8, 169.254.170.2, 169.254.170.23)",
                           full);
    }
    return make_container (read_variable, full, "AWS_CONTAINER_CREDENTIALS_FULL_URI", origin_p,
                           why);
}

//  Without its last '/': paths are appended.
static int
metadata_url (aws_getenv_fn *read_variable, char *url, size_t size, reason_t *why)
{
    const char *own = aws_variable (read_variable, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = aws_variable (read_variable, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

    if (!own) {
        own = mode && strcasecmp (mode, "ipv6") == 0 ? METADATA_IPV6 : METADATA_IPV4;
    }
    size_t length = strlen (own);
    while (length > 0 && own [length - 1] == '/') {
        length--;
    }
    if ((strncmp (own, "http://", 7) != 0 && strncmp (own, "https://", 8) != 0) || length >= size) {
        return reason_set (why, -EINVAL,
                           "AWS_EC2_METADATA_SERVICE_ENDPOINT = '%.100s' is not an http:// URL",
                           own);
    }
    snprintf (url, size, "%.*s", (int) length, own);
    return 0;
}

int
aws_instance_keys (aws_getenv_fn *read_variable, aws_origin_t **origin_p, reason_t *why)
{
    const char *disabled = aws_variable (read_variable, "AWS_EC2_METADATA_DISABLED");
    char url [256], place [300];

    if (disabled && strcasecmp (disabled, "true") == 0) {
        return -ENOENT;
    }
    int rc = metadata_url (read_variable, url, sizeof url, why);
    if (rc < 0) {
        return rc;
    }
    snprintf (place, sizeof place, "instance metadata at %s", url);
    _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
        aws_origin_new (AWS_ORIGIN_INSTANCE, place);
    if (!origin || !(origin->url = strdup (url))) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    *origin_p = take_ptr (origin);
    return 0;
}

// proxies.c - see proxies.h.
//
// SPDX-License-Identifier: MIT

#include "proxies.h"

#include "../common/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NETWORKS_MOST 256
#define WORD_SIZE     64
#define MAPPED_BITS   96  //  of an IPv4 address within IPv6 (RFC 4291, 2.5.5.2)

typedef struct network {
    struct in6_addr address;
    unsigned bits;
} network_t;

struct proxies {
    network_t networks [NETWORKS_MOST];
    size_t count;
    bool unix_sockets;
};

static bool
read_address (const char *text, struct in6_addr *out, unsigned *bits)
{
    struct in_addr four;

    *bits = 128;
    if (inet_pton (AF_INET, text, &four) == 1) {
        *out = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
        memcpy (&out->s6_addr [12], &four, sizeof four);
        *bits = 32;
        return true;
    }
    return inet_pton (AF_INET6, text, out) == 1;
}

static bool
read_network (char *word, network_t *out)
{
    char *slash = strchr (word, '/'), *end = NULL;
    unsigned most;

    if (slash) {
        *slash = '\0';
    }
    if (!read_address (word, &out->address, &most)) {
        return false;
    }
    unsigned long bits = slash ? strtoul (slash + 1, &end, 10) : most;
    out->bits = (unsigned) bits + (most == 32 ? MAPPED_BITS : 0);
    return bits <= most && (!slash || (end != slash + 1 && *end == '\0'));
}

proxies_t *
proxies_new (const char *list, reason_t *why)
{
    _cleanup_ (proxies_destroy) proxies_t *self = calloc (1, sizeof *self);
    char word [WORD_SIZE];

    while (self && *(list += strspn (list, ", \t"))) {
        size_t size = strcspn (list, ", \t");
        snprintf (word, sizeof word, "%.*s", (int) (size < WORD_SIZE ? size : WORD_SIZE - 1), list);
        if (strcmp (word, "unix") == 0) {
            self->unix_sockets = true;
        } else if (self->count == NETWORKS_MOST ||
                   !read_network (word, &self->networks [self->count++])) {
            reason_set (why, -EINVAL,
                        "trusted_proxies: '%.*s' is no address, no network such as 10.0.0.0/8, "
                        "and not `unix`; at most %d",
                        (int) size, list, NETWORKS_MOST);
            return NULL;
        }
        list += size;
    }
    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
    }
    return take_ptr (self);
}

void
proxies_destroy (proxies_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

static bool
is_within (const struct in6_addr *address, const network_t *network)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    unsigned mask = 0xff00u >> rest & 0xffu;

    return memcmp (address->s6_addr, network->address.s6_addr, whole) == 0 &&
           (rest == 0 ||
            ((address->s6_addr [whole] ^ network->address.s6_addr [whole]) & mask) == 0);
}

bool
proxies_trust (const proxies_t *self, const struct in6_addr *address)
{
    if (IN6_IS_ADDR_UNSPECIFIED (address)) {
        return self->unix_sockets;
    }
    for (size_t i = 0; i < self->count; i++) {
        if (is_within (address, &self->networks [i])) {
            return true;
        }
    }
    return false;
}

//  The last word before *size, which becomes where that word began; false: no more, or no address.
static bool
last_hop (const char *list, size_t *size, struct in6_addr *out)
{
    char word [WORD_SIZE];
    unsigned bits;
    size_t end = *size;

    while (end > 0 && (list [end - 1] == ' ' || list [end - 1] == ',' || list [end - 1] == '\t')) {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && list [begin - 1] != ',' && list [begin - 1] != ' ') {
        begin--;
    }
    if (end - begin == 0 || end - begin >= WORD_SIZE) {
        return false;
    }
    memcpy (word, list + begin, end - begin);
    word [end - begin] = '\0';
    *size = begin;
    return read_address (word, out, &bits);
}

struct in6_addr
proxies_client (const proxies_t *self, const struct in6_addr *peer, const char *forwarded)
{
    struct in6_addr client = *peer, hop;
    size_t size = forwarded ? strlen (forwarded) : 0;

    while (proxies_trust (self, &client) && last_hop (forwarded ? forwarded : "", &size, &hop)) {
        client = hop;
    }
    return client;
}

struct in6_addr
proxies_network (const struct in6_addr *address)
{
    static const uint8_t NONE [8] = {0};
    struct in6_addr out = *address;

    //  Mapped IPv4, ::1 and :: begin with zeroes alone; there is one host to each of them.
    if (memcmp (out.s6_addr, NONE, sizeof NONE) != 0) {
        memset (&out.s6_addr [8], 0, 8);
    }
    return out;
}

const char *
proxies_text (const struct in6_addr *address, char text [PROXIES_ADDRESS_SIZE])
{
    if (IN6_IS_ADDR_UNSPECIFIED (address)) {
        return "unix";
    }
    return IN6_IS_ADDR_V4MAPPED (address)
               ? inet_ntop (AF_INET, &address->s6_addr [12], text, PROXIES_ADDRESS_SIZE)
               : inet_ntop (AF_INET6, address, text, PROXIES_ADDRESS_SIZE);
}

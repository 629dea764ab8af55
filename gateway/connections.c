// connections.c - see connections.h. Each is the socket context of its connection of libmicrohttpd.
//
// SPDX-License-Identifier: MIT

#include "connections.h"

#include "../common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

typedef struct connection connection_t;

struct connection {
    connections_t *all;
    connection_t *next, *before;
    int fd;
    bool asked, answered;  //  a request is there; one was
    unsigned status;       //  of the last answer
    size_t bytes;
    size_t held;              //  of a large answer that is on its way
    time_us_t waits_since;    //  steady
    struct in6_addr address;  //  IPv4 mapped into it; all zero: none
    struct in6_addr network;  //  of it
};

struct connections {
    loop_t *loop;
    loop_timer_t *timer;
    connections_settings_t settings;
    connection_t *first, *last;  //  those that owe a request stand in front
    size_t count;
    size_t held;  //  by all of them
    metric_t *open, *crowded, *slow, *full, *idle, *answers, *refused;
};

static connection_t *
context_of (struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info (connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static struct in6_addr
address_of (struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct in6_addr out = {0};

    if (info && info->client_addr && info->client_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 from;
        memcpy (&from, info->client_addr, sizeof from);
        out = from.sin6_addr;
    } else if (info && info->client_addr && info->client_addr->sa_family == AF_INET) {
        struct sockaddr_in from;
        memcpy (&from, info->client_addr, sizeof from);
        out.s6_addr [10] = out.s6_addr [11] = 0xff;
        memcpy (&out.s6_addr [12], &from.sin_addr, 4);
    }
    return out;
}

static bool
is_crowded (const connections_t *self, const connection_t *one)
{
    const struct in6_addr *address = &one->address;
    int64_t count = 0;

    if (self->settings.per_address_max == 0 || IN6_IS_ADDR_UNSPECIFIED (address) ||
        proxies_trust (self->settings.proxies, address)) {
        return false;
    }
    for (const connection_t *each = self->first; each; each = each->next) {
        count += memcmp (&each->network, &one->network, sizeof one->network) == 0;
    }
    return count >= self->settings.per_address_max;
}

static void
unlink_one (connections_t *self, connection_t *one)
{
    *(one->before ? &one->before->next : &self->first) = one->next;
    *(one->next ? &one->next->before : &self->last) = one->before;
    one->before = one->next = NULL;
}

static void
link_in_front (connections_t *self, connection_t *one)
{
    one->next = self->first;
    *(self->first ? &self->first->before : &self->last) = one;
    self->first = one;
}

static void
link_behind (connections_t *self, connection_t *one)
{
    one->before = self->last;
    *(self->last ? &self->last->next : &self->first) = one;
    self->last = one;
}

//  Whether it owes a request.
static void
set_asked (connection_t *one, bool asked)
{
    unlink_one (one->all, one);
    one->asked = asked;
    if (asked) {
        link_behind (one->all, one);
    } else {
        link_in_front (one->all, one);
    }
}

static void
begin (connections_t *self, struct MHD_Connection *connection, void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    connection_t *one = info ? calloc (1, sizeof *one) : NULL;

    if (!one) {
        return;
    }
    *one = (connection_t){.all = self,
                          .fd = info->connect_fd,
                          .waits_since = loop_now (self->loop).steady,
                          .address = address_of (connection)};
    one->network = proxies_network (&one->address);
    if (is_crowded (self, one)) {
        metric_increment (self->crowded);
        (void) shutdown (one->fd, SHUT_RDWR);                //  the daemon sees that it has ended
        one->address = one->network = (struct in6_addr){0};  //  it does not count against others
    }
    link_in_front (self, one);
    metric_set (self->open, (double) ++self->count);
    *context = one;
}

static void
let_go (connection_t *one)
{
    one->all->held -= one->held;
    one->held = 0;
    metric_set (one->all->answers, (double) one->all->held);
}

static void
end (connections_t *self, connection_t *one)
{
    let_go (one);
    unlink_one (self, one);
    metric_set (self->open, (double) --self->count);
    free (one);
}

void
connections_notify (void *argument, struct MHD_Connection *connection, void **context,
                    enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        begin (argument, connection, context);
    } else if (*context) {
        end (argument, *context);
        *context = NULL;
    }
}

void
connections_asked (struct MHD_Connection *connection)
{
    connection_t *one = context_of (connection);

    if (one) {
        set_asked (one, true);
    }
}

void
connections_answered (struct MHD_Connection *connection)
{
    connection_t *one = context_of (connection);

    if (one) {
        let_go (one);
        set_asked (one, false);
        one->status = 0;
        one->answered = true;
        one->waits_since = loop_now (one->all->loop).steady;
    }
}

bool
connections_are_too_many (connections_t *self)
{
    bool full = self->count > (size_t) self->settings.most;

    if (full) {
        metric_increment (self->full);
    }
    return full;
}

bool
connections_hold (struct MHD_Connection *connection, size_t bytes)
{
    connection_t *one = context_of (connection);
    connections_t *all = one ? one->all : NULL;

    if (!one) {
        return true;
    }
    if (all->held > 0 && all->held + bytes > (size_t) all->settings.answers_max) {
        metric_increment (all->refused);
        return false;
    }
    one->held += bytes;
    all->held += bytes;
    metric_set (all->answers, (double) all->held);
    return true;
}

const char *
connections_origins (struct MHD_Connection *connection)
{
    const connection_t *one = context_of (connection);

    return one ? one->all->settings.origins : "";
}

#define FORWARDED_SIZE 1024  //  of all headers in a row; what is before is not needed

//  Proxies append to the header, or another one behind it.
static enum MHD_Result
append_hops (void *argument, enum MHD_ValueKind kind, const char *name, const char *value)
{
    char *all = argument;
    size_t size = strlen (all);

    (void) kind;
    if (value && strcasecmp (name, "X-Forwarded-For") == 0) {
        size_t length = strlen (value);
        if (size + length + 2 > FORWARDED_SIZE) {
            size = 0;  //  the last are those of our proxies
            value += length > FORWARDED_SIZE / 2 ? length - FORWARDED_SIZE / 2 : 0;
        }
        snprintf (all + size, FORWARDED_SIZE - size, ",%s", value);
    }
    return MHD_YES;
}

static struct in6_addr
client_of (struct MHD_Connection *connection, const connection_t *one)
{
    char forwarded [FORWARDED_SIZE] = "";

    if (!proxies_trust (one->all->settings.proxies, &one->address)) {
        return one->address;
    }
    MHD_get_connection_values (connection, MHD_HEADER_KIND, append_hops, forwarded);
    return proxies_client (one->all->settings.proxies, &one->address, forwarded);
}

const char *
connections_client (struct MHD_Connection *connection, char text [PROXIES_ADDRESS_SIZE])
{
    const connection_t *one = context_of (connection);

    if (!one) {
        return "unknown";
    }
    struct in6_addr client = client_of (connection, one);
    return proxies_text (&client, text);
}

const char *
connections_network (struct MHD_Connection *connection, char text [PROXIES_ADDRESS_SIZE])
{
    const connection_t *one = context_of (connection);

    if (!one) {
        return "unknown";
    }
    struct in6_addr client = client_of (connection, one), network = proxies_network (&client);
    return proxies_text (&network, text);
}

bool
connections_are_secure (struct MHD_Connection *connection)
{
    const connection_t *one = context_of (connection);
    const char *scheme =
        MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "X-Forwarded-Proto");

    return MHD_get_connection_info (connection, MHD_CONNECTION_INFO_GNUTLS_SESSION) ||
           (one && scheme && strcasecmp (scheme, "https") == 0 &&
            proxies_trust (one->all->settings.proxies, &one->address));
}

void
connections_note (struct MHD_Connection *connection, unsigned status, size_t bytes)
{
    connection_t *one = context_of (connection);

    if (one) {
        one->status = status;
        one->bytes = bytes;
    }
}

unsigned
connections_noted (struct MHD_Connection *connection, size_t *bytes)
{
    const connection_t *one = context_of (connection);

    *bytes = one ? one->bytes : 0;
    return one ? one->status : 0;
}

static void
on_timer (void *argument)
{
    connections_t *self = argument;
    time_us_t before = loop_now (self->loop).steady - self->settings.request_seconds * SECOND_US;

    for (connection_t *one = self->first, *next; one && !one->asked; one = next) {
        next = one->next;
        if (one->waits_since < before) {
            set_asked (one, true);  //  told once
            metric_increment (one->answered ? self->idle : self->slow);
            (void) shutdown (one->fd, SHUT_RDWR);
        }
    }
}

connections_t *
connections_new (loop_t *loop, const connections_settings_t *settings, metrics_t *metrics,
                 reason_t *why)
{
    static const char NAME [] = "cmlwatch_gateway_connections_refused_total";
    static const char HELP [] =
        "Connections refused: too many of one address, no request in time, or too many in all";
    _cleanup_ (connections_destroy) connections_t *self = calloc (1, sizeof *self);

    if (!self || !(self->timer = loop_timer_new (loop, on_timer, self))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->loop = loop;
    self->settings = *settings;
    self->open = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_gateway_connections",
                              "Connections that are open, streams among them");
    self->crowded =
        metrics_with (metrics, METRIC_COUNTER, NAME, HELP, METRIC_LABELS ("reason", "address"));
    self->slow =
        metrics_with (metrics, METRIC_COUNTER, NAME, HELP, METRIC_LABELS ("reason", "slow"));
    self->full =
        metrics_with (metrics, METRIC_COUNTER, NAME, HELP, METRIC_LABELS ("reason", "full"));
    self->idle = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_connections_idle_total",
                              "Connections closed that were kept open behind an answer");
    self->answers = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_gateway_answers_bytes",
                                 "Bytes of large answers that are on their way");
    self->refused = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_answers_refused_total",
                                 "Large answers refused, 503: answers_max_bytes were on their way");
    loop_timer_every (self->timer, SECOND_US);
    return take_ptr (self);
}

void
connections_destroy (connections_t **self_p)
{
    assert (self_p);
    connections_t *self = *self_p;

    if (self) {
        while (self->first) {
            //  scan-build: the first of them was taken out of the list in the turn before
            end (self, self->first);
        }
        loop_timer_destroy (&self->timer);
        free (self);
        *self_p = NULL;
    }
}

// fake_mhd.h - libmicrohttpd as far as the gateway calls it, for one connection at a time.
//
// These definitions stand before the library's. So what libmicrohttpd would have parsed comes
// from the fuzzer (its own parser is not ours to fuzz), and the handlers that the gateway gave to
// MHD_start_daemon run as they are. An answer is checked as it is queued: no line end in a header,
// and JSON where it says so.
//
// SPDX-License-Identifier: MIT

#ifndef TESTS_FUZZ_FAKE_MHD_H
#define TESTS_FUZZ_FAKE_MHD_H

#include "fuzz.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define PAIRS_MAX 32

typedef struct pair {
    enum MHD_ValueKind kind;
    const char *name, *value;
} pair_t;

struct MHD_Connection {
    pair_t pairs [PAIRS_MAX];
    size_t count;
    int fd, peer;
    void *context;  //  of its socket
    bool suspended, answered;
    unsigned status;
    union MHD_ConnectionInfo info;
};

struct MHD_Response {
    bool is_upgrade;
    size_t size;
    char *body, type [64];
};

typedef size_t unescape_fn (void *argument, struct MHD_Connection *connection, char *text);

//  What the gateway gave to MHD_start_daemon.
static struct {
    MHD_AccessHandlerCallback handler;
    MHD_RequestCompletedCallback completed;
    MHD_NotifyConnectionCallback notify;
    unescape_fn *unescape;
    void *handler_argument, *completed_argument, *notify_argument, *unescape_argument;
    int epoll_fd;
    union MHD_DaemonInfo info;
} daemon_;

static inline void
take_options (va_list arguments)
{
    for (int option = va_arg (arguments, int); option != MHD_OPTION_END;
         option = va_arg (arguments, int)) {
        switch (option) {
        case MHD_OPTION_NOTIFY_COMPLETED:
            daemon_.completed = va_arg (arguments, MHD_RequestCompletedCallback);
            daemon_.completed_argument = va_arg (arguments, void *);
            break;
        case MHD_OPTION_NOTIFY_CONNECTION:
            daemon_.notify = va_arg (arguments, MHD_NotifyConnectionCallback);
            daemon_.notify_argument = va_arg (arguments, void *);
            break;
        case MHD_OPTION_UNESCAPE_CALLBACK:
            daemon_.unescape = va_arg (arguments, unescape_fn *);
            daemon_.unescape_argument = va_arg (arguments, void *);
            break;
        case MHD_OPTION_ARRAY:
            (void) va_arg (arguments, struct MHD_OptionItem *);
            break;  //  of TLS
        case MHD_OPTION_CONNECTION_MEMORY_LIMIT: (void) va_arg (arguments, size_t); break;
        case MHD_OPTION_LISTEN_SOCKET: close (va_arg (arguments, int)); break;
        case MHD_OPTION_CONNECTION_LIMIT:
        case MHD_OPTION_CONNECTION_TIMEOUT: (void) va_arg (arguments, unsigned); break;
        default: CHECK (option == MHD_OPTION_END);  //  an option not known here: say what it takes
        }
    }
}

struct MHD_Daemon *
MHD_start_daemon (unsigned flags, uint16_t port, MHD_AcceptPolicyCallback accepts, void *accepting,
                  MHD_AccessHandlerCallback handler, void *argument, ...)
{
    va_list arguments;

    (void) flags, (void) port, (void) accepts, (void) accepting;
    daemon_.handler = handler;
    daemon_.handler_argument = argument;
    daemon_.epoll_fd = epoll_create1 (0);
    va_start (arguments, argument);
    take_options (arguments);
    va_end (arguments);
    return (struct MHD_Daemon *) &daemon_;
}

void
MHD_stop_daemon (struct MHD_Daemon *daemon)
{
    (void) daemon;
    close (daemon_.epoll_fd);
}

const union MHD_DaemonInfo *
MHD_get_daemon_info (struct MHD_Daemon *daemon, enum MHD_DaemonInfoType type, ...)
{
    (void) daemon, (void) type;
    daemon_.info.epoll_fd = daemon_.epoll_fd;
    return &daemon_.info;
}

enum MHD_Result
MHD_run (struct MHD_Daemon *daemon)
{
    (void) daemon;
    return MHD_YES;
}

enum MHD_Result
MHD_get_timeout (struct MHD_Daemon *daemon, MHD_UNSIGNED_LONG_LONG *timeout)
{
    (void) daemon;
    *timeout = 0;
    return MHD_NO;
}

const char *
MHD_lookup_connection_value (struct MHD_Connection *self, enum MHD_ValueKind kind, const char *key)
{
    for (size_t i = 0; i < self->count; i++) {
        const pair_t *pair = &self->pairs [i];
        bool same = kind == MHD_HEADER_KIND ? strcasecmp (pair->name, key) == 0
                                            : strcmp (pair->name, key) == 0;
        if (pair->kind == kind && same) {
            return pair->value;
        }
    }
    return NULL;
}

int
MHD_get_connection_values (struct MHD_Connection *self, enum MHD_ValueKind kind,
                           MHD_KeyValueIterator each, void *argument)
{
    int count = 0;

    for (size_t i = 0; i < self->count; i++) {
        const pair_t *pair = &self->pairs [i];
        if (pair->kind == kind) {
            count++;
            if (each && each (argument, kind, pair->name, pair->value) == MHD_NO) {
                break;
            }
        }
    }
    return count;
}

int
MHD_get_connection_values_n (struct MHD_Connection *self, enum MHD_ValueKind kind,
                             MHD_KeyValueIteratorN each, void *argument)
{
    int count = 0;

    for (size_t i = 0; i < self->count; i++) {
        const pair_t *pair = &self->pairs [i];
        if (pair->kind == kind) {
            count++;
            if (each (argument, kind, pair->name, strlen (pair->name), pair->value,
                      pair->value ? strlen (pair->value) : 0) == MHD_NO) {
                break;
            }
        }
    }
    return count;
}

const union MHD_ConnectionInfo *
MHD_get_connection_info (struct MHD_Connection *self, enum MHD_ConnectionInfoType type, ...)
{
    switch (type) {
    case MHD_CONNECTION_INFO_CONNECTION_FD: self->info.connect_fd = self->fd; break;
    case MHD_CONNECTION_INFO_SOCKET_CONTEXT: self->info.socket_context = self->context; break;
    default: return NULL;
    }
    return &self->info;
}

void
MHD_suspend_connection (struct MHD_Connection *self)
{
    CHECK (!self->suspended && !self->answered);
    self->suspended = true;
}

void
MHD_resume_connection (struct MHD_Connection *self)
{
    CHECK (self->suspended);
    self->suspended = false;
}

struct MHD_Response *
MHD_create_response_from_buffer (size_t size, void *buffer, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *self = calloc (1, sizeof *self);

    CHECK (self && mode != MHD_RESPMEM_MUST_FREE && (self->body = malloc (size + 1)));
    if (size > 0) {
        memcpy (self->body, buffer, size);
    }
    self->body [size] = '\0';
    self->size = size;
    return self;
}

//  It is not carried out: what comes then is fuzz_monitor.c's.
struct MHD_Response *
MHD_create_response_for_upgrade (MHD_UpgradeHandler handler, void *argument)
{
    struct MHD_Response *self = calloc (1, sizeof *self);

    CHECK (self && handler && argument && (self->body = calloc (1, 1)));
    self->is_upgrade = true;
    return self;
}

enum MHD_Result
MHD_add_response_header (struct MHD_Response *self, const char *name, const char *value)
{
    //  As the library has it: a bad one is not taken. None of ours may ever be.
    CHECK (*name && *value && !strpbrk (name, "\r\n\t :") && !strpbrk (value, "\r\n"));
    if (strcmp (name, "Content-Type") == 0) {
        snprintf (self->type, sizeof self->type, "%s", value);
    }
    return MHD_YES;
}

enum MHD_Result
MHD_queue_response (struct MHD_Connection *self, unsigned status, struct MHD_Response *response)
{
    CHECK (!self->suspended && !self->answered && status < 600);
    CHECK (response->is_upgrade ? status == MHD_HTTP_SWITCHING_PROTOCOLS : status >= 200);
    if (strstr (response->type, "json")) {
        struct json_object *tree = NULL;
        reason_t why = {""};
        if (json_parse (&tree, response->body, response->size, response->size, &why) < 0) {
            fprintf (stderr, "no JSON: %s\n%s\n", why.text, response->body);
            abort ();
        }
        json_destroy (&tree);
    }
    self->answered = true;
    self->status = status;
    return MHD_YES;
}

void
MHD_destroy_response (struct MHD_Response *self)
{
    free (self->body);
    free (self);
}

#endif

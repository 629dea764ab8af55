// door.c - see door.h.
//
// SPDX-License-Identifier: MIT

#include "door.h"

#include "../common/cleanup.h"
#include "../common/digest.h"
#include "../common/log.h"

#include <assert.h>
#include <czmq.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#define PLACE     "inproc://zeromq.zap.01"
#define KEY_BYTES 32
#define KEY_SIZE  41
#define USER_SIZE 200
#define BATCH_MAX 64

//  Words apart by blanks.
static const struct {
    const char *name, *domains, *operations;
} ROLES [] = {
    {"collector", "ingest control", "lease runner report"},
    {"runner", "ingest control", "runner report"},
    {"gateway", "control feed",
     "state events worker command alerts acknowledge submit job jobs cancel"},
    {"operator", "control",
     "state events worker command alerts acknowledge submit job jobs cancel"},
};
#define ROLES_COUNT (sizeof ROLES / sizeof *ROLES)

struct door {
    loop_t *loop;
    zsock_t *socket;
    char *folder;
    zcertstore_t *allowed;
    uint64_t mark;  //  of the folder as it was when allowed was read
    metrics_t *metrics;
};

DEFINE_CLEANUP (folder_close, DIR *, closedir)

//  Another number when a file came, went or became another one; the order does not matter. zcertstore
//  looks for changes itself, but by the newest whole second and the sum of sizes: a key put in the
//  place of another soon after a caller, or with its old time, would never be seen.
static uint64_t
mark_of (const char *path)
{
    _cleanup_ (folder_close) DIR *folder = opendir (path);
    uint64_t mark = 0;

    for (struct dirent *entry; folder && (entry = readdir (folder));) {
        struct stat file;
        char text [400];
        if (fstatat (dirfd (folder), entry->d_name, &file, 0) == 0) {
            snprintf (text, sizeof text, "%s %ju %jd %jd.%ld", entry->d_name,
                      (uintmax_t) file.st_ino, (intmax_t) file.st_size,
                      (intmax_t) file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
            mark += digest_more (DIGEST_START, text);
        }
    }
    return mark;
}

//  The list as it is now; as it was, when there is no memory for another.
static zcertstore_t *
list_now (door_t *self)
{
    uint64_t mark = mark_of (self->folder);
    zcertstore_t *again = mark != self->mark ? zcertstore_new (self->folder) : NULL;

    if (again) {
        zcertstore_destroy (&self->allowed);
        self->allowed = again;
        self->mark = mark;
    }
    return self->allowed;
}

static bool
has_word (const char *words, const char *word)
{
    size_t size = strlen (word);

    for (const char *at = words; (at = strstr (at, word)); at += size) {
        bool begins = at == words || at [-1] == ' ';
        if (size > 0 && begins && (at [size] == ' ' || at [size] == '\0')) {
            return true;
        }
    }
    return false;
}

bool
door_allows (const char *user, const char *operation)
{
    size_t size = strcspn (user, ":");

    for (size_t i = 0; i < ROLES_COUNT; i++) {
        if (strlen (ROLES [i].name) == size && strncmp (ROLES [i].name, user, size) == 0) {
            return has_word (ROLES [i].operations, operation);
        }
    }
    return false;
}

static bool
enters (const char *role, const char *domain)
{
    for (size_t i = 0; i < ROLES_COUNT; i++) {
        if (strcmp (ROLES [i].name, role) == 0) {
            return has_word (ROLES [i].domains, domain);
        }
    }
    return false;
}

//  A ZAP request, frame by frame; texts are cut to their room.
typedef struct caller {
    char version [8], domain [32], address [80], mechanism [16];
    zframe_t *number;           //  borrowed
    char key [KEY_SIZE];        //  Z85
    char name [80], role [32];  //  of the list; "" when it is not there
} caller_t;

static void
copy_text (char *to, size_t size, zframe_t *frame)
{
    size_t length = frame && zframe_size (frame) < size ? zframe_size (frame) : 0;

    if (length > 0) {
        memcpy (to, zframe_data (frame), length);
    }
    to [length] = '\0';
}

static void
read_caller (door_t *self, caller_t *caller, zmsg_t *msg)
{
    zframe_t *frames [7] = {zmsg_first (msg)};

    for (size_t i = 1; i < 7; i++) {
        frames [i] = frames [i - 1] ? zmsg_next (msg) : NULL;
    }
    *caller = (caller_t){.number = frames [1]};
    copy_text (caller->version, sizeof caller->version, frames [0]);
    copy_text (caller->domain, sizeof caller->domain, frames [2]);
    copy_text (caller->address, sizeof caller->address, frames [3]);
    copy_text (caller->mechanism, sizeof caller->mechanism, frames [5]);
    if (frames [6] && zframe_size (frames [6]) == KEY_BYTES) {
        zmq_z85_encode (caller->key, zframe_data (frames [6]), KEY_BYTES);
    }
    zcert_t *cert = *caller->key ? zcertstore_lookup (list_now (self), caller->key) : NULL;
    const char *name = cert ? zcert_meta (cert, "name") : NULL;
    const char *role = cert ? zcert_meta (cert, "role") : NULL;
    snprintf (caller->name, sizeof caller->name, "%s", name ? name : "");
    snprintf (caller->role, sizeof caller->role, "%s", role ? role : "");
}

//  Null: it may enter.
static const char *
refusal (const caller_t *caller)
{
    if (strcmp (caller->version, "1.0") != 0 || strcmp (caller->mechanism, "CURVE") != 0) {
        return "it does not speak CURVE";
    }
    if (!*caller->role) {
        return "its public key is in no file of curve_allow that has a role";
    }
    return enters (caller->role, caller->domain) ? NULL : "its role has nothing to do here";
}

static void
answer (door_t *self, const caller_t *caller)
{
    const char *no = refusal (caller);
    char user [USER_SIZE];

    metric_increment (
        metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_bus_callers_total",
                      "Connections to the bus that were let in or not, by socket and role",
                      METRIC_LABELS ("socket", caller->domain, "role",
                                     no && !*caller->role ? "none" : caller->role, "outcome",
                                     no ? "refused" : "accepted")));
    if (no) {
        log_warn ("somebody is not let in on the bus", LOG_TEXT ("socket", caller->domain),
                  LOG_TEXT ("address", caller->address), LOG_TEXT ("key", caller->key),
                  LOG_TEXT ("role", caller->role), LOG_TEXT ("reason", no));
    }
    snprintf (user, sizeof user, "%s:%s", caller->role, caller->name);
    zmsg_t *msg = zmsg_new ();
    zmsg_addstr (msg, "1.0");
    zmsg_addmem (msg, zframe_data (caller->number), zframe_size (caller->number));
    zmsg_addstr (msg, no ? "400" : "200");
    zmsg_addstr (msg, no ? "refused" : "OK");
    zmsg_addstr (msg, no ? "" : user);
    zmsg_addmem (msg, "", 0);
    if (zmsg_send (&msg, self->socket) != 0) {
        zmsg_destroy (&msg);
    }
}

static void
on_caller (void *argument)
{
    door_t *self = argument;

    for (int i = 0; i < BATCH_MAX && (zsock_events (self->socket) & ZMQ_POLLIN); i++) {
        _cleanup_ (zmsg_destroy) zmsg_t *msg = zmsg_recv (self->socket);
        caller_t caller;
        if (msg) {
            read_caller (self, &caller, msg);
            answer (self, &caller);
        }
    }
}

int
door_check (const char *allow, reason_t *why)
{
    struct stat folder;

    if (stat (allow, &folder) == 0 && S_ISDIR (folder.st_mode)) {
        return 0;
    }
    return reason_set (why, -ENOTDIR,
                       "curve_allow: '%.300s' is no folder; it holds the public keys of those who "
                       "may connect",
                       allow);
}

door_t *
door_open (loop_t *loop, const char *allow, metrics_t *metrics, reason_t *why)
{
    _cleanup_ (door_destroy) door_t *self = calloc (1, sizeof *self);

    if (door_check (allow, why) < 0) {
        return NULL;
    }
    uint64_t mark = mark_of (allow);  //  first: what changes meanwhile is read again
    if (!self || !(self->folder = strdup (allow)) || !(self->allowed = zcertstore_new (allow)) ||
        !(self->socket = zsock_new (ZMQ_REP))) {
        reason_set (why, -ENOMEM, "curve_allow: out of memory");
        return NULL;
    }
    self->loop = loop;
    self->mark = mark;
    self->metrics = metrics;
    if (zsock_bind (self->socket, PLACE) < 0 ||
        loop_watch_socket (loop, self->socket, on_caller, self) < 0) {
        reason_set (why, -EADDRINUSE, "curve_allow: %s: %s", PLACE, zmq_strerror (errno));
        return NULL;
    }
    return take_ptr (self);
}

void
door_destroy (door_t **self_p)
{
    assert (self_p);
    door_t *self = *self_p;

    if (self) {
        if (self->socket) {
            loop_unwatch_socket (self->loop, self->socket);
            zsock_destroy (&self->socket);
        }
        zcertstore_destroy (&self->allowed);
        free (self->folder);
        free (self);
        *self_p = NULL;
    }
}

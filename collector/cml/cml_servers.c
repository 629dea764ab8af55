// SPDX-License-Identifier: MIT

#include "cml_servers.h"

#include "../../common/cleanup.h"
#include "../../common/digest.h"
#include "cml_address.h"

#include <assert.h>
#include <ctype.h>
#include <czmq.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS         " \t\r\n"
#define NAME_MAX_BYTES 255

typedef struct server {
    char *name, *address;
    cml_listed_t listed;
} server_t;

struct cml_servers {
    char *region;
    uint64_t digest;
    zlistx_t *in_order;  //  of server_t
    zhashx_t *by_id;     //  the same
    server_t **places;   //  the same, once all are read
};

DEFINE_CLEANUP (file_close, FILE *, fclose)

static void
server_destroy (void **item)
{
    server_t *self = *item;

    free (self->name);
    free (self->address);
    free (self);
    *item = NULL;
}

//  Runs of anything else become one '-', none at the ends.
static void
write_id (char id [CML_SERVER_ID_SIZE], const char *name)
{
    size_t size = 0;

    for (; *name && size + 1 < CML_SERVER_ID_SIZE; name++) {
        if (isascii ((unsigned char) *name) && isalnum ((unsigned char) *name)) {
            id [size++] = (char) tolower ((unsigned char) *name);
        } else if (size > 0 && id [size - 1] != '-') {
            id [size++] = '-';
        }
    }
    size -= size > 0 && id [size - 1] == '-';
    id [size] = '\0';
}

//  A host by itself, without parts of a worker.
static bool
is_address (const char *text)
{
    static const collector_worker_t NOBODY = {.subject = ""};
    cml_address_t address;
    reason_t why = {0};

    return !strchr (text, '{') && cml_address_check (text, &why) == 0 &&
           strcmp (text, "public") != 0 && strcmp (text, "private") != 0 &&
           strncmp (text, "tag:", 4) != 0 &&
           cml_address_of (&address, text, 443, &NOBODY, &why) == 0;
}

static int
add (cml_servers_t *self, const char *name, const char *address)
{
    server_t *server = calloc (1, sizeof *server);

    if (!server) {
        return -ENOMEM;
    }
    server->name = strdup (name);
    server->address = strdup (address);
    server->listed.name = server->name;
    server->listed.address = server->address;
    write_id (server->listed.id, name);
    if (!server->name || !server->address) {
        server_destroy ((void **) &server);
        return -ENOMEM;
    }
    if (!*server->listed.id || zhashx_insert (self->by_id, server->listed.id, server) < 0) {
        server_destroy ((void **) &server);
        return -EEXIST;
    }
    zlistx_add_end (self->in_order, server);
    self->digest += digest_more (
        digest_more (digest_more (DIGEST_START, self->region), server->name), server->address);
    return 0;
}

static void
trim_end (char *line)
{
    char *end = line + strlen (line);

    while (end > line && strchr (BLANKS, end [-1])) {
        *--end = '\0';
    }
}

static int
read_line (cml_servers_t *self, char *line, const char *path, unsigned number, reason_t *why)
{
    line += strspn (line, BLANKS);
    trim_end (line);
    if (!*line || *line == '#') {
        return 0;
    }
    char *address = line + strlen (line);
    while (address > line && !strchr (BLANKS, address [-1])) {
        address--;
    }
    if (address == line || !is_address (address)) {
        return reason_set (why, -EINVAL,
                           "%s:%u: a line is `<name> <host, host:port or https://host:port>`", path,
                           number);
    }
    address [-1] = '\0';
    trim_end (line);
    if (strlen (line) > NAME_MAX_BYTES || zlistx_size (self->in_order) >= CML_SERVERS_MAX) {
        return reason_set (why, -E2BIG, "%s:%u: more than %d servers, or a name over %d bytes",
                           path, number, CML_SERVERS_MAX, NAME_MAX_BYTES);
    }
    int rc = add (self, line, address);
    return rc == 0 ? 0
                   : reason_set (why, rc,
                                 "%s:%u: '%.60s' has no letter or digit, or is the same as another "
                                 "but for case and signs",
                                 path, number, line);
}

static int
read_file (cml_servers_t *self, const char *path, reason_t *why)
{
    _cleanup_ (file_close) FILE *file = fopen (path, "re");
    char line [CML_SERVERS_LINE_MAX];

    if (!file) {
        return reason_set (why, -errno, "%s: %s", path, strerror (errno));
    }
    for (unsigned number = 1; fgets (line, sizeof line, file); number++) {
        if (!strchr (line, '\n') && !feof (file)) {
            return reason_set (why, -E2BIG, "%s:%u: longer than %d bytes", path, number,
                               CML_SERVERS_LINE_MAX - 2);
        }
        int rc = read_line (self, line, path, number, why);
        if (rc < 0) {
            return rc;
        }
    }
    return ferror (file) ? reason_set (why, -EIO, "%s: %s", path, strerror (errno)) : 0;
}

static int
make_places (cml_servers_t *self)
{
    size_t count = 0;

    self->places = calloc (zlistx_size (self->in_order) + 1, sizeof (server_t *));
    for (server_t *server = zlistx_first (self->in_order); self->places && server;
         server = zlistx_next (self->in_order)) {
        self->places [count++] = server;
    }
    return self->places ? 0 : -ENOMEM;
}

cml_servers_t *
cml_servers_new (const char *region, const char *path, reason_t *why)
{
    _cleanup_ (cml_servers_destroy) cml_servers_t *self = calloc (1, sizeof *self);

    if (!self) {
        (void) reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->region = strdup (region);
    self->in_order = zlistx_new ();
    self->by_id = zhashx_new ();
    zlistx_set_destructor (self->in_order, server_destroy);
    if (self->region && *path && read_file (self, path, why) < 0) {
        return NULL;
    }
    if (!self->region || make_places (self) < 0) {
        (void) reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    return take_ptr (self);
}

void
cml_servers_destroy (cml_servers_t **self_p)
{
    assert (self_p);

    cml_servers_t *self = *self_p;
    if (self) {
        zhashx_destroy (&self->by_id);
        zlistx_destroy (&self->in_order);
        free (self->places);
        free (self->region);
        free (self);
        *self_p = NULL;
    }
}

const char *
cml_servers_region (const cml_servers_t *self)
{
    return self->region;
}

uint64_t
cml_servers_digest (const cml_servers_t *self)
{
    return self->digest;
}

size_t
cml_servers_count (const cml_servers_t *self)
{
    return zlistx_size (self->in_order);
}

const cml_listed_t *
cml_servers_at (const cml_servers_t *self, size_t place)
{
    assert (place < cml_servers_count (self));
    return &self->places [place]->listed;
}

const cml_listed_t *
cml_servers_find (const cml_servers_t *self, const collector_worker_t *worker)
{
    const server_t *server = strcmp (worker->region, self->region) == 0
                                 ? zhashx_lookup (self->by_id, worker->instance_id)
                                 : NULL;
    return server ? &server->listed : NULL;
}

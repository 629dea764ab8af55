// stream_rig.h - a hub with a log and a replica, and clients at the other end of socket pairs.
//
// libmicrohttpd's part is played here: a connection is its descriptor, and whether it was given
// back. What the feed would bring is said by the test.
#ifndef TESTS_UNIT_GATEWAY_STREAM_RIG_H
#define TESTS_UNIT_GATEWAY_STREAM_RIG_H

#include "../../../common/json.h"
#include "../../../gateway/hub.h"
#include "gateway_rig.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define PEERS_MAX   16
#define HEARD_BYTES (1 << 22)

struct MHD_Connection {
    int fd;
    unsigned resumed;
    union MHD_ConnectionInfo info;
};

typedef struct peer {
    struct MHD_Connection connection;
    int fd;
    bool gzip, ended;
    z_stream inflater;
    int inflated;  //  zlib's last word
    bool has_head;
    char *text;  //  what came, unpacked
    size_t size;
} peer_t;

static struct {
    loop_t *loop;
    metrics_t *metrics;
    replica_t *replica;
    event_log_t *log;
    hub_t *hub;
    peer_t peers [PEERS_MAX];
    size_t count;
    uint64_t seq;
} rig;

static const hub_settings_t SETTINGS = {.clients_max = PEERS_MAX,
                                        .heartbeat_seconds = 30,
                                        .stall_timeout_seconds = 60,
                                        .send_buffer_bytes = 65536,
                                        .queue_max_bytes = 1 << 20,
                                        .held_max_bytes = 1 << 28,
                                        .slow_after_ms = 0,
                                        .states_per_second = 1000000,
                                        .images_max = 4,
                                        .packers_max = 4,
                                        .compression = true};

const union MHD_ConnectionInfo *
MHD_get_connection_info (struct MHD_Connection *self, enum MHD_ConnectionInfoType type, ...)
{
    self->info.connect_fd = self->fd;
    return type == MHD_CONNECTION_INFO_CONNECTION_FD ? &self->info : NULL;
}

void
MHD_resume_connection (struct MHD_Connection *self)
{
    self->resumed++;
}

static inline void
rig_start (const hub_settings_t *settings)
{
    reason_t why = {""};

    memset (&rig, 0, sizeof rig);
    rig.loop = loop_new (1000);
    rig.metrics = metrics_new (1000);
    rig.replica = replica_new (NULL);
    rig.log = event_log_new (4096, 1 << 26);
    assert_true (rig.loop && rig.metrics && rig.replica && rig.log);
    event_log_reset (rig.log, EPOCH, 0);
    rig.hub = hub_new (rig.loop, settings, rig.replica, rig.log, rig.metrics, &why);
    assert_non_null (rig.hub);
    replica_set_stats (rig.replica, "{}", 2);
    loop_turn (rig.loop, 0);  //  the hub has seen which epoch it is
}

static inline int
rig_setup (void **state)
{
    (void) state;
    rig_start (&SETTINGS);
    return 0;
}

//  Every connection that was suspended is given back once, and no more.
static inline int
rig_teardown (void **state)
{
    (void) state;
    hub_destroy (&rig.hub);
    for (size_t i = 0; i < rig.count; i++) {
        assert_int_equal (rig.peers [i].connection.resumed, 1);
        close (rig.peers [i].connection.fd);
        descriptor_close (&rig.peers [i].fd);
        inflateEnd (&rig.peers [i].inflater);
        free (rig.peers [i].text);
    }
    replica_destroy (&rig.replica);
    event_log_destroy (&rig.log);
    loop_destroy (&rig.loop);
    metrics_destroy (&rig.metrics);
    return 0;
}

//  One event as the feed brings it; a snapshot is put into the replica too. mark stands in it, and
//  makes it so large.
static inline void
say (event_type_t type, const char *worker_id, const char *mark, size_t padding)
{
    feed_header_t header = header_of (FEED_EVENT, type, worker_id, ++rig.seq);
    _cleanup_ (buffer_clear) buffer_t json = {0}, snapshot = {0};

    buffer_format (&snapshot,
                   "{\"worker_id\":\"%s\",\"aws_instance_id\":\"i-%c\",\"status\":\"running\","
                   "\"mark\":\"%s\",\"pad\":\"",
                   worker_id, *worker_id ? *worker_id : '0', mark);
    for (size_t i = 0; i < padding; i++) {
        buffer_append (&snapshot, &"0123456789abcdef" [(i * 7 + i / 16 + rig.seq) % 16], 1);
    }
    buffer_text (&snapshot, "\",\"ec2_freshness\":\"fresh\"}");
    buffer_format (&json,
                   "{\"type\":\"%s\",\"source\":\"of %s\",\"time\":\"x\",\"seq\":%llu,\"data\":%s}",
                   event_type_name (type), mark, (unsigned long long) rig.seq, snapshot.data);
    assert_true (event_log_append (rig.log, &header, json.data, json.size));
    if (type == EVENT_WORKER_SNAPSHOT) {
        assert_int_equal (replica_put (rig.replica, &header, snapshot.data, snapshot.size), 0);
    }
}

static inline void
turn (void)
{
    loop_turn (rig.loop, 0);
}

//  Filter `name=value`, or null; the last id, or null.
static inline peer_t *
open_stream (const char *name, const char *value, const char *last_event_id, bool gzip)
{
    peer_t *peer = &rig.peers [rig.count++];
    _cleanup_ (identity_release) identity_t *identity = identity_new ("", ROLE_ADMIN);
    hub_request_t request = {.connection = &peer->connection,
                             .identity = identity,
                             .filter = filter_new (64),
                             .last_event_id = last_event_id,
                             .state = true,
                             .gzip = gzip,
                             .heartbeat_seconds = 30,
                             .name = "the test"};
    int ends [2];

    assert_in_range (rig.count, 1, PEERS_MAX);
    assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    peer->connection.fd = ends [0];
    peer->fd = ends [1];
    peer->gzip = gzip;
    peer->text = malloc (HEARD_BYTES);
    assert_non_null (peer->text);
    assert_int_equal (inflateInit2 (&peer->inflater, 31), Z_OK);
    if (name) {
        assert_int_equal (filter_set (request.filter, name, value, NULL), 0);
    }
    assert_int_equal (hub_add (rig.hub, &request), 0);
    return peer;
}

static inline void
take (peer_t *self, char *bytes, size_t size)
{
    if (!self->has_head || !self->gzip) {
        const char *end = self->has_head ? NULL : memmem (bytes, size, "\r\n\r\n", 4);
        size_t part = end && self->gzip ? (size_t) (end - bytes) + 4 : size;
        self->has_head = self->has_head || end;
        assert_true (self->size + part < HEARD_BYTES);
        memcpy (self->text + self->size, bytes, part);
        self->size += part;
        bytes += part;
        size -= part;
    }
    if (size > 0) {
        self->inflater.next_in = (Bytef *) bytes;
        self->inflater.avail_in = (uInt) size;
        self->inflater.next_out = (Bytef *) self->text + self->size;
        self->inflater.avail_out = (uInt) (HEARD_BYTES - self->size - 1);
        self->inflated = inflate (&self->inflater, Z_SYNC_FLUSH);
        assert_true (self->inflated == Z_OK || self->inflated == Z_STREAM_END);
        assert_int_equal (self->inflater.avail_in, 0);
        self->size = (size_t) ((char *) self->inflater.next_out - self->text);
    }
    self->text [self->size] = '\0';
}

//  All that comes at once and in the turns that this makes room for.
static inline const char *
hear (peer_t *self)
{
    static char bytes [65536];
    int idle = 0;

    while (idle < 3 && !self->ended) {
        ssize_t got = recv (self->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        idle = got > 0 ? 0 : idle + 1;
        self->ended = got == 0;
        if (got > 0) {
            take (self, bytes, (size_t) got);
        }
        turn ();
    }
    self->text [self->size] = '\0';
    return self->text;
}

//  What was heard is forgotten.
static inline void
forget (peer_t *self)
{
    (void) hear (self);
    self->size = 0;
    self->text [0] = '\0';
}

static inline size_t
times (const char *text, const char *what)
{
    size_t count = 0;

    for (const char *at = text; (at = strstr (at, what)); at += strlen (what)) {
        count++;
    }
    return count;
}

static inline bool
has_in_order (const char *text, const char *const parts [])
{
    for (; *parts; parts++) {
        text = strstr (text, *parts);
        if (!text) {
            print_message ("missing, or not in its place: %s\n", *parts);
            return false;
        }
        text += strlen (*parts);
    }
    return true;
}
#define IN_ORDER(...) ((const char *const []){__VA_ARGS__, NULL})

//  The numbers of the events that stand in the text, each under its id; they are first..last.
static inline void
assert_numbers (const char *text, uint64_t first, uint64_t last)
{
    uint64_t wanted = first;

    for (const char *at = text; (at = strstr (at, "id: " EPOCH "-")); at++) {
        char *end;
        uint64_t seq = strtoull (at + strlen ("id: " EPOCH "-"), &end, 10);
        if (strncmp (end, "\nevent: system.", 15) != 0 &&
            strncmp (end, "\nevent: heartbeat", 17) != 0 && strncmp (end, "\n\n", 2) != 0) {
            assert_int_equal (seq, wanted++);
        }
    }
    assert_int_equal (wanted, last + 1);
}

static inline double
value_of (const char *metric)
{
    _cleanup_ (buffer_clear) buffer_t out = {0};
    char line [200];

    metrics_write (rig.metrics, &out);
    snprintf (line, sizeof line, "\n%s ", metric);
    const char *at = strstr (out.data, line);
    assert_non_null (at);
    return strtod (at + strlen (line), NULL);
}

#endif

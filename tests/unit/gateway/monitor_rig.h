// monitor_rig.h - stream_rig.h with monitors: frames of a client made by hand, and what came back.
#ifndef TESTS_UNIT_GATEWAY_MONITOR_RIG_H
#define TESTS_UNIT_GATEWAY_MONITOR_RIG_H

#include "stream_rig.h"

#define FIN    0x80
#define TEXT   0x1
#define BINARY 0x2
#define CLOSE  0x8
#define PING   0x9
#define PONG   0xa

#define HEARD_TEXT_BYTES HEARD_BYTES

#define HEARTBEAT   "{\"type\":\"heartbeat\",\"monitor_id\":\"m\"}"
#define SEQ(number) "\"event_id\":\"" EPOCH "-" number "\""

#define TEST(name) cmocka_unit_test_setup_teardown (name, monitor_setup, rig_teardown)

//  The connection's descriptor is the peer's; to close it is to give it back.
enum MHD_Result
MHD_upgrade_action (struct MHD_UpgradeResponseHandle *handle, enum MHD_UpgradeAction action, ...)
{
    assert_int_equal (action, MHD_UPGRADE_ACTION_CLOSE);
    struct MHD_Connection *connection = (struct MHD_Connection *) handle;
    connection->resumed++;
    return MHD_YES;
}

static const hub_settings_t MONITOR_SETTINGS = {.clients_max = PEERS_MAX,
                                                .heartbeat_seconds = 30,
                                                .stall_timeout_seconds = 60,
                                                .send_buffer_bytes = 65536,
                                                .queue_max_bytes = 1 << 20,
                                                .held_max_bytes = 1 << 28,
                                                .slow_after_ms = 0,
                                                .states_per_second = 1000000,
                                                .images_max = 4,
                                                .packers_max = 4,
                                                .monitor_message_max_bytes = 4096,
                                                .monitor_messages_per_second = 50,
                                                .monitor_errors_max = 3,
                                                .resync_max = 10};

static inline int
monitor_setup (void **state)
{
    (void) state;
    rig_start (&MONITOR_SETTINGS);
    return 0;
}

//  view: null, or the one region that it sees.
static inline peer_t *
open_monitor_of (const char *view, size_t ahead_size)
{
    peer_t *peer = &rig.peers [rig.count++];
    _cleanup_ (identity_release) identity_t *identity = identity_new ("", ROLE_ADMIN);
    hub_request_t request = {.upgraded = (struct MHD_UpgradeResponseHandle *) &peer->connection,
                             .ahead_size = ahead_size,
                             .identity = identity,
                             .filter = filter_new (64),
                             .heartbeat_seconds = 30};
    int ends [2];

    assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    request.fd = peer->connection.fd = ends [0];
    peer->fd = ends [1];
    peer->has_head = true;
    peer->text = malloc (HEARD_BYTES);
    assert_non_null (peer->text);
    assert_int_equal (inflateInit2 (&peer->inflater, 31), Z_OK);  //  the rig ends it
    if (view) {
        assert_int_equal (view_limit_regions (identity->view, view, NULL), 0);
        filter_see (request.filter, identity->view);
    }
    filter_want_nothing (request.filter);
    request.filter->monitor = rig.replica;
    assert_int_equal (hub_add (rig.hub, &request), 0);
    return peer;
}

static inline peer_t *
open_monitor_ahead (size_t ahead_size)
{
    return open_monitor_of (NULL, ahead_size);
}

static inline peer_t *
open_monitor (void)
{
    return open_monitor_ahead (0);
}

//  One frame as a client sends it, masked with zeros or not at all; its size. The payload is under
//  64 KiB.
static inline size_t
make_frame (char *out, int first, bool masked, const char *payload, size_t size)
{
    size_t at = 0;

    out [at++] = (char) first;
    if (size <= 125) {
        out [at++] = (char) ((masked ? 0x80 : 0) | (int) size);
    } else {
        out [at++] = (char) ((masked ? 0x80 : 0) | 126);
        out [at++] = (char) (size >> 8);
        out [at++] = (char) (size & 0xff);
    }
    if (masked) {
        memset (out + at, 0, 4);
        at += 4;
    }
    memcpy (out + at, payload, size);
    return at + size;
}

static inline void
put_frame (peer_t *peer, int first, bool masked, const char *payload, size_t size)
{
    static char bytes [70000];
    size_t whole = make_frame (bytes, first, masked, payload, size);

    assert_int_equal (send (peer->fd, bytes, whole, MSG_NOSIGNAL), (ssize_t) whole);
}

static inline void
tell (peer_t *peer, const char *text)
{
    put_frame (peer, FIN | TEXT, true, text, strlen (text));
}

//  Of the frame at bytes: its head's size, and its payload's.
static inline size_t
read_head (const char *bytes, size_t *payload)
{
    const unsigned char *at = (const unsigned char *) bytes;
    size_t length = at [1], more = length == 127 ? 8 : length == 126 ? 2 : 0;

    assert_false (at [1] & 0x80);  //  a server masks nothing
    *payload = more ? 0 : length;
    for (size_t i = 0; i < more; i++) {
        *payload = *payload << 8 | at [2 + i];
    }
    return 2 + more;
}

//  What came since the last call, a line for each frame: texts as they are, others by their kind.
static inline const char *
heard (peer_t *peer)
{
    static char out [HEARD_TEXT_BYTES];
    size_t at = 0, used = 0;

    for (int i = 0; i < 8; i++) {
        (void) hear (peer);
    }
    while (at < peer->size) {
        size_t payload, head = read_head (peer->text + at, &payload);
        int opcode = peer->text [at] & 0xf;
        const unsigned char *bytes = (unsigned char *) peer->text + at + head;
        assert_true (at + head + payload <= peer->size);
        assert_true (peer->text [at] & FIN);
        if (opcode == TEXT) {
            assert_true (used + payload + 2 < sizeof out);
            memcpy (out + used, bytes, payload);
            used += payload;
            while (used > 0 && out [used - 1] == '\n') {
                used--;
            }
            out [used++] = '\n';
        } else if (opcode == CLOSE) {
            used += (size_t) sprintf (out + used, "<close %d>\n",
                                      payload >= 2 ? bytes [0] << 8 | bytes [1] : 1005);
        } else {
            used += (size_t) sprintf (out + used, "<%s %.*s>\n", opcode == PING ? "ping" : "pong",
                                      (int) payload, (const char *) bytes);
        }
        at += head + payload;
    }
    out [used] = '\0';
    peer->size = 0;
    return out;
}

#endif

// fuzz_monitor.c - a monitor that says anything: WebSocket frames, and messages in them.
//
// The first byte says how the rest is taken. Even: as bytes of the connection, whatever frames they
// are. Odd: as messages, one a line, each put into a frame of its own. Behind each monitor events
// come. What the gateway writes must be unmasked whole frames, each text JSON with a type; nothing
// follows a close.
//
// SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"
#include "../../common/log.h"
#include "../../gateway/hub.h"

#include <microhttpd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EPOCH     "0badcafe"
#define HEARD_MAX (1 << 22)
#define TURNS     6

struct MHD_UpgradeResponseHandle {
    unsigned closed;
};

static struct {
    loop_t *loop;
    metrics_t *metrics;
    replica_t *replica;
    event_log_t *log;
    hub_t *hub;
    identity_t *nobody;
    uint64_t seq;
    char heard [HEARD_MAX];
    size_t size;
} world;

enum MHD_Result
MHD_upgrade_action (struct MHD_UpgradeResponseHandle *handle, enum MHD_UpgradeAction action, ...)
{
    CHECK (action == MHD_UPGRADE_ACTION_CLOSE && handle->closed == 0);
    handle->closed++;
    return MHD_YES;
}

static void
say (event_type_t type, const char *worker_id, const char *data)
{
    feed_header_t header = {.kind = FEED_EVENT, .type = type, .seq = ++world.seq};
    char json [600];

    snprintf (header.type_name, sizeof header.type_name, "%s", event_type_name (type));
    snprintf (header.epoch, sizeof header.epoch, EPOCH);
    snprintf (header.region, sizeof header.region, "us-east-1");
    snprintf (header.worker_id, sizeof header.worker_id, "%s", worker_id);
    int size =
        snprintf (json, sizeof json,
                  "{\"type\":\"%s\",\"source\":\"it\",\"time\":\"2026-11-20T10:30:%02d.123Z\","
                  "\"seq\":%llu,\"data\":%s}",
                  header.type_name, (int) (world.seq % 60), (unsigned long long) world.seq, data);
    CHECK (event_log_append (world.log, &header, json, (size_t) size));
    if (type == EVENT_WORKER_SNAPSHOT) {
        CHECK (replica_put (world.replica, &header, data, strlen (data)) == 0);
    }
}

#define WORKER "aaaaaaaa-0000-5000-8000-000000000001"

static void
say_some (void)
{
    say (EVENT_WORKER_SNAPSHOT, WORKER,
         "{\"worker_id\":\"" WORKER "\",\"aws_instance_id\":\"i-a\",\"status\":\"running\"}");
    say (EVENT_WORKER_CONNECTED, WORKER,
         "{\"worker_id\":\"" WORKER "\",\"at\":\"2026-11-20T10:30:00.123Z\"}");
    say (EVENT_JOB_SUBMITTED, "",
         "{\"job_id\":\"j\",\"id\":\"j\",\"created_at\":\"2026-11-20T10:30:00.123Z\"}");
    say (EVENT_SYSTEM_STATS, "", "{\"total_workers\":1}");
}

static void
start (void)
{
    static const hub_settings_t SETTINGS = {.clients_max = 10,
                                            .heartbeat_seconds = 30,
                                            .stall_timeout_seconds = 60,
                                            .send_buffer_bytes = 65536,
                                            .queue_max_bytes = 1 << 20,
                                            .held_max_bytes = 1 << 24,
                                            .states_per_second = 1000000,
                                            .images_max = 4,
                                            .monitor_message_max_bytes = 4096,
                                            .monitor_messages_per_second = 50,
                                            .monitor_errors_max = 5,
                                            .resync_max = 20};
    reason_t why;

    log_open ("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    world.loop = loop_new (1000);
    world.metrics = metrics_new (1000);
    world.replica = replica_new (NULL);
    world.log = event_log_new (64, 1 << 20);
    world.nobody = identity_new ("", ROLE_ADMIN);
    CHECK (world.loop && world.metrics && world.replica && world.log && world.nobody);
    event_log_reset (world.log, EPOCH, 0);
    replica_set_stats (world.replica, "{}", 2);
    world.hub = hub_new (world.loop, &SETTINGS, world.replica, world.log, world.metrics, &why);
    CHECK (world.hub);
    say_some ();
    loop_turn (world.loop, 0);
}

static void
turn_and_hear (int fd)
{
    ssize_t got;

    loop_turn (world.loop, 0);
    while ((got = recv (fd, world.heard + world.size, HEARD_MAX - world.size, MSG_DONTWAIT)) > 0) {
        world.size += (size_t) got;
        CHECK (world.size < HEARD_MAX);
    }
}

//  Masked with nothing. A length that is not written as short as it can be is no frame (RFC 6455, 5.2).
static void
put_message (int fd, const char *text, size_t size)
{
    unsigned char head [8] = {0x81, 0x80}, *at = head + 2;

    if (size < 126) {
        head [1] |= (unsigned char) size;
    } else {
        head [1] |= 126;
        *at++ = (unsigned char) (size >> 8);
        *at++ = (unsigned char) (size & 0xff);
    }
    at += 4;
    (void) !send (fd, head, (size_t) (at - head), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void) !send (fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
put_messages (int fd, const char *text, size_t size)
{
    while (size > 0) {
        const char *end = memchr (text, '\n', size);
        size_t length = end ? (size_t) (end - text) : size;
        put_message (fd, text, length);
        text += length + (end != NULL);
        size -= length + (end != NULL);
    }
}

static void
check_text (const char *text, size_t size)
{
    struct json_object *tree = NULL;
    reason_t why = {""};

    if (json_parse (&tree, text, size, size, &why) < 0 || !json_get_text (tree, "type")) {
        fprintf (stderr, "no message: %s\n%.*s\n", why.text, (int) size, text);
        abort ();
    }
    json_destroy (&tree);
}

//  The last frame may have been cut by the connection's end.
static void
check_heard (void)
{
    const unsigned char *bytes = (const unsigned char *) world.heard;
    bool closed = false;

    for (size_t at = 0; at + 2 <= world.size;) {
        size_t length = bytes [at + 1], more = length == 127 ? 8 : length == 126 ? 2 : 0;
        int opcode = bytes [at] & 0xf;
        CHECK (!closed && (bytes [at] & 0xf0) == 0x80 && length <= 127);
        CHECK (opcode == 1 || opcode == 8 || opcode == 9 || opcode == 10);
        length = more ? 0 : length;
        for (size_t i = 0; i < more && at + 2 + i < world.size; i++) {
            length = length << 8 | bytes [at + 2 + i];
        }
        at += 2 + more;
        CHECK (at + length <= world.size);
        if (opcode == 1) {
            check_text (world.heard + at, length);
        }
        closed = opcode == 8;
        at += length;
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    struct MHD_UpgradeResponseHandle handle = {0};
    hub_request_t request = {.upgraded = &handle, .heartbeat_seconds = 30};
    int ends [2];

    if (!world.loop) {
        start ();
    }
    if (size < 1 || socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0) {
        return 0;
    }
    world.size = 0;
    request.fd = ends [0];
    request.identity = world.nobody;
    request.filter = filter_new (8);
    filter_want_nothing (request.filter);
    request.filter->monitor = world.replica;
    CHECK (hub_add (world.hub, &request) == 0);
    if (data [0] % 2 == 0) {
        (void) !send (ends [1], data + 1, size - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
        put_messages (ends [1], (const char *) data + 1, size - 1);
    }
    for (int i = 0; i < TURNS; i++) {
        turn_and_hear (ends [1]);
        if (i == 2) {
            say_some ();
        }
    }
    check_heard ();
    close (ends [1]);
    for (int i = 0; i < TURNS && hub_size (world.hub) > 0; i++) {
        loop_turn (world.loop, 0);
    }
    //  One that was not read to its end, for it said too much, is closed by us.
    hub_close_all (world.hub);
    CHECK (hub_size (world.hub) == 0 && handle.closed == 1);
    close (ends [0]);
    return 0;
}

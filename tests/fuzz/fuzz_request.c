//  A request to the gateway, from its first line to its body, through the handler that
//  libmicrohttpd would call:
//
//      GET /api/events/stream?regions=us-east-1&heartbeat=5
//      Last-Event-ID: 0badcafe-3
//
//      the body
//
//  `SELF` as the path's end is the id of a stream that is open, so that its filter can be patched.
//  Every request is answered once, or suspended; a stream says nothing but whole frames.
//  SPDX-License-Identifier: MIT

#include "fake_mhd.h"

#include "../../common/log.h"
#include "../../gateway/http.h"
#include "../../gateway/request_check.h"
#include "../../gateway/text_page.h"

#define EPOCH        "0badcafe"
#define WORKER       "aaaaaaaa-0000-5000-8000-000000000001"
#define EVENTS       8
#define BODY_MAX     4096
#define URL_MAX      4096  //  libmicrohttpd's pool bounds the whole head
#define LISTEN       "127.0.0.1:0"
#define ORIGINS      "https://ops.example.com, http://127.0.0.1:9000"
#define NOBODY       "tcp://127.0.0.1:9"  //  is connected to, and never answers
#define STREAM_BYTES (1 << 18)

static struct {
    loop_t *loop;
    http_t *http;
    struct MHD_Connection open;  //  a stream that stays
    void *open_state;
    char open_id [17];
    char heard [STREAM_BYTES];
} world;

//  The feed is joined, and nothing comes of it.
bool
feed_client_has_joined (const feed_client_t *self)
{
    (void) self;
    return true;
}

bool
feed_client_is_ready (const feed_client_t *self, reason_t *why)
{
    (void) self, (void) why;
    return true;
}

//  --- what a stream says

static size_t
hear (struct MHD_Connection *connection)
{
    size_t size = 0;

    for (int turn = 0; turn < 3; turn++) {
        loop_turn (world.loop, 0);
        ssize_t got = recv (connection->peer, world.heard + size, sizeof world.heard - size - 1,
                            MSG_DONTWAIT);
        size += got > 0 ? (size_t) got : 0;
    }
    world.heard [size] = '\0';
    return size;
}

static void
check_frames (const char *text)
{
    static const char *const FIELDS [] = {"id: " EPOCH "-", "event: ", "data: {", "retry: ", ":"};

    while (*text) {
        size_t size = strcspn (text, "\n");
        bool known = size == 0;
        CHECK (text [size] == '\n');
        CHECK (!memchr (text, '\r', size));
        for (size_t i = 0; !known && i < sizeof FIELDS / sizeof *FIELDS; i++) {
            known = strncmp (text, FIELDS [i], strlen (FIELDS [i])) == 0;
        }
        CHECK (known);
        if (strncmp (text, "data: ", 6) == 0) {
            struct json_object *tree = NULL;
            CHECK (json_parse (&tree, text + 6, size - 6, size, NULL) == 0);
            json_destroy (&tree);
        }
        text += size + 1;
    }
}

static void
check_stream (struct MHD_Connection *connection)
{
    size_t size = hear (connection);
    char *body = strstr (world.heard, "\r\n\r\n");

    CHECK (size > 0 && body && strncmp (world.heard, "HTTP/1.1 200 OK\r\n", 17) == 0);
    body += 4;
    if (!strstr (world.heard, "Content-Encoding: gzip\r\n")) {
        CHECK (strlen (body) == size - (size_t) (body - world.heard));
        CHECK (strncmp (body, "retry: ", 7) == 0);
        check_frames (body);
    } else {
        CHECK (memcmp (body, "\x1f\x8b", 2) == 0);
    }
}

//  --- one request

static void
add (struct MHD_Connection *connection, enum MHD_ValueKind kind, const char *name,
     const char *value)
{
    if (connection->count < PAIRS_MAX && *name) {
        connection->pairs [connection->count++] = (pair_t){kind, name, value};
    }
}

//  As libmicrohttpd: plus signs first, then by the function that it was given.
static void
unescape (struct MHD_Connection *connection, char *text)
{
    size_t before = strlen (text);

    for (char *plus = text; (plus = strchr (plus, '+'));) {
        *plus = ' ';
    }
    size_t size = daemon_.unescape (daemon_.unescape_argument, connection, text);
    CHECK (size == strlen (text) && size <= before);
}

static void
take_query (struct MHD_Connection *connection, char *query)
{
    char *field;

    while ((field = strsep (&query, "&"))) {
        char *value = strchr (field, '=');
        if (value) {
            *value++ = '\0';
            unescape (connection, value);
        }
        unescape (connection, field);
        add (connection, MHD_GET_ARGUMENT_KIND, field, value);
    }
}

static void
take_header (struct MHD_Connection *connection, char *line)
{
    char *value = strchr (line, ':');

    if (value) {
        *value++ = '\0';
        value += strspn (value, " \t");
        value [strcspn (value, "\r")] = '\0';
        add (connection, MHD_HEADER_KIND, line, value);
    }
}

static enum MHD_Result
call (struct MHD_Connection *connection, const char *url, const char *method, const char *body,
      size_t *size, void **state)
{
    return daemon_.handler (daemon_.handler_argument, connection, url, method, "HTTP/1.1", body,
                            size, state);
}

//  The body in two parts, as it may come; then the call that says it is whole.
static void
ask (struct MHD_Connection *connection, const char *url, const char *method, const char *body,
     size_t size, void **state)
{
    size_t none = 0, first = size / 2, second = size - first;
    enum MHD_Result result = call (connection, url, method, NULL, &none, state);

    CHECK (!connection->answered || connection->status >= 400);  //  it was refused
    if (result == MHD_YES && !connection->answered && !connection->suspended) {
        if (first > 0) {
            CHECK (call (connection, url, method, body, &first, state) == MHD_YES && first == 0);
        }
        if (second > 0) {
            CHECK (call (connection, url, method, body + size / 2, &second, state) == MHD_YES);
            CHECK (second == 0);
        }
        result = call (connection, url, method, NULL, &none, state);
    }
    CHECK (result == MHD_YES && (connection->answered || connection->suspended));
}

static void
connect_pair (struct MHD_Connection *connection)
{
    int ends [2];

    CHECK (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    connection->fd = ends [0];
    connection->peer = ends [1];
    daemon_.notify (daemon_.notify_argument, connection, &connection->context,
                    MHD_CONNECTION_NOTIFY_STARTED);
}

static bool
is_stream (const char *url)
{
    return strcmp (request_path (url), "/api/events/stream") == 0;
}

//  The peer goes away: a stream is over then, and an ask is let go of.
static void
disconnect (struct MHD_Connection *connection, const char *url, const char *method, void **state)
{
    size_t none = 0;

    close (connection->peer);
    if (connection->suspended && is_stream (url)) {
        loop_turn (world.loop, 0);
        CHECK (!connection->suspended);
        CHECK (call (connection, url, method, NULL, &none, state) == MHD_NO);
    }
    daemon_.completed (daemon_.completed_argument, connection, state,
                       MHD_REQUEST_TERMINATED_COMPLETED_OK);
    CHECK (!*state);
    daemon_.notify (daemon_.notify_argument, connection, &connection->context,
                    MHD_CONNECTION_NOTIFY_CLOSED);
    close (connection->fd);
}

//  --- the gateway

static void
fill (replica_t *replica, event_log_t *log)
{
    static const char JSON [] = "{\"worker_id\":\"" WORKER "\",\"aws_instance_id\":\"i-1\","
                                "\"status\":\"running\",\"ec2_freshness\":\"fresh\"}";
    feed_header_t header = {.kind = FEED_EVENT, .type = EVENT_WORKER_SNAPSHOT};

    snprintf (header.epoch, sizeof header.epoch, EPOCH);
    snprintf (header.type_name, sizeof header.type_name, "worker.snapshot");
    snprintf (header.region, sizeof header.region, "us-east-1");
    snprintf (header.worker_id, sizeof header.worker_id, WORKER);
    event_log_reset (log, EPOCH, 0);
    for (header.seq = 1; header.seq <= EVENTS; header.seq++) {
        static const char EVENT [] = "{\"type\":\"worker.snapshot\",\"source\":\"x\",\"time\":null,"
                                     "\"seq\":1,\"data\":{}}";
        CHECK (replica_put (replica, &header, JSON, strlen (JSON)) == 0);
        CHECK (event_log_append (log, &header, EVENT, strlen (EVENT)));
    }
    replica_set_stats (replica, "{\"total_workers\":1}", strlen ("{\"total_workers\":1}"));
}

static void
open_stream (void)
{
    add (&world.open, MHD_HEADER_KIND, "Host", "x");
    connect_pair (&world.open);
    ask (&world.open, "/api/events/stream", "GET", NULL, 0, &world.open_state);
    CHECK (world.open.suspended && hear (&world.open) > 0);
    const char *id = strstr (world.heard, "\"client_id\":\"");
    CHECK (id);
    snprintf (world.open_id, sizeof world.open_id, "%.16s", id + strlen ("\"client_id\":\""));
}

static void
start (void)
{
    static const hub_settings_t SETTINGS = {.clients_max = 8,
                                            .heartbeat_seconds = 30,
                                            .stall_timeout_seconds = 3600,
                                            .send_buffer_bytes = 1 << 20,
                                            .queue_max_bytes = 1 << 20,
                                            .held_max_bytes = 1 << 24,
                                            .slow_after_ms = 1000,
                                            .states_per_second = 1000000,
                                            .images_max = 2,
                                            .packers_max = 4,
                                            .compression = true};
    reason_t why = {""};
    log_open ("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    replica_t *replica = replica_new (NULL);
    event_log_t *log = event_log_new (64, 1 << 20);
    metrics_t *metrics = metrics_new (1000);
    world.loop = loop_new (1000);
    CHECK (world.loop && replica && log && metrics);
    fill (replica, log);
    hub_t *hub = hub_new (world.loop, &SETTINGS, replica, log, metrics, &why);
    asks_t *asks = asks_new (world.loop, NOBODY, NULL, 100, 64, metrics, &why);
    audit_t *audit = audit_new (world.loop, "", 4096, metrics, &why);
    CHECK (hub && asks && audit);
    mask_t *mask = mask_new (MASK_DEFAULT, &why);
    auth_settings_t login = {.method = AUTH_NONE,
                             .tokens_file = "",
                             .session_key = "",
                             .masked_fields = "",
                             .origins = ORIGINS,
                             .session_seconds = 60};
    auth_t *auth = mask ? auth_new (world.loop, &login, mask, metrics, &why) : NULL;
    proxies_t *proxies = proxies_new ("127.0.0.0/8", &why);
    text_page_t *text_page = text_page_new (10, metrics);
    CHECK (auth && proxies && text_page);
    http_parts_t parts = {
        .loop = world.loop,
        .hub = hub,
        .replica = replica,
        .log = log,
        .asks = asks,
        .auth = auth,
        .audit = audit,
        .text_page = text_page,
        .head_max_bytes = URL_MAX,
        .metrics = metrics,
        .clients_max = 8,
        .heartbeat_seconds = 30,
        .body_max_bytes = BODY_MAX,
        .filter_names_max = 64,
        .compression = true,
        .dashboard_dir = "",
        .connections = {
            .request_seconds = 30, .most = 100, .origins = ORIGINS, .proxies = proxies}};
    world.http = http_new (LISTEN, &parts, &why);
    CHECK (world.http && daemon_.handler && daemon_.completed && daemon_.notify);
    open_stream ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    _cleanup_ (string_destroy) char *text = fuzz_text (data, size);
    char *rest = text, *line = strsep (&rest, "\n"), *method = strsep (&line, " "), *header;
    struct MHD_Connection connection = {0};
    void *state = NULL;
    char url [URL_MAX] = "/";

    if (!world.loop) {
        start ();
    }
    char *query = line ? line : (char []){"/"}, *path = strsep (&query, "?");
    snprintf (url, sizeof url, "%s", path);
    unescape (&connection, url);
    size_t length = strlen (url);
    if (length >= 4 && length < sizeof url - sizeof world.open_id &&
        strcmp (url + length - 4, "SELF") == 0) {
        memcpy (url + length - 4, world.open_id, sizeof world.open_id);
    }
    take_query (&connection, query);
    add (&connection, MHD_HEADER_KIND, "Host", "x");
    while ((header = strsep (&rest, "\n")) && *header && *header != '\r') {
        take_header (&connection, header);
    }
    connect_pair (&connection);
    ask (&connection, url, method, rest, rest ? strlen (rest) : 0, &state);
    if (connection.suspended && is_stream (url)) {
        check_stream (&connection);
    }
    disconnect (&connection, url, method, &state);
    (void) hear (&world.open);
    return 0;
}

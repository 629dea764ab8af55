//  The three endpoints over loopback HTTP, asked with a plain socket in the same loop.

#include "../../../common/admin.h"
#include "../../../common/cleanup.h"
#include "../../../common/json.h"
#include "../../../common/program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>  //  needs the three above it

#define PATIENCE_US (30 * SECOND_US)

typedef struct fixture {
    loop_t *loop;
    metrics_t *metrics;
    admin_t *admin;
    bool ready;
    int asked;  //  how often readiness was
} fixture_t;

static bool
is_ready (void *argument, reason_t *why)
{
    fixture_t *self = argument;

    self->asked++;
    if (!self->ready) {
        reason_set (why, -EAGAIN, "no \"aggregator\" yet");
    }
    return self->ready;
}

static int
set_up (void **state)
{
    static fixture_t fixture;
    reason_t why = {0};

    fixture = (fixture_t){.loop = loop_new (1000), .metrics = metrics_new (100)};
    fixture.admin =
        admin_new (fixture.loop, "127.0.0.1:0", fixture.metrics, is_ready, &fixture, &why);
    *state = &fixture;
    return fixture.admin ? 0 : -1;
}

static int
tear_down (void **state)
{
    fixture_t *self = *state;

    admin_destroy (&self->admin);
    assert_null (self->admin);
    loop_destroy (&self->loop);
    metrics_destroy (&self->metrics);
    return 0;
}

static int
connect_to (int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
                                  .sin_port = htons ((uint16_t) port)};
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal (connect (fd, (void *) &address, sizeof address), 0);
    assert_int_equal (fcntl (fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

//  Sends these bytes and reads until the server closes.
static void
exchange (fixture_t *self, int fd, const char *request, buffer_t *answer)
{
    time_us_t end = clock_now ().steady + PATIENCE_US;
    size_t size = strlen (request), sent = 0;

    for (ssize_t rc = -1; rc != 0;) {
        char bytes [65536];
        rc = send (fd, request + sent, size - sent, MSG_NOSIGNAL);
        sent += rc > 0 ? (size_t) rc : 0;
        assert_true (clock_now ().steady < end);
        loop_turn (self->loop, 5);
        while ((rc = recv (fd, bytes, sizeof bytes, 0)) > 0) {
            buffer_append (answer, bytes, (size_t) rc);
        }
        assert_true (rc == 0 || errno == EAGAIN || errno == ECONNRESET);
        rc = errno == ECONNRESET ? 0 : rc;
    }
    buffer_append (answer, "", 0);
}

//  The answer to one request on a connection of its own; the body of it.
static const char *
ask (fixture_t *self, const char *request, buffer_t *answer)
{
    _cleanup_ (descriptor_close) int fd = connect_to (admin_port (self->admin));

    buffer_reset (answer);
    exchange (self, fd, request, answer);
    const char *end = strstr (answer->data, "\r\n\r\n");
    return end ? end + 4 : "";
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void
assert_status (const buffer_t *answer, const char *status)
{
    if (!answer->data || strncmp (answer->data, "HTTP/1.1 ", 9) != 0 ||
        strncmp (answer->data + 9, status, strlen (status)) != 0) {
        fail_msg ("not %s: %s", status, answer->data);
    }
}

static struct json_object *
parsed (const char *body)
{
    struct json_object *tree = NULL;

    assert_int_equal (json_parse (&tree, body, strlen (body), strlen (body), NULL), 0);
    return tree;
}

static void
healthz_tells_that_it_lives_and_its_version (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (buffer_clear) buffer_t answer = {0};

    _cleanup_ (json_destroy) struct json_object *tree =
        parsed (ask (self, GET ("/healthz"), &answer));

    assert_status (&answer, "200 ");
    assert_non_null (strstr (answer.data, "Content-Type: application/json\r\n"));
    assert_non_null (strstr (answer.data, "Cache-Control: no-store\r\n"));
    assert_string_equal (json_get_text (tree, "status"), "ok");
    assert_string_equal (json_get_text (tree, "version"), program_version ());
    assert_int_equal (self->asked, 0);
}

static void
readyz_asks_each_time_and_says_what_is_missing (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (buffer_clear) buffer_t answer = {0};

    _cleanup_ (json_destroy) struct json_object *not_yet =
        parsed (ask (self, GET ("/readyz"), &answer));
    assert_status (&answer, "503 ");
    assert_string_equal (json_get_text (not_yet, "status"), "not_ready");
    assert_string_equal (json_get_text (not_yet, "reason"), "no \"aggregator\" yet");
    self->ready = true;
    _cleanup_ (json_destroy) struct json_object *now =
        parsed (ask (self, GET ("/readyz"), &answer));

    assert_status (&answer, "200 ");
    assert_string_equal (json_get_text (now, "status"), "ready");
    assert_true (json_object_object_get_ex (now, "reason", NULL));
    assert_null (json_get (now, "reason"));
    assert_int_equal (self->asked, 2);
}

static void
metrics_are_those_of_the_registry_at_this_moment (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (buffer_clear) buffer_t answer = {0};
    metric_t *metric = metrics_add (self->metrics, METRIC_COUNTER, "cmlwatch_a_total", "A");

    metric_increment (metric);
    assert_non_null (strstr (ask (self, GET ("/metrics"), &answer), "\ncmlwatch_a_total 1\n"));
    metric_increment (metric);
    assert_non_null (strstr (ask (self, GET ("/metrics"), &answer), "\ncmlwatch_a_total 2\n"));

    assert_status (&answer, "200 ");
    assert_non_null (
        strstr (answer.data, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
}

static void
metrics_larger_than_any_socket_buffer_arrive_whole (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (buffer_clear) buffer_t answer = {0}, help = {0};
    buffer_format (&help, "%*s", 8 * 1024 * 1024, "end");
    metrics_add (self->metrics, METRIC_GAUGE, "cmlwatch_large", help.data);

    const char *body = ask (self, GET ("/metrics"), &answer);

    assert_true (strlen (body) > help.size);
    assert_non_null (strstr (body + help.size, "end\n# TYPE cmlwatch_large gauge\n"));
}

static void
what_is_not_there_is_a_problem_of_status_404 (void **state)
{
    fixture_t *self = *state;
    static const char *const REQUESTS [] = {GET ("/"),         GET ("/healthz/"),
                                            GET ("/metric"),   GET ("/HEALTHZ"),
                                            GET ("//healthz"), GET ("/../etc/passwd")};

    for (size_t i = 0; i < sizeof REQUESTS / sizeof *REQUESTS; i++) {
        _cleanup_ (buffer_clear) buffer_t answer = {0};
        int64_t status = 0;
        _cleanup_ (json_destroy) struct json_object *tree =
            parsed (ask (self, REQUESTS [i], &answer));
        assert_status (&answer, "404 ");
        assert_non_null (strstr (answer.data, "Content-Type: application/problem+json\r\n"));
        assert_true (json_get_integer (tree, "status", &status) && status == 404);
        assert_non_null (strstr (json_get_text (tree, "detail"), "/readyz"));
    }
}

static void
query_does_not_change_which_endpoint_is_meant (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (buffer_clear) buffer_t answer = {0};

    ask (self, GET ("/healthz?verbose=1"), &answer);

    assert_status (&answer, "200 ");
}

static void
head_is_answered_without_a_body (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (buffer_clear) buffer_t answer = {0};

    const char *body =
        ask (self, "HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &answer);

    assert_status (&answer, "200 ");
    assert_non_null (strstr (answer.data, "Content-Length: "));
    assert_string_equal (body, "");
}

static void
other_methods_are_refused_with_those_that_are_not (void **state)
{
    fixture_t *self = *state;
    static const char *const REQUESTS [] = {
        "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        "DELETE /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "BREW /coffee HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof REQUESTS / sizeof *REQUESTS; i++) {
        _cleanup_ (buffer_clear) buffer_t answer = {0};
        ask (self, REQUESTS [i], &answer);
        assert_status (&answer, "405 ");
        assert_non_null (strstr (answer.data, "Allow: GET, HEAD\r\n"));
    }
}

static void
what_is_no_http_or_too_large_harms_nobody_else (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (buffer_clear) buffer_t answer = {0}, huge = {0};
    _cleanup_ (descriptor_close) int half = connect_to (admin_port (self->admin));
    buffer_format (&huge, "GET /healthz HTTP/1.1\r\nHost: %0*d\r\n\r\n", 100000, 0);

    assert_int_equal (send (half, "GET /hea", 8, MSG_NOSIGNAL), 8);
    ask (self, "\x16\x03\x01\r\n\r\n", &answer);
    assert_null (strstr (answer.data, " 200 "));
    ask (self, huge.data, &answer);
    assert_null (strstr (answer.data, " 200 "));
    ask (self, GET ("/healthz"), &answer);
    assert_status (&answer, "200 ");

    buffer_reset (&answer);
    exchange (self, half, "lthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &answer);
    assert_status (&answer, "200 ");
}

static void
each_answer_says_that_its_connection_ends_and_ends_it (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (buffer_clear) buffer_t answer = {0};

    ask (self, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", &answer);  //  until it is closed

    assert_non_null (strstr (answer.data, "Connection: close\r\n"));
    assert_int_equal (self->asked, 1);
}

static void
idle_connections_keep_nobody_out_once_they_have_gone (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (buffer_clear) buffer_t answer = {0};
    int idle [100];

    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++) {
        idle [i] = connect_to (admin_port (self->admin));
        loop_turn (self->loop, 0);
    }
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++) {
        close (idle [i]);
    }
    time_us_t end = clock_now ().steady + PATIENCE_US;
    while (answer.size == 0) {
        assert_true (clock_now ().steady < end);
        ask (self, GET ("/healthz"), &answer);
    }

    assert_status (&answer, "200 ");
}

static void
bodies_are_written_for_a_gateway_to_answer_with (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    const reason_t why = {"x\ny"};

    admin_write_readyz (&out, false, &why);
    assert_string_equal (out.data, "{\"status\":\"not_ready\",\"reason\":\"x\\ny\"}");
    buffer_reset (&out);
    admin_write_readyz (&out, true, NULL);
    assert_string_equal (out.data, "{\"status\":\"ready\",\"reason\":null}");
}

//  --- where it listens

static void
address_in_use_is_told_with_the_address (void **state)
{
    fixture_t *self = *state;
    reason_t why = {0};
    char listen_on [32];
    snprintf (listen_on, sizeof listen_on, "127.0.0.1:%d", admin_port (self->admin));

    assert_true (admin_port (self->admin) > 0);
    assert_null (admin_new (self->loop, listen_on, self->metrics, is_ready, self, &why));
    assert_non_null (strstr (why.text, listen_on));
    assert_non_null (strstr (why.text, "in use"));
}

static void
what_is_no_address_is_refused_with_a_reason (void **state)
{
    (void) state;
    static const char *const WRONG [] = {
        "",
        "8080",
        ":8080",
        "127.0.0.1",
        "127.0.0.1:",
        "[::1]",
        "[]:0",
        "127.0.0.1:http",
        "127.0.0.1:65536",
        "127.0.0.1:99999",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "127.0.0.1:1x",
        "256.0.0.1:0",
        "unix:",
        "unix:/no/such/folder/s",
        "192.0.2.1:0",  //  not an address of this machine (RFC 5737)
    };
    int taken = 0;

    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        reason_t why = {0};
        _cleanup_ (descriptor_close) int fd = admin_listen (WRONG [i], &why);
        if (fd >= 0 || !why.text [0]) {
            print_message ("%s: %d %s\n", WRONG [i], fd, why.text);
            taken++;
        }
    }
    assert_int_equal (taken, 0);
}

static void
socket_is_listening_without_blocking_and_closed_on_exec (void **state)
{
    (void) state;
    static const char *const PLACES [] = {"127.0.0.1:0", "localhost:0", "0.0.0.0:0"};

    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        reason_t why = {0};
        _cleanup_ (descriptor_close) int fd = admin_listen (PLACES [i], &why);
        int listening = 0;
        socklen_t size = sizeof listening;
        assert_true (fd >= 0);
        assert_int_equal (getsockopt (fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size), 0);
        assert_true (listening);
        assert_true (fcntl (fd, F_GETFL) & O_NONBLOCK);
        assert_true (fcntl (fd, F_GETFD) & FD_CLOEXEC);
    }
}

static void
ipv6_host_stands_in_brackets (void **state)
{
    (void) state;
    _cleanup_ (descriptor_close) int probe = socket (AF_INET6, SOCK_STREAM, 0);
    const struct sockaddr_in6 loopback = {.sin6_family = AF_INET6,
                                          .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    if (probe < 0 || bind (probe, (const void *) &loopback, sizeof loopback) != 0) {
        skip ();  //  a machine without IPv6
    }

    _cleanup_ (descriptor_close) int fd = admin_listen ("[::1]:0", NULL);

    assert_true (fd >= 0);
}

static void
unix_socket_is_a_path_of_bounded_length (void **state)
{
    (void) state;
    char folder [] = "/tmp/cmlwatch-admin-XXXXXX", place [64], long_place [256];
    reason_t why = {0};
    assert_non_null (mkdtemp (folder));
    snprintf (place, sizeof place, "unix:%s/s", folder);
    snprintf (long_place, sizeof long_place, "unix:%s/%0150d", folder, 1);

    _cleanup_ (descriptor_close) int fd = admin_listen (place, &why);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy (address.sun_path, place + 5, strlen (place + 5));
    _cleanup_ (descriptor_close) int other = socket (AF_UNIX, SOCK_STREAM, 0);

    assert_true (fd >= 0);
    assert_int_equal (connect (other, (const void *) &address, sizeof address), 0);
    assert_int_equal (admin_listen (place, &why), -1);
    assert_non_null (strstr (why.text, "in use"));
    assert_int_equal (admin_listen (long_place, &why), -1);
    assert_non_null (strstr (why.text, "longer"));
    unlink (address.sun_path);
    rmdir (folder);
}

static void
socket_that_was_left_behind_is_in_nobodys_way (void **state)
{
    (void) state;
    char folder [] = "/tmp/cmlwatch-admin-XXXXXX", place [64];
    reason_t why = {0};
    assert_non_null (mkdtemp (folder));
    snprintf (place, sizeof place, "unix:%s/s", folder);

    int first = admin_listen (place, &why);
    assert_true (first >= 0);
    close (first);
    int second = admin_listen (place, &why);
    assert_true (second >= 0 && close (second) == 0);
    assert_int_equal (unlink (place + 5), 0);
    FILE *file = fopen (place + 5, "we");
    assert_non_null (file);
    fclose (file);  //  what is no socket is not ours to take
    assert_int_equal (admin_listen (place, &why), -1);
    assert_int_equal (access (place + 5, F_OK), 0);
    unlink (place + 5);
    rmdir (folder);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (healthz_tells_that_it_lives_and_its_version),
        TEST (readyz_asks_each_time_and_says_what_is_missing),
        TEST (metrics_are_those_of_the_registry_at_this_moment),
        TEST (metrics_larger_than_any_socket_buffer_arrive_whole),
        TEST (what_is_not_there_is_a_problem_of_status_404),
        TEST (query_does_not_change_which_endpoint_is_meant),
        TEST (head_is_answered_without_a_body),
        TEST (other_methods_are_refused_with_those_that_are_not),
        TEST (what_is_no_http_or_too_large_harms_nobody_else),
        TEST (each_answer_says_that_its_connection_ends_and_ends_it),
        TEST (idle_connections_keep_nobody_out_once_they_have_gone),
        cmocka_unit_test (bodies_are_written_for_a_gateway_to_answer_with),
        TEST (address_in_use_is_told_with_the_address),
        cmocka_unit_test (what_is_no_address_is_refused_with_a_reason),
        cmocka_unit_test (socket_is_listening_without_blocking_and_closed_on_exec),
        cmocka_unit_test (ipv6_host_stands_in_brackets),
        cmocka_unit_test (unix_socket_is_a_path_of_bounded_length),
        cmocka_unit_test (socket_that_was_left_behind_is_in_nobodys_way),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

//  The client's side of a WebSocket against a server in the same loop that says byte for byte
//  what a test gives it.

#include "../../../collector/cml/cml_socket.h"

#include "../../../common/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cmocka.h>  //  needs the three above it

#define GUID        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define PATIENCE_US (30 * SECOND_US)
#define MESSAGE_MAX 1000

typedef struct rig {
    loop_t *loop;
    metrics_t *metrics;
    http_client_t *http;
    cml_socket_t *socket;
    int listener, fd;    //  of the server; fd -1: no connection
    const char *answer;  //  to the upgrade; null: the right one
    const char *frames;  //  that follow it at once
    size_t frames_size;
    bool hangs_up;
    buffer_t heard;  //  by the server, after the upgrade
    buffer_t question;
    bool opened, has_ended;
    int messages;
    char message [MESSAGE_MAX + 1];
    cml_socket_end_t end;
    char why [300];
} rig_t;

static void
send_all (int fd, const void *bytes, size_t size)
{
    assert_int_equal (send (fd, bytes, size, MSG_NOSIGNAL), size);
}

static void
answer_rightly (const rig_t *rig)
{
    const char *key = strstr (rig->question.data, "Sec-WebSocket-Key: ") + 19;
    unsigned char digest [20];
    gnutls_datum_t in = {digest, sizeof digest}, out = {0};
    char text [200];

    snprintf (text, sizeof text, "%.24s%s", key, GUID);
    assert_int_equal (gnutls_hash_fast (GNUTLS_DIG_SHA1, text, strlen (text), digest), 0);
    assert_int_equal (gnutls_base64_encode2 (&in, &out), 0);
    int size = snprintf (text, sizeof text,
                         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Accept: %.*s\r\n\r\n",
                         (int) out.size, (const char *) out.data);
    gnutls_free (out.data);
    send_all (rig->fd, text, (size_t) size);
}

static void
hang_up (rig_t *rig)
{
    if (rig->fd >= 0) {
        loop_unwatch (rig->loop, rig->fd);
        descriptor_close (&rig->fd);
    }
}

static void
on_asked (rig_t *rig)
{
    if (rig->answer) {
        send_all (rig->fd, rig->answer, strlen (rig->answer));
    } else {
        answer_rightly (rig);
    }
    send_all (rig->fd, rig->frames, rig->frames_size);
    if (rig->hangs_up) {
        hang_up (rig);
    }
}

static void
on_bytes (void *argument, uint32_t events)
{
    rig_t *rig = argument;
    char bytes [4096];
    ssize_t size = recv (rig->fd, bytes, sizeof bytes, 0);

    (void) events;
    if (size <= 0) {
        hang_up (rig);
        return;
    }
    bool was_asked = rig->question.data && strstr (rig->question.data, "\r\n\r\n");
    buffer_append (was_asked ? &rig->heard : &rig->question, bytes, (size_t) size);
    if (!was_asked && strstr (rig->question.data, "\r\n\r\n")) {
        on_asked (rig);
    }
}

static void
on_connection (void *argument, uint32_t events)
{
    rig_t *rig = argument;

    (void) events;
    rig->fd = accept4 (rig->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true (rig->fd >= 0);
    assert_int_equal (loop_watch (rig->loop, rig->fd, EPOLLIN, on_bytes, rig), 0);
}

//  --- the client

static void
on_opened (void *argument)
{
    rig_t *rig = argument;

    rig->opened = true;
    assert_int_equal (cml_socket_send (rig->socket, "{\"token\":\"t\"}", 13), 0);
}

static void
on_message (void *argument, const void *bytes, size_t size)
{
    rig_t *rig = argument;

    rig->messages++;
    assert_true (size <= MESSAGE_MAX);
    snprintf (rig->message, sizeof rig->message, "%.*s", (int) size, (const char *) bytes);
}

static void
on_ended (void *argument, cml_socket_end_t end, const char *why)
{
    rig_t *rig = argument;

    assert_false (rig->has_ended);
    rig->has_ended = true;
    rig->end = end;
    snprintf (rig->why, sizeof rig->why, "%s", why);
    cml_socket_destroy (&rig->socket);
}

static void
connect_to (rig_t *rig, int64_t idle_ms)
{
    static const cml_socket_events_t EVENTS = {on_opened, on_message, on_ended};
    struct sockaddr_in local = {0};
    socklen_t size = sizeof local;
    char url [64];
    reason_t why = {0};

    getsockname (rig->listener, (struct sockaddr *) &local, &size);
    snprintf (url, sizeof url, "http://127.0.0.1:%d/ws/ui", ntohs (local.sin_port));
    const cml_socket_settings_t settings = {"127.0.0.1", "/ws/ui", 300, idle_ms, MESSAGE_MAX};
    const http_request_t request = {.method = "GET", .url = url};
    rig->socket = cml_socket_new (rig->loop, rig->http, &request, &settings, &EVENTS, rig, &why);
    assert_non_null (rig->socket);
}

#define UNTIL(rig, condition)                               \
    do {                                                    \
        time_us_t end_ = clock_now ().steady + PATIENCE_US; \
        while (!(condition)) {                              \
            if (clock_now ().steady >= end_) {              \
                fail_msg ("never: %s", #condition);         \
            }                                               \
            loop_turn ((rig)->loop, 20);                    \
        }                                                   \
    } while (0)

//  Everything said at once, right after the upgrade.
static void
say (rig_t *rig, const char *bytes, size_t size)
{
    rig->frames = bytes;
    rig->frames_size = size;
    connect_to (rig, 60000);
}
#define SAY(rig, text) say ((rig), (text), sizeof (text) - 1)

static void
assert_ends (rig_t *rig, cml_socket_end_t end)
{
    UNTIL (rig, rig->has_ended);
    assert_string_equal (cml_socket_end_name (rig->end), cml_socket_end_name (end));
    assert_non_null (strstr (rig->why, "127.0.0.1"));
}

//  What the server has heard as one masked frame after another: the payload of the first with
//  this opcode.
static bool
heard (const rig_t *rig, unsigned opcode, const char *payload)
{
    const unsigned char *at = (const unsigned char *) rig->heard.data;
    const unsigned char *end = at ? at + rig->heard.size : NULL;

    while (end && end - at >= 6) {
        size_t size = at [1] & 0x7fu;
        assert_true ((at [1] & 0x80) && size < 126);  //  ours are masked, and short
        char text [126] = "";
        for (size_t i = 0; i < size && at + 6 + i < end; i++) {
            text [i] = (char) (at [6 + i] ^ at [2 + i % 4]);
        }
        if ((at [0] & 0x0fu) == opcode && memcmp (text, payload, strlen (payload)) == 0) {
            return true;
        }
        at += 6 + size;
    }
    return false;
}

//  --- the tests

static void
first_message_of_ours_is_a_masked_text (void **state)
{
    rig_t *rig = *state;

    SAY (rig, "");
    UNTIL (rig, heard (rig, 1, "{\"token\":\"t\"}"));

    assert_true (rig->opened && !rig->has_ended);
    assert_memory_equal (rig->question.data, "GET /ws/ui HTTP/1.1\r\n", 21);
}

static void
frames_that_come_with_the_answer_are_not_lost (void **state)
{
    rig_t *rig = *state;

    SAY (rig, "\x81\x05hello\x81\x03you");
    UNTIL (rig, rig->messages == 2);

    assert_string_equal (rig->message, "you");
}

static void
fragments_with_a_ping_among_them_are_one_message_and_the_ping_is_answered (void **state)
{
    rig_t *rig = *state;

    SAY (rig, "\x01\x02he\x89\x03who\x00\x02ll\x80\x01o");
    UNTIL (rig, rig->messages == 1 && heard (rig, 10, "who"));

    assert_string_equal (rig->message, "hello");
    assert_false (rig->has_ended);
}

static void
close_3000_is_told_from_other_codes_and_answered (void **state)
{
    rig_t *rig = *state;

    SAY (rig, "\x88\x02\x0b\xb8");
    assert_ends (rig, CML_SOCKET_LOGIN);
    UNTIL (rig, rig->fd < 0);

    assert_true (heard (rig, 8, "\x0b\xb8"));
}

static void
another_close_code_is_told_with_its_number (void **state)
{
    rig_t *rig = *state;

    SAY (rig, "\x88\x02\x03\xe9");
    assert_ends (rig, CML_SOCKET_CLOSED);

    assert_non_null (strstr (rig->why, "1001"));
}

static void
frames_that_break_the_protocol_end_it (void **state)
{
    rig_t *rig = *state;

    SAY (rig, "\xf3\x05hello");

    assert_ends (rig, CML_SOCKET_PROTOCOL);
}

static void
masked_frame_of_a_server_ends_it (void **state)
{
    rig_t *rig = *state;

    SAY (rig, "\x81\x81"
              "abcdX");

    assert_ends (rig, CML_SOCKET_PROTOCOL);
}

static void
text_that_is_not_utf8_ends_it (void **state)
{
    rig_t *rig = *state;

    SAY (rig, "\x81\x02\xc3\x28");

    assert_ends (rig, CML_SOCKET_PROTOCOL);
    assert_int_equal (rig->messages, 0);
}

static void
message_over_the_bound_ends_it_before_it_has_come (void **state)
{
    rig_t *rig = *state;

    SAY (rig, "\x81\x7e\x03\xe9 only the first bytes of 1001");

    assert_ends (rig, CML_SOCKET_TOO_LARGE);
}

static void
fragments_that_are_too_much_together_end_it (void **state)
{
    rig_t *rig = *state;
    static char bytes [2 * (4 + 600)];

    for (size_t i = 0; i < 2; i++) {
        memcpy (bytes + i * 604, i ? "\x00\x7e\x02\x58" : "\x01\x7e\x02\x58", 4);
        memset (bytes + i * 604 + 4, 'a', 600);
    }
    say (rig, bytes, sizeof bytes);

    assert_ends (rig, CML_SOCKET_TOO_LARGE);
}

static void
connection_that_ends_without_a_word_was_cut (void **state)
{
    rig_t *rig = *state;

    rig->hangs_up = true;
    SAY (rig, "\x81\x20 half of it");

    assert_ends (rig, CML_SOCKET_CUT);
    assert_int_equal (rig->messages, 0);
}

static void
silence_is_pinged_and_then_ended (void **state)
{
    rig_t *rig = *state;

    connect_to (rig, 300);

    assert_ends (rig, CML_SOCKET_SILENT);
    assert_true (heard (rig, 9, ""));
}

static void
answer_that_is_no_upgrade_opens_nothing (void **state)
{
    static const struct {
        const char *answer;
        cml_socket_end_t end;
    } rows [] = {
        {"HTTP/1.1 404 Not Found\r\n\r\n", CML_SOCKET_ABSENT},
        {"HTTP/1.1 405 No\r\n\r\n", CML_SOCKET_ABSENT},
        {"HTTP/1.1 502 Bad Gateway\r\n\r\n", CML_SOCKET_REFUSED},
        {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
         CML_SOCKET_HANDSHAKE},
        {"220 mail ready\r\n\r\n", CML_SOCKET_HANDSHAKE},
        {"HTTP/1.1 101 and no more", CML_SOCKET_TIMEOUT},
    };
    rig_t *rig = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rig->answer = rows [i].answer;
        rig->has_ended = false;
        buffer_reset (&rig->question);
        SAY (rig, "");
        assert_ends (rig, rows [i].end);
        assert_false (rig->opened);
        UNTIL (rig, rig->fd < 0);
    }
}

static void
nobody_there_is_unreachable (void **state)
{
    rig_t *rig = *state;

    loop_unwatch (rig->loop, rig->listener);
    shutdown (rig->listener, SHUT_RDWR);
    connect_to (rig, 60000);

    assert_ends (rig, CML_SOCKET_UNREACHABLE);
}

static void
goodbye_is_said_when_we_leave (void **state)
{
    rig_t *rig = *state;

    SAY (rig, "");
    UNTIL (rig, heard (rig, 1, "{"));
    cml_socket_destroy (&rig->socket);
    UNTIL (rig, rig->fd < 0);

    assert_true (heard (rig, 8, "\x03\xe9"));
    assert_false (rig->has_ended);
}

//  --- the rig

static int
set_up (void **state)
{
    rig_t *rig = calloc (1, sizeof *rig);
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    reason_t why = {0};

    assert_non_null (rig);
    rig->fd = -1;
    rig->frames = "";
    rig->loop = loop_new (1000);
    rig->metrics = metrics_new (50);
    rig->http = http_client_new (rig->loop, 2, rig->metrics, &why);
    rig->listener = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal (bind (rig->listener, (struct sockaddr *) &local, sizeof local), 0);
    assert_int_equal (listen (rig->listener, 8), 0);
    assert_int_equal (loop_watch (rig->loop, rig->listener, EPOLLIN, on_connection, rig), 0);
    *state = rig;
    return 0;
}

static int
tear_down (void **state)
{
    rig_t *rig = *state;

    cml_socket_destroy (&rig->socket);
    hang_up (rig);
    loop_unwatch (rig->loop, rig->listener);
    descriptor_close (&rig->listener);
    http_client_destroy (&rig->http);
    metrics_destroy (&rig->metrics);
    loop_destroy (&rig->loop);
    buffer_clear (&rig->heard);
    buffer_clear (&rig->question);
    free (rig);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (first_message_of_ours_is_a_masked_text),
        TEST (frames_that_come_with_the_answer_are_not_lost),
        TEST (fragments_with_a_ping_among_them_are_one_message_and_the_ping_is_answered),
        TEST (close_3000_is_told_from_other_codes_and_answered),
        TEST (another_close_code_is_told_with_its_number),
        TEST (frames_that_break_the_protocol_end_it),
        TEST (masked_frame_of_a_server_ends_it),
        TEST (text_that_is_not_utf8_ends_it),
        TEST (message_over_the_bound_ends_it_before_it_has_come),
        TEST (fragments_that_are_too_much_together_end_it),
        TEST (connection_that_ends_without_a_word_was_cut),
        TEST (silence_is_pinged_and_then_ended),
        TEST (answer_that_is_no_upgrade_opens_nothing),
        TEST (nobody_there_is_unreachable),
        TEST (goodbye_is_said_when_we_leave),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

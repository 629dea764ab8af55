//  The server's end of a WebSocket: handshake, frames, and how each mistake ends.

#include "../../../gateway/websocket.h"
#include "monitor_rig.h"

static struct {
    websocket_t *socket;
    char in [200000];
    size_t size, at, messages, frames;
    buffer_t out, message;
} end_;

static size_t
on_read (void *argument, void *bytes, size_t size)
{
    (void) argument;
    size_t left = end_.size - end_.at;
    size = size < left ? size : left;
    memcpy (bytes, end_.in + end_.at, size);
    end_.at += size;
    return size;
}

static void
on_frame (void *argument)
{
    (void) argument;
    end_.frames++;
}

static void
on_message (void *argument, const char *text, size_t size)
{
    (void) argument;
    end_.messages++;
    buffer_reset (&end_.message);
    buffer_append (&end_.message, text, size);
}

static int
setup (void **state)
{
    static const websocket_events_t EVENTS = {on_read, on_frame, on_message};

    (void) state;
    memset (&end_, 0, sizeof end_);
    end_.socket = websocket_new (4096, &EVENTS, NULL);
    assert_non_null (end_.socket);
    return 0;
}

static int
teardown (void **state)
{
    (void) state;
    websocket_destroy (&end_.socket);
    buffer_clear (&end_.out);
    buffer_clear (&end_.message);
    return 0;
}

static void
give (int first, bool masked, const char *payload, size_t size)
{
    end_.size += make_frame (end_.in + end_.size, first, masked, payload, size);
}

static int
read_all (void)
{
    websocket_read (end_.socket, &end_.out);
    return websocket_closed_with (end_.socket);
}

static void
key_is_answered_as_the_standard_has_it (void **state)
{
    char accept [WEBSOCKET_ACCEPT_SIZE];

    (void) state;
    assert_int_equal (websocket_accept ("dGhlIHNhbXBsZSBub25jZQ==", accept), 0);  //  section 1.3
    assert_string_equal (accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void
what_is_no_key_is_refused (void **state)
{
    static const char *const KEYS [] = {"",
                                        "x",
                                        "dGhlIHNhbXBsZSBub25jZQ",
                                        "dGhlIHNhbXBsZSBub25jZQ=",
                                        "dGhlIHNhbXBsZSBub25jZQ==x",
                                        "dGhlIHNhbXBsZSBub25jZTE=",
                                        "dGhlIHNhbXBsZSBub25j====",
                                        "!!!!IHNhbXBsZSBub25jZQ=="};
    char accept [WEBSOCKET_ACCEPT_SIZE];

    (void) state;
    for (size_t i = 0; i < COUNT (KEYS); i++) {
        assert_true (websocket_accept (KEYS [i], accept) < 0);
    }
}

static void
length_is_written_in_the_shortest_form (void **state)
{
    static const struct {
        size_t size, head;
        unsigned char bytes [WEBSOCKET_HEAD_SIZE];
    } ROWS [] = {{0, 2, {0x81, 0}},
                 {125, 2, {0x81, 125}},
                 {126, 4, {0x81, 126, 0, 126}},
                 {65535, 4, {0x81, 126, 0xff, 0xff}},
                 {65536, 10, {0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}}};
    char head [WEBSOCKET_HEAD_SIZE];

    (void) state;
    for (size_t i = 0; i < COUNT (ROWS); i++) {
        assert_int_equal (websocket_write_head (head, ROWS [i].size), ROWS [i].head);
        assert_memory_equal (head, ROWS [i].bytes, ROWS [i].head);
    }
}

static void
message_in_fragments_is_one_message (void **state)
{
    (void) state;
    give (TEXT, true, "hel", 3);
    give (FIN | PING, true, "in between", 10);
    give (0, true, "lo ", 3);
    give (FIN, true, "there", 5);

    assert_int_equal (read_all (), 0);

    assert_int_equal (end_.messages, 1);
    assert_int_equal (end_.frames, 4);
    assert_int_equal (end_.message.size, 11);
    assert_memory_equal (end_.message.data, "hello there", 11);
    assert_int_equal (end_.out.size, 12);
    assert_memory_equal (end_.out.data, "\x8a\x0ain between", 12);  //  the ping's answer
}

static void
each_mistake_has_its_close_code (void **state)
{
    static char large [5000];
    static const struct {
        int first;
        bool masked;
        const char *payload;
        size_t size;
        int code;
    } ROWS [] = {{FIN | TEXT, false, "{}", 2, 1002},      {FIN | 0x3, true, "", 0, 1002},
                 {FIN | 0xb, true, "", 0, 1002},          {FIN | 0x40 | TEXT, true, "{}", 2, 1002},
                 {FIN, true, "goes on what?", 13, 1002},  {PING, true, "", 0, 1002},
                 {FIN | PING, true, large, 126, 1002},    {FIN | BINARY, true, "{}", 2, 1003},
                 {FIN | TEXT, true, "\xff\xfe", 2, 1007}, {FIN | TEXT, true, "\xc0\x80", 2, 1007},
                 {FIN | TEXT, true, large, 5000, 1009},   {FIN | CLOSE, true, "\x03", 1, 1005},
                 {FIN | CLOSE, true, "\x03\xed", 2, 1002}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        teardown (state);
        setup (state);
        give (ROWS [i].first, ROWS [i].masked, ROWS [i].payload, ROWS [i].size);
        give (FIN | TEXT, true, "after it", 8);

        assert_int_equal (read_all (), ROWS [i].code);

        assert_int_equal (end_.messages, 0);  //  nothing behind it is taken
        assert_int_equal ((unsigned char) end_.out.data [0], FIN | CLOSE);
        assert_int_equal (end_.out.size, 2 + (size_t) end_.out.data [1]);  //  and said once
    }
}

static void
fragments_count_together_against_the_bound (void **state)
{
    static char part [1024];

    (void) state;
    memset (part, 'a', sizeof part);
    give (TEXT, true, part, sizeof part);
    for (int i = 0; i < 4; i++) {
        give (0, true, part, sizeof part);
    }

    assert_int_equal (read_all (), 1009);
    assert_int_equal (end_.messages, 0);
}

static void
peers_close_is_answered_with_its_own_code (void **state)
{
    (void) state;
    give (FIN | CLOSE, true, "\x03\xe8", 2);

    assert_int_equal (read_all (), 1000);

    assert_true (websocket_peer_closed (end_.socket));
    assert_int_equal (end_.out.size, 4);
    assert_memory_equal (end_.out.data, "\x88\x02\x03\xe8", 4);
}

static void
behind_our_close_nothing_is_said_or_read (void **state)
{
    (void) state;
    websocket_close (end_.socket, 1001, "the gateway ends", &end_.out);
    size_t size = end_.out.size;
    give (FIN | TEXT, true, "{}", 2);
    give (FIN | PING, true, "", 0);

    assert_int_equal (read_all (), 1001);
    websocket_close (end_.socket, 1008, "twice", &end_.out);
    websocket_ping (end_.socket, &end_.out);

    assert_int_equal (end_.out.size, size);
    assert_memory_equal (end_.out.data, "\x88\x12\x03\xe9the gateway ends", size);
    assert_int_equal (end_.messages, 0);
}

static void
reason_that_is_too_long_is_cut (void **state)
{
    char reason [200];

    (void) state;
    memset (reason, 'r', sizeof reason - 1);
    reason [sizeof reason - 1] = '\0';

    websocket_close (end_.socket, 1008, reason, &end_.out);

    assert_int_equal (end_.out.size, 2 + 125);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (key_is_answered_as_the_standard_has_it),
        cmocka_unit_test (what_is_no_key_is_refused),
        cmocka_unit_test (length_is_written_in_the_shortest_form),
        cmocka_unit_test_setup_teardown (message_in_fragments_is_one_message, setup, teardown),
        cmocka_unit_test_setup_teardown (each_mistake_has_its_close_code, setup, teardown),
        cmocka_unit_test_setup_teardown (fragments_count_together_against_the_bound, setup,
                                         teardown),
        cmocka_unit_test_setup_teardown (peers_close_is_answered_with_its_own_code, setup,
                                         teardown),
        cmocka_unit_test_setup_teardown (behind_our_close_nothing_is_said_or_read, setup, teardown),
        cmocka_unit_test_setup_teardown (reason_that_is_too_long_is_cut, setup, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

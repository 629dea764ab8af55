//  The hearing side, with a raw socket that says what no publisher of ours would; and addresses.

#include "bus_rig.h"

#include <ctype.h>

static void
bind_raw (const char *endpoint)
{
    raw = bus_socket (ZMQ_XPUB, BUS_BIND, endpoint, 5000, 0, NULL);
    assert_non_null (raw);
    zsock_set_rcvtimeo (raw, (int) (PATIENCE_US / MS_US));
}

//  The subscriptions of a subscriber that connected, one after the other.
static void
await_subscription (const char *topic)
{
    _cleanup_ (zframe_destroy) zframe_t *frame = zframe_recv (raw);
    assert_non_null (frame);
    assert_int_equal (zframe_size (frame), strlen (topic) + 1);
    assert_memory_equal (zframe_data (frame) + 1, topic, strlen (topic));
}

static void
send_frames (int frames, const char *text)
{
    zmsg_t *msg = zmsg_new ();

    for (int i = 0; i < frames; i++) {
        zmsg_addstr (msg, text);
    }
    assert_int_equal (zmsg_send (&msg, raw), 0);
}

static void
turn_takes_a_batch_and_the_next_turn_the_rest (void **state)
{
    (void) state;
    bind_raw ("inproc://batch");
    subscribe (BUS_CONNECT, "inproc://batch", EVERYTHING, 5000);
    await_subscription ("");

    for (int i = 0; i < 2 * BUS_BATCH_MAX + 7; i++) {
        send_frames (2, "x");
    }
    loop_turn (loop, 0);
    assert_int_equal (heard.count, BUS_BATCH_MAX);
    loop_turn (loop, 0);
    assert_int_equal (heard.count, 2 * BUS_BATCH_MAX);
    loop_turn (loop, 0);
    assert_int_equal (heard.count, 2 * BUS_BATCH_MAX + 7);
}

static void
message_of_more_than_two_frames_is_counted_and_dropped (void **state)
{
    (void) state;
    bind_raw ("inproc://frames");
    subscribe (BUS_CONNECT, "inproc://frames", EVERYTHING, 5000);
    await_subscription ("");

    send_frames (3, "three");
    send_frames (1000, "many");
    send_frames (1, "one");
    loop_turn (loop, 0);
    assert_int_equal (heard.count, 1);
    assert_int_equal (heard.frames, 1);
    send_frames (2, "");
    loop_turn (loop, 0);

    assert_int_equal (heard.count, 2);
    assert_int_equal (heard.frames, 2);
    assert_int_equal (heard.size [1], 0);
    assert_int_equal (heard.numbers [1], 0);
    assert_float_equal (counted ("cmlwatch_bus_malformed_total"), 2, 0);
    assert_float_equal (counted ("cmlwatch_bus_received_bytes_total"), 3, 0);
}

static void
only_what_was_subscribed_to_is_heard (void **state)
{
    (void) state;
    bind_raw ("inproc://topics");
    static const char *const TOPICS [] = {"instance.", "labs.", NULL};
    subscribe (BUS_CONNECT, "inproc://topics", TOPICS, 100);
    await_subscription ("instance.");
    await_subscription ("labs.");

    send_frames (2, "system.observed|r|w");
    send_frames (2, "instance");
    send_frames (2, "labs.observed|r|w");
    loop_turn (loop, 0);

    assert_int_equal (heard.count, 1);
    assert_string_equal (heard.topic, "labs.observed|r|w");
}

//  --- a connection that is given up

static void
bind_raw_to_a_port (char endpoint [64])
{
    bind_raw (ANY_PORT);
    _cleanup_ (string_destroy) char *bound = zsock_last_endpoint (raw);
    snprintf (endpoint, 64, "%s", bound);
}

//  libzmq aborts the process when it is not so.
static void
message_that_was_begun_is_taken_whole_before_its_connection_is_given_up (void **state)
{
    (void) state;
    char endpoint [64];
    bind_raw_to_a_port (endpoint);
    zsock_t *out = bus_socket (ZMQ_SUB, BUS_CONNECT, endpoint, 10, 0, NULL);
    zsock_set_subscribe (out, "");
    await_subscription ("");
    send_frames (2, "old");
    zmq_pollitem_t has_input = {.socket = zsock_resolve (out), .events = ZMQ_POLLIN};
    assert_int_equal (zmq_poll (&has_input, 1, PATIENCE_US / MS_US), 1);  //  takes the first frame

    bus_socket_reconnect (out, endpoint);
    zsock_set_rcvtimeo (out, 10);
    _cleanup_ (zmsg_destroy) zmsg_t *msg = NULL;
    time_us_t end = clock_now ().steady + PATIENCE_US;
    while (!(msg = zmsg_recv (out)) && clock_now ().steady < end) {
        send_frames (2, "new");
    }

    assert_non_null (msg);
    assert_int_equal (zmsg_size (msg), 2);
    assert_true (zframe_streq (zmsg_first (msg), "new"));
    zsock_destroy (&out);
}

//  Nothing was read for a while, but it is this process that stood still.
static void
connection_is_kept_while_a_message_waits_on_it (void **state)
{
    (void) state;
    bind_raw ("inproc://waits");
    subscribe (BUS_CONNECT, "inproc://waits", EVERYTHING, 10);
    await_subscription ("");
    send_frames (2, "x");

    assert_false (bus_subscriber_reconnect (in));
    loop_turn (loop, 0);
    assert_int_equal (heard.count, 1);
    assert_true (bus_subscriber_reconnect (in));
}

//  --- addresses

static void
address_in_use_is_told_with_the_address (void **state)
{
    (void) state;
    subscribe (BUS_BIND, ANY_PORT, EVERYTHING, 10);
    const char *endpoint = bus_subscriber_endpoint (in);
    reason_t why = {0};

    assert_memory_equal (endpoint, ANY_PORT, strlen (ANY_PORT) - 1);
    assert_true (isdigit ((unsigned char) endpoint [strlen (ANY_PORT) - 1]));
    assert_null (bus_subscriber_new (loop, BUS_BIND, endpoint, EVERYTHING, 10, NULL, NULL,
                                     on_message, &heard, metrics, &why));
    assert_non_null (strstr (why.text, endpoint));
    assert_non_null (strstr (why.text, "in use"));
}

static void
what_is_no_address_is_refused_with_a_reason (void **state)
{
    (void) state;
    static const char *const WRONG [] = {"",
                                         "127.0.0.1:5571",
                                         "tcp://",
                                         "tcp://127.0.0.1",
                                         "tcp://127.0.0.1:99999",
                                         "carrier://pigeon"};

    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        reason_t why = {0};
        const bus_publisher_settings_t settings = {
            .endpoint = WRONG [i], .source = "/c/e/h", .heartbeat_ms = 1000, .ring_max = 1};
        assert_null (bus_publisher_new (loop, &settings, metrics, &why));
        assert_true (why.text [0]);
        why.text [0] = '\0';
        assert_null (bus_subscriber_new (loop, BUS_BIND, WRONG [i], EVERYTHING, 10, NULL, NULL,
                                         on_message, &heard, metrics, &why));
        assert_true (why.text [0]);
    }
    loop_turn (loop, 0);
}

static void
frame_that_is_far_too_large_is_not_held (void **state)
{
    (void) state;
    zsock_t *place = bus_socket (ZMQ_ROUTER, BUS_BIND, ANY_PORT, 10, 0, NULL);
    _cleanup_ (string_destroy) char *endpoint = zsock_last_endpoint (place);
    zsock_t *talker = bus_socket (ZMQ_DEALER, BUS_CONNECT, endpoint, 10, 0, NULL);
    zframe_t *large = zframe_new (NULL, BUS_FRAME_MOST + 1), *fits = zframe_new ("fits", 4);
    zmsg_t *heard_first = NULL;

    memset (zframe_data (large), 'x', zframe_size (large));
    assert_int_equal (zframe_send (&large, talker, 0), 0);
    zsock_set_rcvtimeo (place, 100);
    for (int tries = 0; !heard_first && tries < 300; tries++) {
        (void) zframe_send (&fits, talker, ZFRAME_REUSE | ZFRAME_DONTWAIT);
        heard_first = zmsg_recv (place);
    }

    assert_non_null (heard_first);
    assert_int_equal (zframe_size (zmsg_last (heard_first)), 4);
    zmsg_destroy (&heard_first);
    zframe_destroy (&fits);
    zsock_destroy (&talker);
    zsock_destroy (&place);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (turn_takes_a_batch_and_the_next_turn_the_rest),
        TEST (message_of_more_than_two_frames_is_counted_and_dropped),
        TEST (only_what_was_subscribed_to_is_heard),
        TEST (message_that_was_begun_is_taken_whole_before_its_connection_is_given_up),
        TEST (connection_is_kept_while_a_message_waits_on_it),
        TEST (address_in_use_is_told_with_the_address),
        TEST (what_is_no_address_is_refused_with_a_reason),
        cmocka_unit_test (frame_that_is_far_too_large_is_not_held),
    };
    log_open ("test", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    return cmocka_run_group_tests (tests, NULL, NULL);
}

#include "bus_rig.h"

#define HOUR_MS ((int64_t) 3600 * 1000)

static void
observation_arrives_with_topic_number_epoch_and_source (void **state)
{
    (void) state;
    bus_publisher_t *out = open_both (HOUR_MS, 16, 1000);
    meet (out);
    uint64_t before = bus_publisher_sequence (out);

    assert_int_equal (say (out, "worker \"1\""), 0);
    hear (before + 1);

    assert_int_equal (bus_publisher_sequence (out), before + 1);
    assert_int_equal (heard.frames, 2);
    assert_string_equal (heard.topic, "instance.observed|us-east-1|i-0abc");
    assert_string_equal (heard.subject, "us-east-1/i-0abc");
    assert_string_equal (heard.source, "/collector/ec2/host-1");
    assert_string_equal (heard.epoch, bus_publisher_epoch (out));
    assert_string_equal (heard.name, "worker \"1\"");
    assert_float_equal (counted ("cmlwatch_bus_received_total"), heard.count, 0);
}

static void
numbers_go_up_by_one_without_a_gap (void **state)
{
    (void) state;
    bus_publisher_t *out = open_both (HOUR_MS, 16, 2000);
    meet (out);
    int before = heard.count;

    for (int i = 0; i < 1000; i++) {
        assert_int_equal (say (out, "x"), 0);
    }
    hear (bus_publisher_sequence (out));

    assert_int_equal (heard.count, before + 1000);
    for (int i = before; i < heard.count; i++) {
        assert_int_equal (heard.numbers [i], heard.numbers [i - 1] + 1);
    }
}

static void
each_start_has_an_epoch_of_its_own (void **state)
{
    (void) state;
    bus_publisher_t *one = publisher ("tcp://127.0.0.1:9", HOUR_MS, 1, 10);
    bus_publisher_t *two = publisher ("tcp://127.0.0.1:9", HOUR_MS, 1, 10);

    assert_string_not_equal (bus_publisher_epoch (one), bus_publisher_epoch (two));
    assert_int_equal (strspn (bus_publisher_epoch (one), "0123456789abcdef"), 8);
    assert_int_equal (strlen (bus_publisher_epoch (one)), 8);
    assert_int_equal (bus_publisher_sequence (one), 0);
}

static void
time_is_the_callers_or_else_now (void **state)
{
    (void) state;
    bus_publisher_t *out = open_both (HOUR_MS, 16, 1000);
    observation_t observation;
    meet (out);
    assert_true (heard.time > loop_now (loop).wall - PATIENCE_US);

    observation_init (&observation, EVENT_INSTANCE_GONE);
    observation.envelope.time = 42 * SECOND_US;
    assert_int_equal (bus_publish (out, &observation, "r/i"), 0);
    hear (bus_publisher_sequence (out));

    assert_true (heard.time == 42 * SECOND_US);
}

static void
heartbeats_tell_the_last_number_before_them (void **state)
{
    (void) state;
    open_both (5, 16, 1000);
    time_us_t end = clock_now ().steady + PATIENCE_US;

    while (heard.count < 4) {
        turn (end);
        if (heard.count > 0) {
            assert_int_equal (heard.last_sequence + 1, heard.numbers [heard.count - 1]);
            assert_int_equal (heard.interval_ms, 5);
            assert_string_equal (heard.topic, "collector.heartbeat||");
        }
    }
}

static void
observation_over_the_bound_is_not_sent_and_takes_no_number (void **state)
{
    (void) state;
    bus_publisher_t *out = open_both (HOUR_MS, 16, 1000);
    static char huge [OBSERVATION_BYTES_MAX + 1];
    memset (huge, 'x', sizeof huge - 1);
    meet (out);
    uint64_t before = bus_publisher_sequence (out);

    assert_int_equal (say_tag (out, huge), -E2BIG);
    assert_int_equal (bus_publisher_sequence (out), before);
    huge [OBSERVATION_BYTES_MAX - 1000] = '\0';
    assert_int_equal (say_tag (out, huge), 0);
    assert_int_equal (say (out, "small"), 0);
    hear (before + 2);

    assert_string_equal (heard.name, "small");
    assert_float_equal (counted ("cmlwatch_bus_oversized_total"), 1, 0);
}

static void
ring_gives_the_last_messages_again_and_no_others (void **state)
{
    (void) state;
    bus_publisher_t *out = open_both (HOUR_MS, 4, 1000);
    meet (out);
    for (int i = 0; i < 10; i++) {
        say (out, "again");
    }
    uint64_t last = bus_publisher_sequence (out);
    hear (last);
    int before = heard.count;

    assert_int_equal (bus_publisher_resend (out, 0, UINT64_MAX), 4);
    assert_int_equal (bus_publisher_resend (out, last - 1, last - 1), 1);
    assert_int_equal (bus_publisher_resend (out, last - 4, last - 4), 0);
    assert_int_equal (bus_publisher_resend (out, last + 1, last + 5), 0);
    assert_int_equal (bus_publisher_resend (out, last, last - 1), 0);
    assert_int_equal (say (out, "end"), 0);
    hear (last + 1);

    static const int BACK [] = {3, 2, 1, 0, 1};
    assert_int_equal (heard.count, before + 6);
    for (int i = 0; i < 5; i++) {
        assert_int_equal (heard.numbers [before + i], last - (uint64_t) BACK [i]);
    }
}

static void
ring_that_is_not_full_gives_only_what_was_said (void **state)
{
    (void) state;
    bus_publisher_t *out = open_both (HOUR_MS, 4096, 1000);

    assert_int_equal (bus_publisher_resend (out, 0, 10), 0);
    assert_int_equal (bus_publisher_resend (out, 0, UINT64_MAX), 0);
    meet (out);
    assert_int_equal (bus_publisher_resend (out, 0, UINT64_MAX), bus_publisher_sequence (out));
}

//  PUB has nobody to keep it for before the subscription came; numbers and the ring mend that.
static void
what_was_said_before_the_subscriber_came_is_a_gap_that_a_resend_closes (void **state)
{
    (void) state;
    zsock_t *place = bus_socket (ZMQ_SUB, BUS_BIND, ANY_PORT, 10, 0, NULL);
    _cleanup_ (string_destroy) char *endpoint = zsock_last_endpoint (place);
    zsock_destroy (&place);
    bus_publisher_t *out = publisher (endpoint, HOUR_MS, 4096, 1000);
    assert_int_equal (say (out, "first"), 0);
    assert_int_equal (say (out, "second"), 0);
    time_us_t end = clock_now ().steady + PATIENCE_US;
    while (!in) {  //  the old socket is closed by another thread
        turn (end);
        in = bus_subscriber_new (loop, BUS_BIND, endpoint, EVERYTHING, 1000, NULL, NULL, on_message,
                                 &heard, metrics, NULL);
    }

    meet (out);
    uint64_t first = heard.numbers [0];
    assert_true (first > 2);
    int before = heard.count;
    assert_int_equal (bus_publisher_resend (out, 1, first - 1), first - 1);
    end = clock_now ().steady + PATIENCE_US;
    while (heard.count < before + (int) first - 1) {
        turn (end);
    }

    assert_int_equal (heard.numbers [before], 1);
    assert_int_equal (heard.numbers [heard.count - 1], first - 1);
}

static void
full_queue_refuses_counts_and_takes_the_number (void **state)
{
    (void) state;
    bus_publisher_t *out = open_both (HOUR_MS, 4096, 2);
    static char large [100 * 1024];
    memset (large, 'x', sizeof large - 1);
    meet (out);
    int rc = 0;

    for (int i = 0; i < 2000 && rc == 0; i++) {  //  nobody reads: the loop does not turn
        rc = say (out, large);
    }
    uint64_t refused = bus_publisher_sequence (out);
    assert_int_equal (rc, -EAGAIN);
    assert_float_equal (counted ("cmlwatch_bus_send_refused_total"), 1, 0);
    hear (refused - 1);
    time_us_t end = clock_now ().steady + PATIENCE_US;
    while (say (out, "after") != 0) {
        turn (end);
    }
    hear (bus_publisher_sequence (out));

    assert_int_equal (heard.numbers [heard.count - 2], refused - 1);  //  the gap is seen
    assert_int_equal (bus_publisher_resend (out, refused, refused), 1);
    int before = heard.count;
    while (heard.count == before) {
        turn (end);
    }
    assert_int_equal (heard.numbers [before], refused);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (observation_arrives_with_topic_number_epoch_and_source),
        TEST (numbers_go_up_by_one_without_a_gap),
        TEST (each_start_has_an_epoch_of_its_own),
        TEST (time_is_the_callers_or_else_now),
        TEST (heartbeats_tell_the_last_number_before_them),
        TEST (observation_over_the_bound_is_not_sent_and_takes_no_number),
        TEST (ring_gives_the_last_messages_again_and_no_others),
        TEST (ring_that_is_not_full_gives_only_what_was_said),
        TEST (what_was_said_before_the_subscriber_came_is_a_gap_that_a_resend_closes),
        TEST (full_queue_refuses_counts_and_takes_the_number),
    };
    log_open ("test", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    return cmocka_run_group_tests (tests, NULL, NULL);
}

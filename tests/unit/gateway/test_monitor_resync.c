//  What a monitor asks to hear again: how far it is answered, and how much of it waits to be taken.

#include "monitor_rig.h"

//  Of the one client there is.
static int
queued_bytes (void)
{
    _cleanup_ (buffer_clear) buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    hub_write_clients (rig.hub, NULL, &json);
    const char *queued = strstr (out.data, "\"queued_bytes\":");
    assert_non_null (queued);
    return atoi (queued + strlen ("\"queued_bytes\":"));
}

static void
answers_that_nobody_takes_are_bounded (void **state)
{
    (void) state;
    for (int i = 0; i < 10; i++) {
        say (EVENT_WORKER_SNAPSHOT, WORKER_A, "large", 6000);
    }
    peer_t *peer = open_monitor ();
    for (int i = 0; i < 40; i++) {
        tell (peer, "{\"type\":\"resync_request\",\"last_event_id\":\"" EPOCH "-0\"}");
        turn ();
    }

    //  An answer has 60 KB: those of one piece at most, of 40.
    assert_in_range (queued_bytes (), 65536, 65536 + 10 * 65000);

    assert_true (times (heard (peer), "resync_data") > 0);
    while (times (heard (peer), "resync_data") > 0) {
    }
    tell (peer, HEARTBEAT);
    assert_int_equal (times (heard (peer), "heartbeat_ack"), 1);
}

static int
setup_with_long_answers (void **state)
{
    static hub_settings_t settings;

    (void) state;
    settings = MONITOR_SETTINGS;
    settings.resync_max = 100000;
    rig_start (&settings);
    return 0;
}

static void
answers_to_what_was_asked_in_one_breath_are_bounded_together (void **state)
{
    (void) state;
    for (int i = 0; i < 300; i++) {
        say (EVENT_WORKER_SNAPSHOT, WORKER_A, "large", 6000);
    }
    peer_t *peer = open_monitor ();
    for (int i = 0; i < 6; i++) {
        tell (peer, "{\"type\":\"resync_request\",\"last_event_id\":\"" EPOCH "-0\"}");
    }
    turn ();

    assert_in_range (queued_bytes (), 512 * 1024, 1200000);
    assert_true (has_in_order (
        heard (peer), IN_ORDER ("\"more\":true", "\"events\":[],", "\"more\":true", EPOCH "-0\"")));
}

static void
resync_that_finds_little_says_how_far_it_looked (void **state)
{
    (void) state;
    for (int i = 0; i < 500; i++) {
        say (EVENT_WORKER_SNAPSHOT, i == 300 ? WORKER_A : WORKER_B, "x", 0);
    }
    peer_t *peer = open_monitor ();

    tell (peer, "{\"type\":\"resync_request\",\"last_event_id\":\"" EPOCH
                "-0\",\"filters\":{\"worker_ids\":[\"" WORKER_A "\"]}}");
    assert_true (
        has_in_order (heard (peer), IN_ORDER ("\"events\":[],", "\"more\":true", EPOCH "-160\"")));
    tell (peer, "{\"type\":\"resync_request\",\"last_event_id\":\"" EPOCH
                "-160\",\"filters\":{\"worker_ids\":[\"" WORKER_A "\"]}}");
    assert_true (has_in_order (heard (peer), IN_ORDER (SEQ ("301"), "\"more\":true", "-320\"")));
}

static void
resync_is_bounded_and_goes_on (void **state)
{
    (void) state;
    for (int i = 0; i < 25; i++) {
        say (EVENT_WORKER_SNAPSHOT, i % 2 ? WORKER_A : WORKER_B, "x", 0);
    }
    peer_t *peer = open_monitor ();

    tell (peer, "{\"type\":\"resync_request\",\"monitor_id\":\"m\",\"last_event_id\":\"" EPOCH
                "-3\",\"topics\":[\"workers\"]}");
    const char *text = heard (peer);
    assert_int_equal (times (text, "\"type\":\"worker_snapshot\""), 10);
    assert_true (has_in_order (
        text, IN_ORDER ("{\"type\":\"resync_data\",\"monitor_id\":\"m\",\"events\":[{", SEQ ("4"),
                        SEQ ("13"),
                        "],\"truncated\":false,\"more\":true,\"last_event_id\":\"" EPOCH "-13\"")));

    tell (peer, "{\"type\":\"resync_request\",\"last_event_id\":\"deadbeef-3\","
                "\"filters\":{\"worker_ids\":[\"" WORKER_A "\"]}}");
    text = heard (peer);
    assert_int_equal (times (text, "\"type\":\"worker_snapshot\""), 10);
    assert_int_equal (times (text, "\"worker_id\":\"" WORKER_B "\""), 0);
    assert_int_equal (times (text, "\"truncated\":true"), 1);

    tell (peer, "{\"type\":\"resync_request\",\"last_event_id\":\"" EPOCH "-99\"}");
    assert_int_equal (times (heard (peer), "\"code\":\"invalid\""), 1);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (answers_that_nobody_takes_are_bounded),
        cmocka_unit_test_setup_teardown (
            answers_to_what_was_asked_in_one_breath_are_bounded_together, setup_with_long_answers,
            rig_teardown),
        TEST (resync_that_finds_little_says_how_far_it_looked),
        TEST (resync_is_bounded_and_goes_on),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

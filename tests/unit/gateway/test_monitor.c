//  One monitor, from its first word to its last.

#include "monitor_rig.h"

#include <poll.h>

#define CONNECT         "{\"type\":\"monitor_connect\",\"monitor_id\":\"m\",\"request_full_state\":true}"
#define SUBSCRIBE(what) "{\"type\":\"subscribe\",\"monitor_id\":\"m\",\"topics\":[" what "]}"

static void
nothing_is_said_to_one_that_asked_for_nothing (void **state)
{
    (void) state;
    peer_t *peer = open_monitor ();
    for (int i = 0; i < 5; i++) {
        say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    }
    turn ();

    assert_string_equal (heard (peer), "");
    assert_false (peer->ended);
}

static void
connect_gives_the_state_and_nothing_else (void **state)
{
    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    say (EVENT_WORKER_SNAPSHOT, WORKER_B, "two", 0);
    peer_t *peer = open_monitor ();

    tell (peer, CONNECT);
    const char *text = heard (peer);

    assert_true (has_in_order (
        text,
        IN_ORDER ("{\"type\":\"full_state_snapshot\",\"data\":{\"workers\":{\"" WORKER_A "\":{",
                  "\"mark\":\"one\"", "\"" WORKER_B "\":{", "\"mark\":\"two\"",
                  "\"jobs\":{\"pending\":[", "\"system_stats\":{}",
                  "\"last_event_id\":\"" EPOCH "-2\"", "},\"timestamp\":")));
    assert_int_equal (times (text, "\n"), 1);
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "three", 0);
    turn ();
    assert_string_equal (heard (peer), "");
}

static void
what_comes_between_the_state_and_the_subscription_comes_once (void **state)
{
    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    peer_t *peer = open_monitor ();
    tell (peer, CONNECT);
    assert_int_equal (times (heard (peer), "full_state_snapshot"), 1);
    for (int i = 0; i < 20; i++) {
        say (EVENT_WORKER_METRICS_UPDATED, WORKER_A, "more", 10);
        turn ();
    }

    tell (peer, SUBSCRIBE ("\"workers\""));
    const char *text = heard (peer);

    assert_int_equal (times (text, "\"type\":\"worker_metrics_updated\""), 20);
    assert_true (has_in_order (text, IN_ORDER (SEQ ("2"), SEQ ("3"), SEQ ("20"), SEQ ("21"))));
    say (EVENT_WORKER_METRICS_UPDATED, WORKER_A, "live", 0);
    turn ();
    text = heard (peer);
    assert_int_equal (times (text, "\n"), 1);
    assert_int_equal (times (text, SEQ ("22")), 1);
}

static void
all_is_said_at_once_without_waiting_for_answers (void **state)
{
    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    peer_t *peer = open_monitor ();

    tell (peer, CONNECT);
    tell (peer, SUBSCRIBE ("\"workers\""));
    tell (peer, HEARTBEAT);
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "two", 0);
    const char *text = heard (peer);

    assert_int_equal (times (text, "full_state_snapshot"), 1);
    assert_int_equal (times (text, "heartbeat_ack"), 1);
    //  Event 2 is in the state or behind it, and not in both.
    assert_int_equal (
        times (text, "\"last_event_id\":\"" EPOCH "-2\",\"digest\"") + times (text, SEQ ("2")), 1);
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "three", 0);
    turn ();
    assert_int_equal (times (heard (peer), SEQ ("3")), 1);
}

static void
one_that_only_subscribes_begins_now (void **state)
{
    (void) state;
    peer_t *peer = open_monitor ();
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "before", 0);
    turn ();

    tell (peer, SUBSCRIBE ("\"workers\""));
    assert_string_equal (heard (peer), "");
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "after", 0);
    turn ();

    assert_int_equal (times (heard (peer), "\n"), 1);
}

static void
topics_may_change_and_nothing_is_missed_or_doubled (void **state)
{
    (void) state;
    peer_t *peer = open_monitor ();
    tell (peer, SUBSCRIBE ("\"workers\""));
    assert_string_equal (heard (peer), "");
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    say (EVENT_SYSTEM_STATS, "", "two", 0);
    assert_int_equal (times (heard (peer), "worker_snapshot"), 1);

    tell (peer, SUBSCRIBE ("\"system_stats\",\"workers\""));
    assert_string_equal (heard (peer), "");
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "three", 0);
    say (EVENT_SYSTEM_STATS, "", "four", 0);
    turn ();

    const char *text = heard (peer);
    assert_int_equal (times (text, "\n"), 2);
    assert_true (has_in_order (text, IN_ORDER (SEQ ("3"), "system_stats", SEQ ("4"))));
    tell (peer, SUBSCRIBE (""));
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "five", 0);
    assert_string_equal (heard (peer), "");
}

static void
monitor_that_comes_back_gets_exactly_what_it_missed (void **state)
{
    (void) state;
    for (int i = 0; i < 30; i++) {
        say (EVENT_WORKER_SNAPSHOT, WORKER_A, "again", 0);
    }
    peer_t *peer = open_monitor ();

    tell (peer, "{\"type\":\"monitor_connect\",\"last_event_id\":\"" EPOCH "-12\"}");
    assert_string_equal (heard (peer), "");
    tell (peer, SUBSCRIBE ("\"workers\""));

    const char *text = heard (peer);
    assert_int_equal (times (text, "\n"), 18);
    assert_true (has_in_order (text, IN_ORDER (SEQ ("13"), SEQ ("14"), SEQ ("29"), SEQ ("30"))));
}

static void
id_that_cannot_be_served_is_told_before_the_state (void **state)
{
    static const char *const IDS [] = {"deadbeef-1", EPOCH "-99"};
    char text [200];

    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    for (size_t i = 0; i < COUNT (IDS); i++) {
        peer_t *peer = open_monitor ();
        snprintf (text, sizeof text, "{\"type\":\"monitor_connect\",\"last_event_id\":\"%s\"}",
                  IDS [i]);
        tell (peer, text);
        assert_true (has_in_order (heard (peer), IN_ORDER ("\"type\":\"system_reset\"", IDS [i],
                                                           "\"type\":\"full_state_snapshot\"")));
    }
}

static void
heartbeat_is_answered_with_where_it_is (void **state)
{
    (void) state;
    peer_t *peer = open_monitor ();
    tell (peer, SUBSCRIBE ("\"jobs\""));
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    turn ();

    tell (peer, HEARTBEAT);

    assert_true (has_in_order (heard (peer),
                               IN_ORDER ("{\"type\":\"heartbeat_ack\",\"monitor_id\":\"m\",",
                                         "\"last_event_id\":\"" EPOCH "-1\",\"events_missed\":0",
                                         "\"server_timestamp\":")));
}

static void
mistakes_are_answered_and_too_many_end_it (void **state)
{
    (void) state;
    peer_t *peer = open_monitor ();

    tell (peer, "nonsense");
    tell (peer, SUBSCRIBE ("\"cakes\""));
    tell (peer, "{\"type\":\"dance\"}");
    const char *text = heard (peer);
    assert_true (
        has_in_order (text, IN_ORDER ("{\"type\":\"error\",\"code\":\"malformed\"",
                                      "\"code\":\"invalid\"", "cakes", "\"request\":\"subscribe\"",
                                      "\"code\":\"unknown_type\"", "dance")));
    assert_int_equal (times (text, "\n"), 3);

    tell (peer, "one more");
    tell (peer, HEARTBEAT);
    text = heard (peer);
    assert_true (has_in_order (text, IN_ORDER ("\"code\":\"malformed\"", "<close 1008>")));
    assert_int_equal (times (text, "heartbeat_ack"), 0);
    assert_true (peer->ended);  //  our half; the rest when it has said its own close
    put_frame (peer, FIN | CLOSE, true, "\x03\xf0", 2);
    descriptor_close (&peer->fd);
    turn ();
    assert_int_equal (hub_size (rig.hub), 0);
}

static void
frames_that_are_none_end_it (void **state)
{
    (void) state;
    peer_t *peer = open_monitor ();
    tell (peer, SUBSCRIBE ("\"workers\""));
    put_frame (peer, FIN | TEXT, false, HEARTBEAT, strlen (HEARTBEAT));
    turn ();
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "behind the close", 0);

    assert_string_equal (heard (peer), "<close 1002>\n");
    descriptor_close (&peer->fd);
    turn ();
    assert_int_equal (hub_size (rig.hub), 0);
    assert_true (value_of ("cmlwatch_gateway_closed_total{reason=\"protocol\"}") == 1);
}

static void
what_comes_before_the_handshake_is_answered_is_a_mistake (void **state)
{
    (void) state;
    assert_string_equal (heard (open_monitor_ahead (6)), "<close 1002>\n");
}

static void
its_own_close_is_answered_and_ends_it (void **state)
{
    (void) state;
    peer_t *peer = open_monitor ();
    put_frame (peer, FIN | CLOSE, true, "\x03\xe8", 2);

    assert_string_equal (heard (peer), "<close 1000>\n");
    assert_true (peer->ended);
    descriptor_close (&peer->fd);
    turn ();
    assert_int_equal (hub_size (rig.hub), 0);
    assert_true (value_of ("cmlwatch_gateway_closed_total{reason=\"closed\"}") == 1);
}

static void
messages_beyond_those_of_a_second_wait (void **state)
{
    (void) state;
    peer_t *peer = open_monitor ();
    for (int i = 0; i < 120; i++) {
        tell (peer, HEARTBEAT);
    }

    size_t count = times (heard (peer), "heartbeat_ack");

    //  What was handed on in the same piece is still taken.
    assert_in_range (count, 50, 60);
    assert_true (value_of ("cmlwatch_gateway_monitor_paused_total") == 1);
    assert_int_equal (hub_size (rig.hub), 1);
}

static void
new_epoch_gives_joined_ones_the_state_anew (void **state)
{
    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    peer_t *joined = open_monitor (), *silent = open_monitor ();
    tell (joined, CONNECT);
    tell (joined, SUBSCRIBE ("\"workers\""));
    (void) heard (joined);

    event_log_reset (rig.log, "feedface", 7);
    turn ();

    assert_true (
        has_in_order (heard (joined), IN_ORDER ("\"type\":\"system_reset\"", "full_state_snapshot",
                                                "\"last_event_id\":\"feedface-7\"")));
    assert_string_equal (heard (silent), "");
}

static void
one_that_is_too_far_behind_gets_the_state_anew (void **state)
{
    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    peer_t *peer = open_monitor ();
    tell (peer, CONNECT);
    (void) heard (peer);
    for (int i = 0; i < 5000; i++) {  //  the log holds 4,096
        say (EVENT_WORKER_METRICS_UPDATED, WORKER_A, "x", 0);
    }

    tell (peer, SUBSCRIBE ("\"workers\""));
    assert_true (
        has_in_order (heard (peer), IN_ORDER ("\"reason\":\"too old\"", "full_state_snapshot",
                                              "\"last_event_id\":\"" EPOCH "-5001\"")));
    tell (peer, HEARTBEAT);
    assert_int_equal (times (heard (peer), "\"events_missed\":904"), 1);
    tell (peer, HEARTBEAT);
    assert_int_equal (times (heard (peer), "\"events_missed\":0"), 1);
}

static void
monitors_that_come_together_share_one_state (void **state)
{
    peer_t *peers [8];

    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 500000);
    for (size_t i = 0; i < COUNT (peers); i++) {
        peers [i] = open_monitor ();
        tell (peers [i], CONNECT);
        turn ();  //  more than the sockets take: the state is held by all of them
    }
    for (size_t i = 0; i < COUNT (peers); i++) {
        assert_int_equal (times (heard (peers [i]), "\"type\":\"full_state_snapshot\""), 1);
    }
    assert_true (value_of ("cmlwatch_gateway_states_total") == 8);
}

static void
end_of_the_gateway_is_told_with_1001 (void **state)
{
    (void) state;
    peer_t *peer = open_monitor ();
    tell (peer, SUBSCRIBE ("\"workers\""));
    turn ();
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "last", 0);

    loop_drain (rig.loop);
    turn ();

    assert_true (has_in_order (heard (peer), IN_ORDER (SEQ ("1"), "<close 1001>")));
}

static bool
holds_not (void *argument, const identity_t *identity)
{
    (void) argument, (void) identity;
    return false;
}

static void
end_of_a_login_is_told_with_1008 (void **state)
{
    (void) state;
    peer_t *peer = open_monitor ();

    hub_end_unless (rig.hub, holds_not, NULL, "the login was taken back");

    assert_string_equal (heard (peer), "<close 1008>\n");
}

static int
impatient_setup (void **state)
{
    (void) state;
    hub_settings_t settings = MONITOR_SETTINGS;
    settings.stall_timeout_seconds = 1;
    rig_start (&settings);
    return 0;
}

static void
one_that_could_not_be_asked_is_asked_before_it_counts_as_gone (void **state)
{
    (void) state;
    peer_t *peer = open_monitor ();

    (void) sleep (3);  // lint:allow: no turn meanwhile, as when the machine stands still
    turn ();

    assert_string_equal (heard (peer), "<ping >\n");
    assert_false (peer->ended);
}

static void
streams_and_monitors_hear_the_same (void **state)
{
    (void) state;
    peer_t *stream = open_stream (NULL, NULL, NULL, false),
           *packed = open_stream (NULL, NULL, NULL, true);
    peer_t *peer = open_monitor ();
    tell (peer, SUBSCRIBE ("\"workers\""));
    turn ();
    forget (stream);
    forget (packed);
    (void) heard (peer);

    for (int i = 0; i < 50; i++) {
        say (EVENT_WORKER_METRICS_UPDATED, WORKER_A, "x", 100);
        if (i % 7 == 0) {
            turn ();
        }
    }
    turn ();

    assert_numbers (hear (stream), 1, 50);
    assert_numbers (hear (packed), 1, 50);
    const char *text = heard (peer);
    assert_int_equal (times (text, "\"type\":\"worker_metrics_updated\""), 50);
    assert_int_equal (times (hear (stream), "worker_metrics"), 0);
}

static int
setup_with_one_state (void **state)
{
    static hub_settings_t settings;

    (void) state;
    settings = MONITOR_SETTINGS;
    settings.images_max = 1;
    rig_start (&settings);
    return 0;
}

static void
monitor_whose_state_has_no_room_holds_up_nobody_else (void **state)
{
    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "large", 1000000);
    peer_t *slow = open_monitor_of ("us-east-1", 0), *other = open_monitor_of ("eu-west-1", 0);

    tell (slow, CONNECT);
    turn ();
    turn ();
    tell (other, CONNECT);
    turn ();
    peer_t *stream = open_stream (NULL, NULL, NULL, false);

    assert_non_null (strstr (hear (stream), "event: system.state.end"));
    assert_int_equal (times (heard (other), "full_state_snapshot"), 0);
    assert_int_equal (times (heard (slow), "full_state_snapshot"), 1);
    bool told = false;
    for (int tries = 0; !told && tries < 300; tries++) {
        loop_turn (rig.loop, 100);
        told = times (heard (other), "full_state_snapshot") == 1;
    }
    assert_true (told);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (monitor_whose_state_has_no_room_holds_up_nobody_else,
                                         setup_with_one_state, rig_teardown),
        TEST (nothing_is_said_to_one_that_asked_for_nothing),
        TEST (connect_gives_the_state_and_nothing_else),
        TEST (what_comes_between_the_state_and_the_subscription_comes_once),
        TEST (all_is_said_at_once_without_waiting_for_answers),
        TEST (one_that_only_subscribes_begins_now),
        TEST (topics_may_change_and_nothing_is_missed_or_doubled),
        TEST (monitor_that_comes_back_gets_exactly_what_it_missed),
        TEST (id_that_cannot_be_served_is_told_before_the_state),
        TEST (heartbeat_is_answered_with_where_it_is),
        TEST (mistakes_are_answered_and_too_many_end_it),
        TEST (frames_that_are_none_end_it),
        TEST (what_comes_before_the_handshake_is_answered_is_a_mistake),
        TEST (its_own_close_is_answered_and_ends_it),
        TEST (messages_beyond_those_of_a_second_wait),
        TEST (new_epoch_gives_joined_ones_the_state_anew),
        TEST (one_that_is_too_far_behind_gets_the_state_anew),
        TEST (monitors_that_come_together_share_one_state),
        TEST (end_of_the_gateway_is_told_with_1001),
        TEST (end_of_a_login_is_told_with_1008),
        cmocka_unit_test_setup_teardown (
            one_that_could_not_be_asked_is_asked_before_it_counts_as_gone, impatient_setup,
            rig_teardown),
        TEST (streams_and_monitors_hear_the_same),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

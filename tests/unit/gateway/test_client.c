//  One client of the stream, from its first word to its last.

#include "stream_rig.h"

static void
stream_begins_with_its_pace_its_name_and_the_whole_state (void **state)
{
    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    say (EVENT_WORKER_SNAPSHOT, WORKER_B, "two", 0);

    const char *text = hear (open_stream (NULL, NULL, NULL, false));

    assert_true (has_in_order (
        text, IN_ORDER ("HTTP/1.1 200 OK\r\n", "Content-Type: text/event-stream\r\n",
                        "\r\n\r\nretry: ", "event: connected\n", "event: system.state.begin\n",
                        "\"mark\":\"one\"", "\"mark\":\"two\"",
                        "id: " EPOCH "-2\nevent: system.state.end\n")));
    assert_int_equal (times (text, "id: "), 1);  //  nothing is claimed before all of it is there
    assert_int_equal (times (text, "\"_reason\":\"initial\""), 2);
}

static void
what_comes_after_the_state_comes_once_and_in_order (void **state)
{
    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    peer_t *peer = open_stream (NULL, NULL, NULL, false);
    forget (peer);

    for (int i = 0; i < 20; i++) {
        say (EVENT_WORKER_METRICS_UPDATED, WORKER_A, "more", 10);
    }
    turn ();

    assert_numbers (hear (peer), 2, 21);
}

static void
client_that_comes_back_gets_exactly_what_it_missed (void **state)
{
    (void) state;
    for (int i = 0; i < 30; i++) {
        say (EVENT_WORKER_SNAPSHOT, WORKER_A, "again", 0);
    }

    const char *text = hear (open_stream (NULL, NULL, EPOCH "-12", false));

    assert_numbers (text, 13, 30);  //  and none is left out for a newer one
    assert_int_equal (times (text, "system."), 0);
}

static void
client_that_comes_back_to_where_all_are_gets_nothing_twice (void **state)
{
    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    peer_t *peer = open_stream (NULL, NULL, EPOCH "-1", false);

    assert_int_equal (times (hear (peer), "\nid: "), 0);
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "two", 0);
    turn ();

    assert_numbers (hear (peer), 2, 2);
}

static void
cursor_that_cannot_be_served_is_told_before_the_state (void **state)
{
    (void) state;
    static const char *const IDS [] = {"deadbeef-1", EPOCH "-99", "nonsense",
                                       "",           EPOCH "-",   "\"\n\ndata: forged\n\n"};
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);

    for (size_t i = 0; i < COUNT (IDS); i++) {
        const char *text = hear (open_stream (NULL, NULL, IDS [i], false));
        assert_true (
            has_in_order (text, IN_ORDER ("event: connected\n", "event: system.reset\n",
                                          "event: system.state.begin\n", "\"mark\":\"one\"",
                                          "event: system.state.end\n")));
        assert_int_equal (times (text, "\ndata: forged"), 0);
    }
}

static void
reader_that_stops_gets_the_rest_when_it_reads_on_and_stops_nobody (void **state)
{
    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    peer_t *slow = open_stream (NULL, NULL, NULL, false);
    peer_t *live = open_stream (NULL, NULL, NULL, false);
    forget (slow);
    forget (live);

    //  More than the socket takes, and less than makes a client slow.
    for (int i = 0; i < 400; i++) {
        say (EVENT_WORKER_LABS_UPDATED, WORKER_A, "large", 2000);
        turn ();
        (void) hear (live);
    }
    assert_numbers (live->text, 2, 401);
    assert_true (value_of ("cmlwatch_gateway_clients_behind") == 1);

    assert_numbers (hear (slow), 2, 401);
    assert_true (value_of ("cmlwatch_gateway_clients_behind") == 0);
}

static void
client_that_is_far_behind_gets_the_newest_snapshot_of_each_worker (void **state)
{
    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    peer_t *slow = open_stream (NULL, NULL, NULL, false);
    forget (slow);
    for (int i = 0; i < 2000; i++) {
        say (EVENT_WORKER_SNAPSHOT, i % 2 ? WORKER_A : WORKER_B, "between", 1500);
        turn ();
    }
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "last of a", 0);
    say (EVENT_WORKER_SNAPSHOT, WORKER_B, "last of b", 0);
    turn ();

    const char *text = hear (slow);

    assert_true (has_in_order (text, IN_ORDER ("last of a", "last of b")));
    assert_in_range (times (text, "between"), 0, 2 * 1900);  //  each says it twice
    assert_int_equal (times (text, "system.reset"), 0);
    assert_true (value_of ("cmlwatch_gateway_conflated_total") > 100);
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "live again", 0);
    turn ();
    assert_int_equal (times (hear (slow), "live again"), 2);
}

static void
client_that_goes_away_is_let_go_of (void **state)
{
    (void) state;
    peer_t *gone = open_stream (NULL, NULL, NULL, false),
           *stays = open_stream (NULL, NULL, NULL, false);
    forget (gone);
    assert_int_equal (hub_size (rig.hub), 2);

    descriptor_close (&gone->fd);
    turn ();

    assert_int_equal (hub_size (rig.hub), 1);
    assert_int_equal (gone->connection.resumed, 1);
    assert_int_equal (stays->connection.resumed, 0);
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "later", 0);
    turn ();
    assert_int_equal (times (hear (stays), "later"), 2);
}

static void
drain_says_farewell_behind_all_that_is_owed (void **state)
{
    (void) state;
    bool gzip = *(bool *) *state;
    rig_start (&SETTINGS);
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    peer_t *peer = open_stream (NULL, NULL, NULL, gzip);
    forget (peer);

    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "owed", 0);
    loop_drain (rig.loop);
    turn ();
    const char *text = hear (peer);

    assert_true (
        has_in_order (text, IN_ORDER ("\"mark\":\"owed\"", "event: system.sse.shutdown\n")));
    assert_true (has_in_order (strstr (text, "shutdown"), IN_ORDER ("\"retry_ms\":")));
    assert_int_equal (hub_size (rig.hub), 0);
    if (gzip) {
        assert_int_equal (peer->inflated, Z_STREAM_END);  //  the trailer's sums are right
    }
    rig_teardown (NULL);
}

static void
filter_of_an_open_stream_can_be_changed_and_what_is_new_to_it_is_told (void **state)
{
    (void) state;
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    say (EVENT_WORKER_SNAPSHOT, WORKER_B, "two", 0);
    peer_t *peer = open_stream ("worker_ids", WORKER_A, NULL, false);
    const char *id = strstr (hear (peer), "\"client_id\":\"") + strlen ("\"client_id\":\"");
    char client_id [17];
    snprintf (client_id, sizeof client_id, "%.16s", id);
    assert_int_equal (times (peer->text, "two"), 0);
    forget (peer);

    filter_t *filter = filter_copy (hub_filter (rig.hub, client_id));
    assert_int_equal (filter_set (filter, "worker_ids", WORKER_B, NULL), 0);
    assert_int_equal (hub_change (rig.hub, client_id, filter), 0);
    const char *text = hear (peer);

    assert_int_equal (times (text, "\"mark\":\"two\""), 1);
    assert_int_equal (times (text, "\"mark\":\"one\""), 0);  //  it had that
    assert_int_equal (hub_change (rig.hub, "0000000000000000", filter_new (4)), -2);  //  ENOENT
}

static void
list_of_clients_says_how_each_stands (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    _cleanup_ (json_destroy) struct json_object *list = NULL;
    json_writer_t json = json_writer (&out);
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "one", 0);
    (void) hear (open_stream ("regions", "us-east-1", NULL, true));

    hub_write_clients (rig.hub, NULL, &json);
    assert_int_equal (json_parse (&list, out.data, out.size, out.size, NULL), 0);
    struct json_object *client = json_object_array_get_idx (list, 0);
    bool compressed = false;

    assert_string_equal (json_get_text (client, "name"), "the test");
    assert_string_equal (json_get_text (client, "mode"), "live");
    assert_string_equal (json_get_text (client, "filter"), "regions=us-east-1");
    assert_string_equal (json_get_text (client, "last_event_id"), EPOCH "-1");
    assert_true (json_get_bool (client, "compressed", &compressed) && compressed);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown (test, rig_setup, rig_teardown)

int
main (void)
{
    static bool plain = false, gzip = true;
    const struct CMUnitTest tests [] = {
        WITH_RIG (stream_begins_with_its_pace_its_name_and_the_whole_state),
        WITH_RIG (what_comes_after_the_state_comes_once_and_in_order),
        WITH_RIG (client_that_comes_back_gets_exactly_what_it_missed),
        WITH_RIG (client_that_comes_back_to_where_all_are_gets_nothing_twice),
        WITH_RIG (cursor_that_cannot_be_served_is_told_before_the_state),
        WITH_RIG (reader_that_stops_gets_the_rest_when_it_reads_on_and_stops_nobody),
        WITH_RIG (client_that_is_far_behind_gets_the_newest_snapshot_of_each_worker),
        WITH_RIG (client_that_goes_away_is_let_go_of),
        WITH_RIG (filter_of_an_open_stream_can_be_changed_and_what_is_new_to_it_is_told),
        WITH_RIG (list_of_clients_says_how_each_stands),
        {"drain_says_farewell_behind_all_that_is_owed", drain_says_farewell_behind_all_that_is_owed,
         NULL, NULL, &plain},
        {"drain_of_a_compressed_stream_ends_it_whole", drain_says_farewell_behind_all_that_is_owed,
         NULL, NULL, &gzip}};

    return cmocka_run_group_tests (tests, NULL, NULL);
}

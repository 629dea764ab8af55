//  Clients that want the same, served as one: each gets all of it, and what one does is its own.

#include "stream_rig.h"

static void
clients_that_want_the_same_are_one_audience (void **state)
{
    (void) state;
    peer_t *same [] = {open_stream ("regions", "us-east-1", NULL, false),
                       open_stream ("regions", "us-east-1,us-east-1", NULL, false)};
    peer_t *packed = open_stream ("regions", "us-east-1", NULL, true);
    peer_t *other = open_stream ("regions", "eu-west-1", NULL, false);
    forget (other);

    assert_true (value_of ("cmlwatch_gateway_audiences") == 3);
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "east", 0);
    turn ();

    assert_int_equal (times (hear (same [0]), "\"mark\":\"east\""), 1);
    assert_string_equal (strstr (same [0]->text, "id: " EPOCH "-1\nevent: worker"),
                         strstr (hear (same [1]), "id: " EPOCH "-1\nevent: worker"));
    assert_string_equal (strstr (same [0]->text, "id: " EPOCH "-1\nevent: worker"),
                         strstr (hear (packed), "id: " EPOCH "-1\nevent: worker"));
    assert_int_equal (times (hear (other), "east"), 0);
}

static void
audience_that_nobody_is_a_member_of_goes (void **state)
{
    (void) state;
    peer_t *one = open_stream ("regions", "us-east-1", NULL, false);
    peer_t *two = open_stream ("regions", "us-east-1", NULL, false);
    forget (one);
    assert_true (value_of ("cmlwatch_gateway_audiences") == 1);

    descriptor_close (&one->fd);
    turn ();
    turn ();
    assert_true (value_of ("cmlwatch_gateway_audiences") == 1);
    descriptor_close (&two->fd);
    turn ();
    turn ();

    assert_true (value_of ("cmlwatch_gateway_audiences") == 0);
}

static void
what_comes_in_one_turn_is_one_block_for_all_members (void **state)
{
    (void) state;
    peer_t *peers [] = {open_stream (NULL, NULL, NULL, false),
                        open_stream (NULL, NULL, NULL, false)};
    forget (peers [0]);
    forget (peers [1]);
    double before = value_of ("cmlwatch_gateway_blocks_total");

    for (int i = 0; i < 50; i++) {
        say (EVENT_WORKER_LABS_UPDATED, WORKER_A, "burst", 20);
    }
    turn ();

    assert_true (value_of ("cmlwatch_gateway_blocks_total") == before + 1);
    assert_numbers (hear (peers [0]), 1, 50);
    assert_numbers (hear (peers [1]), 1, 50);
}

static void
member_that_is_full_leaves_the_others_and_comes_back_by_itself (void **state)
{
    (void) state;
    bool gzip = *(bool *) *state;
    rig_start (&SETTINGS);
    peer_t *full = open_stream (NULL, NULL, NULL, gzip),
           *live = open_stream (NULL, NULL, NULL, gzip);
    forget (full);
    forget (live);

    for (int i = 0; i < 300; i++) {
        say (EVENT_WORKER_LABS_UPDATED, i % 3 ? WORKER_A : WORKER_B, "large", 2500);
        turn ();
        (void) hear (live);
    }
    assert_numbers (live->text, 1, 300);
    assert_true (value_of ("cmlwatch_gateway_clients_behind") == 1);
    (void) hear (full);
    assert_true (value_of ("cmlwatch_gateway_clients_behind") == 0);
    for (int i = 0; i < 20; i++) {
        say (EVENT_WORKER_LABS_UPDATED, WORKER_A, "with the others again", 10);
        turn ();
    }

    assert_numbers (hear (full), 1, 320);
    assert_numbers (hear (live), 1, 320);
    rig_teardown (NULL);
}

static void
member_that_comes_late_reads_what_was_compressed_for_all (void **state)
{
    (void) state;
    peer_t *early = open_stream (NULL, NULL, NULL, true);
    forget (early);

    for (int i = 0; i < 10; i++) {
        say (EVENT_WORKER_SNAPSHOT, WORKER_A, "before", 300);
        turn ();
    }
    peer_t *late = open_stream (NULL, NULL, NULL, true),
           *back = open_stream (NULL, NULL, EPOCH "-5", true);
    for (int i = 0; i < 10; i++) {
        say (EVENT_WORKER_SNAPSHOT, WORKER_A, "after", 300);
        turn ();
    }

    assert_numbers (hear (early), 1, 20);
    const char *end =
        strstr (hear (late), "\nevent: system.state.end");  //  of a shared image, maybe
    assert_non_null (end);
    while (end [-1] >= '0' && end [-1] <= '9') {
        end--;
    }
    assert_numbers (strstr (end, "system.state.end"), strtoull (end, NULL, 10) + 1, 20);
    assert_numbers (hear (back), 6, 20);
}

static void
events_of_a_turn_reach_a_member_whose_state_begins_in_it_once (void **state)
{
    (void) state;
    peer_t *first = open_stream (NULL, NULL, NULL, false);
    forget (first);

    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "told", 0);
    peer_t *second = open_stream (NULL, NULL, NULL, false);  //  before the turn has ended
    say (EVENT_WORKER_SNAPSHOT, WORKER_B, "after", 0);
    turn ();

    assert_numbers (hear (first), 1, 2);
    assert_int_equal (times (hear (second), "\"mark\":\"told\""), 1);
    assert_int_equal (times (second->text, "\"mark\":\"after\""), 1);
}

static void
filter_that_lets_nothing_through_writes_nothing_until_a_beat (void **state)
{
    (void) state;
    peer_t *deaf = open_stream ("regions", "eu-west-1", NULL, false);
    forget (deaf);

    for (int i = 0; i < 100; i++) {
        say (EVENT_WORKER_SNAPSHOT, WORKER_A, "east", 0);
        turn ();
    }

    assert_string_equal (hear (deaf), "");
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown (test, rig_setup, rig_teardown)

int
main (void)
{
    static bool plain = false, gzip = true;
    const struct CMUnitTest tests [] = {
        WITH_RIG (clients_that_want_the_same_are_one_audience),
        WITH_RIG (audience_that_nobody_is_a_member_of_goes),
        WITH_RIG (what_comes_in_one_turn_is_one_block_for_all_members),
        WITH_RIG (member_that_comes_late_reads_what_was_compressed_for_all),
        WITH_RIG (events_of_a_turn_reach_a_member_whose_state_begins_in_it_once),
        WITH_RIG (filter_that_lets_nothing_through_writes_nothing_until_a_beat),
        {"member_that_is_full_leaves_the_others_and_comes_back_by_itself",
         member_that_is_full_leaves_the_others_and_comes_back_by_itself, NULL, NULL, &plain},
        {"compressed_member_that_is_full_comes_back_by_itself",
         member_that_is_full_leaves_the_others_and_comes_back_by_itself, NULL, NULL, &gzip}};

    return cmocka_run_group_tests (tests, NULL, NULL);
}

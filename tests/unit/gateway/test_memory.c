//  What is held for clients that take nothing, one and all together.

#include "stream_rig.h"

#define HELD        "cmlwatch_gateway_held_bytes"
#define ONE_CLIENTS 300000  //  a block, or a piece of a tick, in a buffer that doubles
#define ALL_OF_THEM 400000
#define PADDING     2000
#define DEADLINE_US (60 * SECOND_US)

static void
say_much (int events)
{
    for (int i = 0; i < events; i++) {
        say (EVENT_WORKER_METRICS_UPDATED, WORKER_A, "more", PADDING);
    }
    turn ();
}

//  Each is at a place of its own when its socket is full, so that each holds something else.
static void
let_them_stall (size_t count)
{
    for (size_t i = 0; i < count; i++) {
        forget (open_stream (NULL, NULL, NULL, false));
        say_much (25);
    }
}

//  Until something is held, or nothing is and those that have been kept open were read once more.
static void
await_held (bool any)
{
    time_us_t end = clock_now ().steady + DEADLINE_US;

    while ((value_of (HELD) > 0) != any) {
        assert_true (clock_now ().steady < end);
        loop_turn (rig.loop, 10);
        for (size_t i = 0; i < rig.count && !any; i++) {
            if (rig.peers [i].fd >= 0) {
                (void) hear (&rig.peers [i]);
            }
        }
    }
}

static int
setup_with_a_bound (void **state)
{
    hub_settings_t settings = SETTINGS;

    (void) state;
    settings.held_max_bytes = ALL_OF_THEM;
    rig_start (&settings);
    return 0;
}

static size_t
resumed_of (const peer_t *peers, size_t count)
{
    size_t resumed = 0;

    for (size_t i = 0; i < count; i++) {
        resumed += peers [i].connection.resumed;
    }
    return resumed;
}

static void
those_who_take_nothing_hold_no_more_than_the_bound_together (void **state)
{
    (void) state;
    peer_t *reader = open_stream (NULL, NULL, NULL, false);

    for (int i = 0; i < 14; i++) {
        forget (open_stream (NULL, NULL, NULL, false));
        say_much (25);
        (void) hear (reader);
        assert_true (value_of (HELD) <= ALL_OF_THEM);
    }
    for (int i = 0; i < 20; i++) {
        say_much (30);
        (void) hear (reader);
        assert_true (value_of (HELD) <= ALL_OF_THEM);
    }

    size_t closed = resumed_of (rig.peers, rig.count);
    assert_in_range (closed, 1, 13);  //  some, and not all
    assert_int_equal (value_of ("cmlwatch_gateway_closed_total{reason=\"memory\"}"), closed);
    assert_false (reader->ended);
    assert_numbers (reader->text, 1, rig.seq);  //  who reads loses nothing
}

static void
one_that_was_closed_for_memory_comes_back_to_where_it_was (void **state)
{
    (void) state;
    peer_t *peer = open_stream (NULL, NULL, NULL, false), *closed = NULL;
    forget (peer);
    let_them_stall (13);
    for (int i = 0; i < 20 && resumed_of (rig.peers, rig.count) == 0; i++) {
        say_much (30);
    }
    for (size_t i = 0; i < rig.count && !closed; i++) {
        closed = rig.peers [i].connection.resumed ? &rig.peers [i] : NULL;
    }
    assert_non_null (closed);
    shutdown (closed->connection.fd, SHUT_RDWR);  //  as libmicrohttpd does
    const char *text = hear (closed), *last = text, *at = text, *end = strrchr (text, '\n');
    while ((at = strstr (at, "\nid: " EPOCH "-")) && memchr (at + 1, '\n', (size_t) (end - at))) {
        last = at += strlen ("\nid: ");
    }
    uint64_t seq = strtoull (last + strlen (EPOCH "-"), NULL, 10);
    char id [40];
    snprintf (id, sizeof id, EPOCH "-%llu", (unsigned long long) seq);

    peer_t *again = open_stream (NULL, NULL, id, false);

    assert_numbers (hear (again), seq + 1, rig.seq);
    assert_int_equal (times (again->text, "system."), 0);
}

//  A tick tells the newest of each worker: with the whole fleet in it, it is as large as the fleet.
static void
tick_of_a_large_fleet_is_held_in_pieces (void **state)
{
    (void) state;
    peer_t *peer = open_stream ("max_hz", "1", NULL, false);
    forget (peer);

    for (int i = 0; i < 1000; i++) {
        char worker_id [40];
        snprintf (worker_id, sizeof worker_id, "aaaaaaaa-0000-5000-8000-%012d", i);
        say (EVENT_WORKER_SNAPSHOT, worker_id, "large", PADDING);
    }
    await_held (true);
    for (int i = 0; i < 20; i++) {
        turn ();
        assert_true (value_of (HELD) < ONE_CLIENTS);
    }

    while (times (hear (peer), "event: worker.snapshot") < 1000) {
    }
    assert_int_equal (times (peer->text, "event: worker.snapshot"), 1000);
    assert_true (strstr (peer->text, "id: " EPOCH "-1000\n\n"));
}

static void
nothing_is_held_for_those_who_have_all_or_are_gone (void **state)
{
    static const struct {
        const char *name, *value;
        bool gzip;
    } WISHES [] = {{NULL, NULL, false},
                   {"max_hz", "50", false},
                   {NULL, NULL, true},
                   {"batch_ms", "100", false},
                   {"max_hz", "50", true}};

    (void) state;
    for (size_t i = 0; i < 2 * COUNT (WISHES); i++) {
        (void) open_stream (WISHES [i / 2].name, WISHES [i / 2].value, NULL, WISHES [i / 2].gzip);
    }
    for (int i = 0; i < 20; i++) {
        say_much (30);
        say (EVENT_WORKER_SNAPSHOT, WORKER_B, "one", PADDING);
    }
    assert_true (value_of (HELD) > 0);

    for (size_t i = 0; i < rig.count; i++) {
        if (i % 2) {
            descriptor_close (&rig.peers [i].fd);
        }
    }
    for (size_t i = 0; i < rig.count; i += 2) {
        (void) hear (&rig.peers [i]);
    }
    await_held (false);

    assert_int_equal (value_of (HELD), 0);
}

#define WITH_RIG(test)   cmocka_unit_test_setup_teardown (test, rig_setup, rig_teardown)
#define WITH_BOUND(test) cmocka_unit_test_setup_teardown (test, setup_with_a_bound, rig_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        WITH_BOUND (those_who_take_nothing_hold_no_more_than_the_bound_together),
        WITH_BOUND (one_that_was_closed_for_memory_comes_back_to_where_it_was),
        WITH_RIG (tick_of_a_large_fleet_is_held_in_pieces),
        WITH_RIG (nothing_is_held_for_those_who_have_all_or_are_gone)};

    return cmocka_run_group_tests (tests, NULL, NULL);
}

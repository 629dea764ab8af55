#include "../../../gateway/audience.h"
#include "../../../gateway/sweep.h"

#include "gateway_rig.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMBERS   (SWEEP_SLICES_MAX * SWEEP_SLICE + 10)
#define WRITE_MAX 4096
#define EVENTS    30

//  A write is one message at the other end, so that a test sees what went out together.
typedef struct rig {
    fanout_t shared;
    audience_t *audience;
    loop_timer_t *somebody;  //  who wants the loop at once, so that a turn is one slice
    client_t *clients [MEMBERS];
    int ends [MEMBERS];
} rig_t;

static void
add_member (rig_t *rig, size_t i)
{
    client_t *client = calloc (1, sizeof *client);
    int pair [2];

    assert_int_equal (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    client->shared = &rig->shared;
    client->wire.fd = pair [0];
    client->mode = CLIENT_BEHIND;
    client->beat_second = audience_heartbeat_seconds (rig->audience);
    client->told = audience_cursor (rig->audience);
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        client->cursor [lane] = audience_cursor (rig->audience);
    }
    audience_admit (rig->audience, client);
    assert_true (audience_join (client));
    rig->clients [i] = client;
    rig->ends [i] = pair [1];
}

static void
nothing (void *argument)
{
    (void) argument;
}

static int
set_up (void **state)
{
    rig_t *rig = calloc (1, sizeof *rig);
    filter_t *filter = filter_new (8);
    struct rlimit files;
    reason_t why = {""};

    getrlimit (RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit (RLIMIT_NOFILE, &files);
    rig->shared = (fanout_t){.loop = loop_new (1000),
                             .replica = replica_new (NULL),
                             .log = event_log_new (1000, 1 << 20),
                             .alone = packer_new (),
                             .metrics = metrics_new (100)};
    fanout_add_counters (&rig->shared);
    event_log_reset (rig->shared.log, EPOCH, 0);
    assert_int_equal (filter_set (filter, "event_types", "worker.created", &why), 0);
    rig->audience = audience_new (&rig->shared, &filter, 30, false);
    rig->somebody = loop_timer_new (rig->shared.loop, nothing, NULL);
    loop_timer_after (rig->somebody, 0);
    for (size_t i = 0; i < MEMBERS; i++) {
        add_member (rig, i);
    }
    *state = rig;
    return 0;
}

static int
tear_down (void **state)
{
    rig_t *rig = *state;

    for (size_t i = 0; i < MEMBERS; i++) {
        client_t *client = rig->clients [i];
        if (client->audience) {
            audience_dismiss (client);
        }
        loop_unwatch (rig->shared.loop, client->wire.fd);
        close (client->wire.fd);
        close (rig->ends [i]);
        client_free (&client);
    }
    audience_destroy (&rig->audience);
    loop_timer_destroy (&rig->somebody);
    packer_destroy (&rig->shared.alone);
    event_log_destroy (&rig->shared.log);
    replica_destroy (&rig->shared.replica);
    metrics_destroy (&rig->shared.metrics);
    buffer_clear (&rig->shared.words);
    buffer_clear (&rig->shared.block);
    loop_destroy (&rig->shared.loop);
    free (rig);
    return 0;
}

static void
append (rig_t *rig, event_type_t type)
{
    feed_header_t header =
        header_of (FEED_EVENT, type, WORKER_A, event_log_last (rig->shared.log) + 1);

    assert_true (event_log_append (rig->shared.log, &header, "{}", 2));
}

//  The numbers in the next write to a member, as "1,2,"; "" when there is none.
static const char *
next_write (const rig_t *rig, size_t i)
{
    static char text [WRITE_MAX];
    char bytes [WRITE_MAX];
    ssize_t size = recv (rig->ends [i], bytes, sizeof bytes - 1, MSG_DONTWAIT);
    size_t used = 0;

    bytes [size > 0 ? size : 0] = text [0] = '\0';
    for (const char *at = bytes; (at = strstr (at, "id: " EPOCH "-")); at++) {
        used += (size_t) snprintf (text + used, sizeof text - used, "%d,",
                                   (int) strtol (at + sizeof "id: " EPOCH, NULL, 10));
    }
    return text;
}

static void
what_comes_in_mid_circle_goes_with_what_is_still_owed (void **state)
{
    rig_t *rig = *state;

    append (rig, EVENT_WORKER_CREATED);
    audience_turn (rig->audience);
    append (rig, EVENT_WORKER_CREATED);
    for (size_t slices = 0; slices < SWEEP_SLICES_MAX + 1; slices++) {
        audience_turn (rig->audience);
    }

    for (size_t i = 0; i < MEMBERS; i++) {
        bool first = i < SWEEP_SLICE;
        assert_string_equal (next_write (rig, i), first ? "1," : "1,2,");
        assert_string_equal (next_write (rig, i), first ? "2," : "");
        assert_int_equal (audience_reached (rig->clients [i]), 2);
        assert_int_equal (rig->clients [i]->told, 2);
    }
}

static void
a_turn_serves_a_slice_and_the_next_one_the_next (void **state)
{
    rig_t *rig = *state;

    append (rig, EVENT_WORKER_CREATED);
    audience_turn (rig->audience);

    for (size_t i = 0; i < MEMBERS; i++) {
        assert_string_equal (next_write (rig, i), i < SWEEP_SLICE ? "1," : "");
        assert_int_equal (audience_reached (rig->clients [i]), i < SWEEP_SLICE ? 1 : 0);
    }
    audience_settle (rig->audience);
    for (size_t i = SWEEP_SLICE; i < MEMBERS; i++) {
        assert_string_equal (next_write (rig, i), "1,");
    }
}

static void
a_turn_that_nobody_else_wants_serves_several_slices_and_no_more (void **state)
{
    rig_t *rig = *state;

    loop_timer_stop (rig->somebody);
    append (rig, EVENT_WORKER_CREATED);
    audience_turn (rig->audience);

    for (size_t i = 0; i < MEMBERS; i++) {
        bool served = i < SWEEP_SLICES_MAX * SWEEP_SLICE;
        assert_string_equal (next_write (rig, i), served ? "1," : "");
    }
    assert_true (loop_is_wanted (rig->shared.loop));  //  by the rest
}

static void
members_that_leave_in_mid_circle_keep_nobody_from_theirs (void **state)
{
    rig_t *rig = *state;

    append (rig, EVENT_WORKER_CREATED);
    audience_turn (rig->audience);
    //  Two that have it and two that do not: others take their places.
    const size_t LEAVE [] = {0, SWEEP_SLICE - 1, SWEEP_SLICE, MEMBERS - 1};
    for (size_t i = 0; i < COUNT (LEAVE); i++) {
        audience_leave (rig->clients [LEAVE [i]]);
        assert_int_equal (rig->clients [LEAVE [i]]->mode, CLIENT_BEHIND);
        assert_int_equal (rig->clients [LEAVE [i]]->cursor [LANE_DIRECT], LEAVE [i] < SWEEP_SLICE);
    }
    audience_settle (rig->audience);

    for (size_t i = 0; i < MEMBERS; i++) {
        bool left = i == SWEEP_SLICE || i == MEMBERS - 1;
        assert_string_equal (next_write (rig, i), left ? "" : "1,");
        assert_string_equal (next_write (rig, i), "");
    }
}

static void
what_the_filter_leaves_out_moves_all_on_without_a_byte (void **state)
{
    rig_t *rig = *state;

    append (rig, EVENT_WORKER_TERMINATED);
    audience_settle (rig->audience);

    for (size_t i = 0; i < MEMBERS; i++) {
        assert_string_equal (next_write (rig, i), "");
        assert_int_equal (audience_reached (rig->clients [i]), 1);
        assert_int_equal (rig->clients [i]->told, 0);
    }
}

static void
member_whose_socket_is_full_leaves_and_is_owed_the_rest_alone (void **state)
{
    rig_t *rig = *state;
    client_t *full = rig->clients [SWEEP_SLICE];
    static const char FILL [1000];

    while (send (full->wire.fd, FILL, sizeof FILL, MSG_DONTWAIT) > 0) {
    }
    append (rig, EVENT_WORKER_CREATED);
    audience_settle (rig->audience);

    assert_int_equal (full->mode, CLIENT_BEHIND);
    assert_true (full->watched_for_room);
    assert_int_equal (full->cursor [LANE_DIRECT], 1);
    assert_int_equal (wire_queued (&full->wire), event_log_get (rig->shared.log, 1)->size);
    for (size_t i = 0; i < MEMBERS; i++) {
        if (i != SWEEP_SLICE) {
            assert_string_equal (next_write (rig, i), "1,");
        }
    }
}

static void
member_that_the_log_has_left_behind_goes_to_find_out_by_itself (void **state)
{
    rig_t *rig = *state;

    append (rig, EVENT_WORKER_CREATED);
    audience_turn (rig->audience);
    event_log_reset (rig->shared.log, EPOCH, 5);
    append (rig, EVENT_WORKER_CREATED);
    audience_settle (rig->audience);

    for (size_t i = 0; i < MEMBERS; i++) {
        assert_int_equal (rig->clients [i]->mode, CLIENT_BEHIND);
        assert_int_equal (audience_reached (rig->clients [i]), i < SWEEP_SLICE ? 1 : 0);
        assert_false (client_is_held (rig->clients [i]));
    }
}

static void
more_than_one_write_may_hold_comes_in_several_whole_and_in_order (void **state)
{
    rig_t *rig = *state;
    client_t *client = rig->clients [0];
    static char json [20000], bytes [1 << 20];
    buffer_t got = {0};
    char id [40];
    int pair [2];

    for (size_t i = 1; i < MEMBERS; i++) {
        audience_dismiss (rig->clients [i]);
    }
    assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    dup2 (pair [0], client->wire.fd);
    dup2 (pair [1], rig->ends [0]);
    memset (json, 'x', sizeof json);
    for (size_t i = 0; i < EVENTS; i++) {
        feed_header_t header = header_of (FEED_EVENT, EVENT_WORKER_CREATED, WORKER_A, i + 1);
        assert_true (event_log_append (rig->shared.log, &header, json, sizeof json));
    }
    client->beat_second = INT64_MAX;
    for (int turn = 0; turn < 100 && strlen (got.data ? got.data : "") < EVENTS * 20000; turn++) {
        audience_turn (rig->audience);
        if (client->mode == CLIENT_BEHIND) {
            client_pump (client);
        }
        for (ssize_t size; (size = recv (pair [1], bytes, sizeof bytes - 1, MSG_DONTWAIT)) > 0;) {
            bytes [size] = '\0';
            buffer_text (&got, bytes);
        }
    }

    const char *at = got.data;
    for (size_t i = 0; i < EVENTS; i++) {
        snprintf (id, sizeof id, "id: " EPOCH "-%zu\n", i + 1);
        assert_non_null (at = strstr (at, id));
    }
    assert_int_equal (client->mode, CLIENT_LIVE);
    close (pair [0]);
    close (pair [1]);
    buffer_clear (&got);
}

//  The heartbeats in the writes that wait for a member.
static int
beats (const rig_t *rig, size_t i)
{
    char text [WRITE_MAX];
    int count = 0;

    for (ssize_t size; (size = recv (rig->ends [i], text, sizeof text - 1, MSG_DONTWAIT)) > 0;) {
        text [size] = '\0';
        count += strstr (text, "event: heartbeat\n") != NULL;
    }
    return count;
}

static void
heartbeat_comes_in_the_second_that_it_is_due_in_however_late_a_turn_woke (void **state)
{
    rig_t *rig = *state;
    int told [2] = {0};

    for (rig->shared.second = 1; rig->shared.second <= 90; rig->shared.second++) {
        audience_beat (rig->audience);
        int now = beats (rig, 0);
        assert_int_equal (now, rig->shared.second % 30 == 0);
        told [0] += now;
        told [1] += beats (rig, 1);
    }

    assert_int_equal (told [0], 3);
    assert_int_equal (told [1], 3);
}

static void
member_that_comes_from_elsewhere_is_not_told_later_than_it_asked_for (void **state)
{
    rig_t *rig = *state;
    client_t *client = rig->clients [0];

    rig->shared.second = 30;
    audience_beat (rig->audience);
    assert_int_equal (beats (rig, 0), 1);
    audience_leave (client);
    assert_int_equal (client->beat_second, 60);

    client->beat_second = 42;  //  its last one was another audience's
    assert_true (audience_join (client));
    rig->shared.second = 41;
    audience_beat (rig->audience);
    assert_int_equal (beats (rig, 0), 0);
    rig->shared.second = 42;
    audience_beat (rig->audience);
    assert_int_equal (beats (rig, 0), 1);
}

int
main (void)
{
    const struct CMUnitTest TESTS [] = {
        cmocka_unit_test_setup_teardown (a_turn_serves_a_slice_and_the_next_one_the_next, set_up,
                                         tear_down),
        cmocka_unit_test_setup_teardown (
            a_turn_that_nobody_else_wants_serves_several_slices_and_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown (what_comes_in_mid_circle_goes_with_what_is_still_owed,
                                         set_up, tear_down),
        cmocka_unit_test_setup_teardown (members_that_leave_in_mid_circle_keep_nobody_from_theirs,
                                         set_up, tear_down),
        cmocka_unit_test_setup_teardown (what_the_filter_leaves_out_moves_all_on_without_a_byte,
                                         set_up, tear_down),
        cmocka_unit_test_setup_teardown (
            member_whose_socket_is_full_leaves_and_is_owed_the_rest_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown (
            member_that_the_log_has_left_behind_goes_to_find_out_by_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown (
            more_than_one_write_may_hold_comes_in_several_whole_and_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown (
            heartbeat_comes_in_the_second_that_it_is_due_in_however_late_a_turn_woke, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown (
            member_that_comes_from_elsewhere_is_not_told_later_than_it_asked_for, set_up,
            tear_down),
    };

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}

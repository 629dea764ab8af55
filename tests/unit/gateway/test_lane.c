//  Which events wait for a tick, and what a tick tells.

#include "../../../common/json.h"
#include "../../../gateway/lane.h"

#include "gateway_rig.h"

typedef struct fixture {
    fanout_t shared;
    filter_t *filter;
    buffer_t out;
    uint64_t seq;
} fixture_t;

static int
setup (void **state)
{
    static fixture_t self;

    self = (fixture_t){
        .shared = {.log = event_log_new (10000, 1 << 22), .replica = replica_new (NULL)},
        .filter = filter_new (64)};
    assert_true (self.shared.log && self.shared.replica && self.filter);
    event_log_reset (self.shared.log, EPOCH, 0);
    *state = &self;
    return 0;
}

static int
teardown (void **state)
{
    fixture_t *self = *state;

    event_log_destroy (&self->shared.log);
    replica_destroy (&self->shared.replica);
    filter_release (&self->filter);
    buffer_clear (&self->out);
    return 0;
}

static void
say (fixture_t *self, event_type_t type, const char *worker_id, const char *source)
{
    feed_header_t header = header_of (FEED_EVENT, type, worker_id, ++self->seq);
    char json [200];

    snprintf (json, sizeof json, "{\"source\":\"%s\",\"data\":{\"n\":%d}}", source,
              (int) self->seq);
    assert_true (event_log_append (self->shared.log, &header, json, strlen (json)));
    if (type == EVENT_WORKER_SNAPSHOT) {
        assert_int_equal (replica_put (self->shared.replica, &header, "{\"ec2_freshness\":1}", 19),
                          0);
    }
}

static lane_t
lane_at (const fixture_t *self, uint64_t seq)
{
    return lane_of (self->filter, event_log_get (self->shared.log, seq));
}

//  In one piece.
static size_t
tick (fixture_t *self, lane_t lane, uint64_t from, uint64_t to)
{
    size_t count = lane_write_tick (&self->shared, self->filter, lane, &from, to, &self->out);

    assert_int_equal (from, to);
    return count;
}

static void
everything_is_told_at_once_unless_a_rhythm_is_asked_for (void **state)
{
    fixture_t *self = *state;
    say (self, EVENT_WORKER_SNAPSHOT, WORKER_A, "s");
    say (self, EVENT_WORKER_METRICS_UPDATED, WORKER_A, "s");
    say (self, EVENT_WORKER_CREATED, WORKER_A, "s");

    assert_false (lane_has_rhythm (self->filter));
    assert_true (lane_is_used (self->filter, LANE_DIRECT));
    for (uint64_t seq = 1; seq <= 3; seq++) {
        assert_int_equal (lane_at (self, seq), LANE_DIRECT);
    }
    assert_int_equal (filter_set (self->filter, "max_hz", "4", NULL), 0);
    assert_int_equal (filter_set (self->filter, "batch_ms", "250", NULL), 0);

    assert_true (lane_has_rhythm (self->filter));
    assert_int_equal (lane_at (self, 1), LANE_SNAPSHOTS);
    assert_int_equal (lane_at (self, 2), LANE_METRICS);
    assert_int_equal (lane_at (self, 3), LANE_DIRECT);
    assert_int_equal (lane_period (self->filter, LANE_SNAPSHOTS), 250 * MS_US);
    assert_int_equal (lane_period (self->filter, LANE_METRICS), 250 * MS_US);
}

static void
tick_tells_the_newest_snapshot_of_each_worker_without_an_id (void **state)
{
    fixture_t *self = *state;
    const char *const workers [] = {WORKER_A, WORKER_B, WORKER_A, WORKER_A};
    for (size_t i = 0; i < COUNT (workers); i++) {
        say (self, EVENT_WORKER_SNAPSHOT, workers [i], "s");
        say (self, EVENT_WORKER_CREATED, workers [i], "s");
    }

    assert_int_equal (tick (self, LANE_SNAPSHOTS, 0, 8), 2);

    assert_string_equal (self->out.data,
                         "event: worker.snapshot\ndata: {\"source\":\"s\",\"data\":{\"n\":3}}\n\n"
                         "event: worker.snapshot\ndata: {\"source\":\"s\",\"data\":{\"n\":7}}\n\n");
}

static void
tick_tells_nothing_twice_and_nothing_that_is_told_later (void **state)
{
    fixture_t *self = *state;
    say (self, EVENT_WORKER_SNAPSHOT, WORKER_A, "s");
    say (self, EVENT_WORKER_SNAPSHOT, WORKER_A, "s");

    assert_int_equal (tick (self, LANE_SNAPSHOTS, 0, 1), 0);
    assert_int_equal (tick (self, LANE_SNAPSHOTS, 1, 2), 1);
    assert_int_equal (tick (self, LANE_SNAPSHOTS, 2, 2), 0);
    assert_int_equal (tick (self, LANE_METRICS, 0, 2), 0);
}

static void
large_tick_comes_in_pieces_that_are_together_all_of_it (void **state)
{
    fixture_t *self = *state;
    uint64_t at = 0, to = 5000;
    size_t pieces = 0, count = 0, largest = 0;
    for (uint64_t i = 0; i < to; i++) {
        char worker_id [40];
        snprintf (worker_id, sizeof worker_id, "aaaaaaaa-0000-5000-8000-%012llu",
                  (unsigned long long) i);
        say (self, EVENT_WORKER_SNAPSHOT, worker_id, "s");
    }

    for (; at < to; pieces++) {
        size_t before = self->out.size;
        count += lane_write_tick (&self->shared, self->filter, LANE_SNAPSHOTS, &at, to, &self->out);
        largest = self->out.size - before > largest ? self->out.size - before : largest;
    }

    assert_int_equal (count, to);
    assert_true (pieces > 1 && largest < 65536);
}

static void
tick_asks_the_filter (void **state)
{
    fixture_t *self = *state;
    say (self, EVENT_WORKER_SNAPSHOT, WORKER_A, "s");
    say (self, EVENT_WORKER_SNAPSHOT, WORKER_B, "s");
    say (self, EVENT_WORKER_METRICS_UPDATED, WORKER_B, "s");
    assert_int_equal (filter_set (self->filter, "worker_ids", WORKER_A, NULL), 0);

    assert_int_equal (tick (self, LANE_SNAPSHOTS, 0, 3), 1);
    assert_non_null (strstr (self->out.data, "\"n\":1"));
    assert_int_equal (tick (self, LANE_METRICS, 0, 3), 0);
}

static void
batch_holds_the_newest_of_each_worker_and_source_in_order (void **state)
{
    fixture_t *self = *state;
    say (self, EVENT_WORKER_METRICS_UPDATED, WORKER_A, "ec2");   //  1: 4 is newer
    say (self, EVENT_WORKER_METRICS_UPDATED, WORKER_A, "cml");   //  2
    say (self, EVENT_WORKER_METRICS_UPDATED, WORKER_B, "ec2");   //  3
    say (self, EVENT_WORKER_METRICS_UPDATED, WORKER_A, "ec2");   //  4
    say (self, EVENT_WORKER_SNAPSHOT, WORKER_A, "ec2");          //  5: no metrics
    say (self, EVENT_WORKER_METRICS_UPDATED, WORKER_B, "late");  //  6: behind the tick

    assert_int_equal (tick (self, LANE_METRICS, 0, 5), 1);

    static const char BEFORE [] = "event: worker.metrics.batch\ndata: ";
    assert_memory_equal (self->out.data, BEFORE, strlen (BEFORE));
    assert_string_equal (self->out.data + self->out.size - 2, "\n\n");
    _cleanup_ (json_destroy) struct json_object *event = NULL;
    size_t size = self->out.size - strlen (BEFORE) - 2;
    assert_int_equal (json_parse (&event, self->out.data + strlen (BEFORE), size, size, NULL), 0);
    struct json_object *data = json_get_object (event, "data");
    struct json_object *events = json_get_array (data, "events");
    int64_t count = 0, n = 0;
    assert_true (json_get_integer (data, "count", &count) && count == 3);
    assert_int_equal (json_object_array_length (events), 3);
    for (size_t i = 0; i < 3; i++) {
        struct json_object *one = json_object_array_get_idx (events, i);
        assert_true (json_get_integer (json_get_object (one, "data"), "n", &n));
        assert_int_equal (n, (int64_t) i + 2);
    }
}

static void
newer_snapshot_stands_for_older_events_only_where_it_is_let_through (void **state)
{
    fixture_t *self = *state;
    say (self, EVENT_WORKER_METRICS_UPDATED, WORKER_A, "s");
    say (self, EVENT_WORKER_STATUS_UPDATED, WORKER_A, "s");
    say (self, EVENT_WORKER_SNAPSHOT, WORKER_B, "s");
    say (self, EVENT_WORKER_SNAPSHOT, WORKER_A, "s");
    const struct {
        uint64_t seq;
        bool superseded;
    } ROWS [] = {{1, true}, {2, false}, {3, false}, {4, false}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        const frame_t *frame = event_log_get (self->shared.log, ROWS [i].seq);
        assert_int_equal (lane_is_superseded (self->shared.replica, self->filter, frame),
                          ROWS [i].superseded);
    }
    assert_int_equal (filter_set (self->filter, "event_types", "worker.metrics.updated", NULL), 0);
    assert_false (lane_is_superseded (self->shared.replica, self->filter,
                                      event_log_get (self->shared.log, 1)));
}

#define WITH_LOG(test) cmocka_unit_test_setup_teardown (test, setup, teardown)

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        WITH_LOG (everything_is_told_at_once_unless_a_rhythm_is_asked_for),
        WITH_LOG (tick_tells_the_newest_snapshot_of_each_worker_without_an_id),
        WITH_LOG (tick_tells_nothing_twice_and_nothing_that_is_told_later),
        WITH_LOG (large_tick_comes_in_pieces_that_are_together_all_of_it),
        WITH_LOG (tick_asks_the_filter),
        WITH_LOG (batch_holds_the_newest_of_each_worker_and_source_in_order),
        WITH_LOG (newer_snapshot_stands_for_older_events_only_where_it_is_let_through)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}

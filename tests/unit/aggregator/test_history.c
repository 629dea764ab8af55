#include "../../../aggregator/history.h"

#include "worker_rig.h"

static const history_bounds_t DAY_AND_WEEK = {.fine_minutes = 1440, .thin_days = 7};

//  Minute 0 of the tests is a whole ten and a whole day: 2023-11-14T00:00Z.
#define MINUTE(number) ((time_us_t) (1699920000 + 60 * (int64_t) (number)) * SECOND_US)

static void
put_cpu (history_t *history, double value, time_us_t at)
{
    snapshot_t snapshot;

    snapshot_init (&snapshot);
    snapshot.cpu_utilization = value;
    history_put (history, &snapshot, at);
}

//  The samples as an array; the caller puts it.
static struct json_object *
read_cpu (const history_t *history, time_us_t since, size_t limit)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    history_write (history, HISTORY_CPU, since, limit, &json);
    struct json_object *samples = json_tokener_parse (text.data);
    assert_non_null (samples);
    return samples;
}

static double
value_of (struct json_object *samples, size_t index)
{
    double value = -1;

    assert_true (json_get_number (json_object_array_get_idx (samples, index), "value", &value));
    return value;
}

static const char *
time_of (struct json_object *samples, size_t index)
{
    return json_get_text (json_object_array_get_idx (samples, index), "at");
}

static void
minute_keeps_the_last_value_told_in_it_to_three_decimals (void **state)
{
    (void) state;
    _cleanup_ (history_destroy) history_t *history = history_new (&DAY_AND_WEEK);

    put_cpu (history, 7.925, MINUTE (0) + 59 * SECOND_US);
    put_cpu (history, 1, MINUTE (1));
    put_cpu (history, 33.333, MINUTE (1) + SECOND_US);
    _cleanup_ (json_destroy) struct json_object *samples = read_cpu (history, TIME_UNKNOWN, 100);

    assert_int_equal (json_object_array_length (samples), 2);
    assert_true (value_of (samples, 0) == 7.925 && value_of (samples, 1) == 33.333);
    assert_string_equal (time_of (samples, 1), "2023-11-14T00:01:00.000Z");
}

static void
minute_in_which_nothing_was_told_is_a_gap_and_unknown_is_no_sample (void **state)
{
    (void) state;
    _cleanup_ (history_destroy) history_t *history = history_new (&DAY_AND_WEEK);

    put_cpu (history, 1, MINUTE (0));
    put_cpu (history, UNKNOWN, MINUTE (1));
    put_cpu (history, 0, MINUTE (5));
    _cleanup_ (json_destroy) struct json_object *samples = read_cpu (history, TIME_UNKNOWN, 100);

    assert_int_equal (json_object_array_length (samples), 2);
    assert_true (value_of (samples, 1) == 0);
    assert_string_equal (time_of (samples, 1), "2023-11-14T00:05:00.000Z");
}

static void
a_day_is_kept_minute_by_minute_and_a_week_in_means_of_ten (void **state)
{
    (void) state;
    _cleanup_ (history_destroy) history_t *history = history_new (&DAY_AND_WEEK);

    for (int minute = 0; minute < 9 * 1440; minute++) {
        put_cpu (history, minute % 10, MINUTE (minute));
    }
    _cleanup_ (json_destroy) struct json_object *samples = read_cpu (history, TIME_UNKNOWN, 100000);
    size_t count = json_object_array_length (samples), thin = count - 1440;

    assert_int_equal (thin, 6 * 144);
    assert_true (value_of (samples, 0) == 4.5);
    assert_string_equal (time_of (samples, 0), "2023-11-16T00:00:00.000Z");
    assert_string_equal (time_of (samples, thin), "2023-11-22T00:00:00.000Z");
    assert_true (value_of (samples, thin + 3) == 3);
    for (size_t i = 1; i < count; i++) {
        assert_true (strcmp (time_of (samples, i - 1), time_of (samples, i)) < 0);
    }
}

static void
since_and_limit_choose_the_newest (void **state)
{
    (void) state;
    _cleanup_ (history_destroy) history_t *history = history_new (&DAY_AND_WEEK);

    for (int minute = 0; minute < 100; minute++) {
        put_cpu (history, minute, MINUTE (minute));
    }
    _cleanup_ (json_destroy) struct json_object *since =
        read_cpu (history, MINUTE (90) + SECOND_US, 1000);
    _cleanup_ (json_destroy) struct json_object *limited = read_cpu (history, TIME_UNKNOWN, 3);
    _cleanup_ (json_destroy) struct json_object *none = read_cpu (history, MINUTE (100), 3);

    assert_int_equal (json_object_array_length (since), 9);
    assert_true (value_of (since, 0) == 91);
    assert_int_equal (json_object_array_length (limited), 3);
    assert_true (value_of (limited, 0) == 97);
    assert_int_equal (json_object_array_length (none), 0);
}

static void
late_sample_goes_where_it_belongs_and_one_too_old_is_dropped (void **state)
{
    (void) state;
    _cleanup_ (history_destroy) history_t *history = history_new (&DAY_AND_WEEK);

    put_cpu (history, 2, MINUTE (3000));
    put_cpu (history, 1, MINUTE (2990));
    put_cpu (history, 9, MINUTE (3000 - 1440));
    _cleanup_ (json_destroy) struct json_object *samples = read_cpu (history, TIME_UNKNOWN, 100);

    assert_int_equal (json_object_array_length (samples), 2);
    assert_true (value_of (samples, 0) == 1 && value_of (samples, 1) == 2);
}

static void
long_silence_leaves_nothing_of_the_fine_ring_behind (void **state)
{
    (void) state;
    _cleanup_ (history_destroy) history_t *history = history_new (&DAY_AND_WEEK);

    for (int minute = 0; minute < 1440; minute++) {
        put_cpu (history, 5, MINUTE (minute));
    }
    put_cpu (history, 6, MINUTE (1440 + 300));
    _cleanup_ (json_destroy) struct json_object *fine =
        read_cpu (history, MINUTE (1440 + 300 - 1439), 10000);

    assert_int_equal (json_object_array_length (fine), 1440 - 301 + 1);
}

static void
what_a_clock_that_was_ahead_has_left_is_forgotten (void **state)
{
    (void) state;
    static const int AHEAD [] = {20, 1000, 5000, 3000000};

    for (size_t i = 0; i < COUNT (AHEAD); i++) {
        _cleanup_ (history_destroy) history_t *history = history_new (&DAY_AND_WEEK);
        for (int minute = 0; minute <= 30; minute++) {
            put_cpu (history, 5, MINUTE (minute));
        }
        put_cpu (history, 90, MINUTE (30 + AHEAD [i]));

        history_forget_future (history, MINUTE (30));
        put_cpu (history, 7, MINUTE (31));
        put_cpu (history, 8, MINUTE (45));
        _cleanup_ (json_destroy) struct json_object *samples =
            read_cpu (history, MINUTE (31), 10000);

        assert_int_equal (json_object_array_length (samples), 2);
        assert_true (value_of (samples, 0) == 7 && value_of (samples, 1) == 8);
        _cleanup_ (json_destroy) struct json_object *all = read_cpu (history, TIME_UNKNOWN, 10000);
        //  What the other clock had pushed out is gone with it.
        assert_int_equal (json_object_array_length (all), AHEAD [i] < 1440 - 30 ? 33 : 2);
    }
}

static void
memory_is_taken_as_time_goes_on_and_is_bounded (void **state)
{
    (void) state;
    _cleanup_ (history_destroy) history_t *history = history_new (&DAY_AND_WEEK);

    size_t before = history_bytes (history);
    put_cpu (history, 1, MINUTE (0));
    size_t first = history_bytes (history);
    for (int minute = 0; minute < 30 * 1440; minute += 3) {
        put_cpu (history, 1, MINUTE (minute));
    }
    size_t full = history_bytes (history);
    for (int minute = 30 * 1440; minute < 60 * 1440; minute += 3) {
        put_cpu (history, 1, MINUTE (minute));
    }

    assert_true (before < 1500 && first < before + 1200);
    assert_true (full <= before + 4 * (1440 + 1080));
    assert_int_equal (history_bytes (history), full);
}

typedef struct kept {
    char names [400][HISTORY_NAME_SIZE];
    char bytes [400][600];
    size_t sizes [400];
    size_t count, written;
} kept_t;

static void
keep_block (void *argument, const char *name, const void *bytes, size_t size)
{
    kept_t *kept = argument;
    size_t at = 0;

    while (at < kept->count && strcmp (kept->names [at], name) != 0) {
        at++;
    }
    assert_true (at < COUNT (kept->names) && size <= sizeof kept->bytes [0]);
    snprintf (kept->names [at], sizeof kept->names [at], "%s", name);
    memcpy (kept->bytes [at], bytes, size);
    kept->sizes [at] = size;
    kept->count += at == kept->count;
    kept->written++;
}

static char *
all_of (const history_t *history)
{
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    json_open_array (&json);
    history_write (history, HISTORY_CPU, TIME_UNKNOWN, 100000, &json);
    history_write (history, HISTORY_LABS, TIME_UNKNOWN, 100000, &json);
    json_close_array (&json);
    return text.data;
}

static void
what_is_saved_block_by_block_makes_the_same_history_again (void **state)
{
    (void) state;
    static kept_t kept;
    _cleanup_ (history_destroy) history_t *history = history_new (&DAY_AND_WEEK);
    kept = (kept_t){0};

    for (int minute = 0; minute < 3 * 1440; minute += 1 + minute % 7 * 13) {
        put_cpu (history, minute % 89, MINUTE (minute));
        history_save (history, false, keep_block, &kept);
    }
    history_save (history, true, keep_block, &kept);
    _cleanup_ (history_destroy) history_t *again = history_new (&DAY_AND_WEEK);
    for (size_t i = kept.count; i-- > 0;) {
        history_restore (again, kept.names [i], kept.bytes [i], kept.sizes [i]);
    }

    _cleanup_ (string_destroy) char *before = all_of (history);
    _cleanup_ (string_destroy) char *after = all_of (again);
    assert_string_equal (after, before);
    assert_true (strlen (before) > 1000);
}

static void
block_is_saved_once_a_minute_and_only_when_it_changed (void **state)
{
    (void) state;
    static kept_t kept;
    _cleanup_ (history_destroy) history_t *history = history_new (&DAY_AND_WEEK);
    kept = (kept_t){0};

    for (int i = 0; i < 100; i++) {
        put_cpu (history, i, MINUTE (0) + i * 100 * MS_US);
        history_save (history, false, keep_block, &kept);
    }
    size_t within = kept.written;
    put_cpu (history, 7, MINUTE (1));
    history_save (history, false, keep_block, &kept);
    size_t next = kept.written;
    history_save (history, true, keep_block, &kept);

    assert_int_equal (within, 2);  //  of the fine ring and of the thin one
    assert_int_equal (next, 4);
    assert_int_equal (kept.written, 4);
}

static void
block_that_is_not_ours_is_ignored (void **state)
{
    (void) state;
    static const char BYTES [600] = "";
    static const char *const NAMES [] = {"",
                                         "nonsense",
                                         "cpu_utilization",
                                         "cpu_utilization|",
                                         "cpu_utilization|f|",
                                         "cpu_utilization|f|9999",
                                         "cpu_utilization|f|-001",
                                         "load|f|0001"};
    _cleanup_ (history_destroy) history_t *history = history_new (&DAY_AND_WEEK);

    for (size_t i = 0; i < COUNT (NAMES); i++) {
        history_restore (history, NAMES [i], BYTES, 496);
        history_restore (history, NAMES [i], BYTES, 5);
    }

    _cleanup_ (json_destroy) struct json_object *samples = read_cpu (history, TIME_UNKNOWN, 100);
    assert_int_equal (json_object_array_length (samples), 0);
}

static void
no_bounds_no_history (void **state)
{
    (void) state;
    static const history_bounds_t NONE = {0};
    _cleanup_ (history_destroy) history_t *history = history_new (&NONE);

    put_cpu (history, 1, MINUTE (0));
    _cleanup_ (json_destroy) struct json_object *samples = read_cpu (history, TIME_UNKNOWN, 100);

    assert_int_equal (json_object_array_length (samples), 0);
}

static void
metrics_are_named_as_in_the_snapshot (void **state)
{
    (void) state;

    assert_int_equal (history_metric_parse ("storage_utilization"), HISTORY_STORAGE);
    assert_int_equal (history_metric_parse ("cml_labs_count"), HISTORY_LABS);
    assert_int_equal (history_metric_parse ("cpu"), HISTORY_METRIC_COUNT);
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (minute_keeps_the_last_value_told_in_it_to_three_decimals),
        cmocka_unit_test (minute_in_which_nothing_was_told_is_a_gap_and_unknown_is_no_sample),
        cmocka_unit_test (a_day_is_kept_minute_by_minute_and_a_week_in_means_of_ten),
        cmocka_unit_test (since_and_limit_choose_the_newest),
        cmocka_unit_test (late_sample_goes_where_it_belongs_and_one_too_old_is_dropped),
        cmocka_unit_test (long_silence_leaves_nothing_of_the_fine_ring_behind),
        cmocka_unit_test (what_a_clock_that_was_ahead_has_left_is_forgotten),
        cmocka_unit_test (memory_is_taken_as_time_goes_on_and_is_bounded),
        cmocka_unit_test (what_is_saved_block_by_block_makes_the_same_history_again),
        cmocka_unit_test (block_is_saved_once_a_minute_and_only_when_it_changed),
        cmocka_unit_test (block_that_is_not_ours_is_ignored),
        cmocka_unit_test (no_bounds_no_history),
        cmocka_unit_test (metrics_are_named_as_in_the_snapshot)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}

#include "../../../collector/core/unit.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define T0 (1000 * SECOND_US)

typedef struct memory {
    int told;
} memory_t;

static int cleared;  //  units, in the test that runs; unit_clear is given no place of ours

static void
unit_clear (void *state, void *unit)
{
    (void) state, (void) unit;
    cleared++;
}

static void
unit_forget (void *state, void *unit)
{
    memory_t *memory = unit;
    (void) state;
    memory->told = 0;
}

static const collector_source_t WORKERS = {.reads = COLLECTOR_READS_WORKERS,
                                           .unit_size = sizeof (memory_t),
                                           .unit_clear = unit_clear,
                                           .unit_forget = unit_forget};
static const collector_source_t REGIONS = {.reads = COLLECTOR_READS_REGIONS};
static const collector_settings_t SETTINGS = {.interval_ms = 10000};

static uint32_t
zero (void *argument)
{
    (void) argument;
    return 0;
}

typedef struct fixture {
    schedule_t *schedule;
    unit_table_t *units;
} fixture_t;

static fixture_t
fixture (const collector_source_t *source)
{
    cleared = 0;
    schedule_t *schedule = schedule_new (10, zero, NULL);
    return (fixture_t){schedule, unit_table_new (source, NULL, &SETTINGS, schedule)};
}

static void
fixture_clear (fixture_t *self)
{
    unit_table_clear (self->units);
    unit_table_destroy (&self->units);
    schedule_destroy (&self->schedule);
}

static void
lease (fixture_t *self, const char *answer)
{
    _cleanup_ (json_destroy) struct json_object *json = json_tokener_parse (answer);
    _cleanup_ (lease_list_clear) lease_list_t list = {0};
    assert_int_equal (lease_list_decode (&list, json, NULL), 0);
    unit_table_update (self->units, &list, T0);
    schedule_validate (self->schedule);
}

#define TWO                                                                                       \
    "{\"epoch\":\"e\",\"workers\":[{\"region\":\"r\",\"instance_id\":\"i-1\"},{\"region\":\"r\"," \
    "\"instance_id\":\"i-2\"}]}"
#define ONE                                                                                        \
    "{\"epoch\":\"e\",\"workers\":[{\"region\":\"r\",\"instance_id\":\"i-1\",\"public_ip\":\"1.2." \
    "3.4\"}]}"
#define NONE "{\"epoch\":\"e\"}"

static void
each_leased_worker_is_a_unit_and_gets_its_new_facts (void **state)
{
    (void) state;
    _cleanup_ (fixture_clear) fixture_t self = fixture (&WORKERS);

    lease (&self, TWO);
    assert_int_equal (unit_table_count (self.units), 2);
    assert_string_equal (unit_table_find (self.units, "r/i-1")->worker->worker.public_ip, "");
    lease (&self, ONE);

    assert_int_equal (unit_table_count (self.units), 1);
    assert_string_equal (unit_table_find (self.units, "r/i-1")->worker->worker.public_ip,
                         "1.2.3.4");
    assert_int_equal (cleared, 1);
}

static void
memory_of_a_unit_stays_through_renewals_and_is_new_after_an_absence (void **state)
{
    (void) state;
    _cleanup_ (fixture_clear) fixture_t self = fixture (&WORKERS);
    lease (&self, ONE);
    ((memory_t *) unit_table_find (self.units, "r/i-1")->memory)->told = 1;

    lease (&self, TWO);
    assert_int_equal (((memory_t *) unit_table_find (self.units, "r/i-1")->memory)->told, 1);
    lease (&self, NONE);
    lease (&self, ONE);

    assert_int_equal (((memory_t *) unit_table_find (self.units, "r/i-1")->memory)->told, 0);
}

static void
unit_that_left_the_lease_lives_until_its_round_has_ended (void **state)
{
    (void) state;
    _cleanup_ (fixture_clear) fixture_t self = fixture (&WORKERS);
    uint64_t overdue = 0;
    lease (&self, ONE);
    unit_t *unit = unit_of (schedule_take (self.schedule, T0, &overdue));

    lease (&self, NONE);
    assert_ptr_equal (unit_table_find (self.units, "r/i-1"), unit);
    unit_table_release (self.units, unit, T0);

    assert_int_equal (unit_table_count (self.units), 0);
    assert_int_equal (schedule_running (self.schedule), 0);
    assert_int_equal (cleared, 1);
}

static void
unit_that_comes_back_while_its_round_runs_has_never_left (void **state)
{
    (void) state;
    _cleanup_ (fixture_clear) fixture_t self = fixture (&WORKERS);
    uint64_t overdue = 0;
    lease (&self, ONE);
    unit_t *unit = unit_of (schedule_take (self.schedule, T0, &overdue));

    lease (&self, NONE);
    lease (&self, ONE);
    unit_table_release (self.units, unit, T0);

    assert_ptr_equal (unit_table_find (self.units, "r/i-1"), unit);
    assert_int_equal (cleared, 0);
}

static void
units_forget_what_they_told_when_the_aggregator_began_anew (void **state)
{
    (void) state;
    _cleanup_ (fixture_clear) fixture_t self = fixture (&WORKERS);
    lease (&self, ONE);
    memory_t *memory = unit_table_find (self.units, "r/i-1")->memory;
    memory->told = 1;

    unit_table_forget (self.units);

    assert_int_equal (memory->told, 0);
}

static void
reader_of_regions_has_a_unit_for_each_region_and_none_for_workers (void **state)
{
    (void) state;
    _cleanup_ (fixture_clear) fixture_t self = fixture (&REGIONS);

    lease (&self, "{\"epoch\":\"e\",\"regions\":[\"us-east-1\",\"eu-west-1\"],\"workers\":"
                  "[{\"region\":\"us-east-1\",\"instance_id\":\"i-1\"}]}");

    assert_int_equal (unit_table_count (self.units), 2);
    assert_null (unit_table_find (self.units, "eu-west-1")->worker);
}

static const char *const *
accounts (void *state, const char *region, size_t *count)
{
    static const char *const NAMES [] = {"own", "other"};
    (void) state;
    *count = strcmp (region, "us-east-1") == 0 ? 2 : 1;
    return NAMES;
}

static void
region_is_a_unit_for_each_account_that_reads_it (void **state)
{
    (void) state;
    const collector_source_t source = {.reads = COLLECTOR_READS_REGIONS, .accounts = accounts};
    _cleanup_ (fixture_clear) fixture_t self = fixture (&source);
    uint64_t overdue = 0;
    lease (&self, "{\"epoch\":\"e\",\"regions\":[\"us-east-1\",\"eu-west-1\"]}");

    assert_int_equal (unit_table_count (self.units), 3);
    assert_string_equal (unit_table_find (self.units, "us-east-1 other")->account, "other");
    assert_string_equal (unit_table_find (self.units, "us-east-1 other")->region, "us-east-1");
    assert_string_equal (unit_table_find (self.units, "eu-west-1 own")->account, "own");
    for (int i = 0; i < 3; i++) {
        unit_t *unit = unit_of (schedule_take (self.schedule, T0 + SECOND_US, &overdue));
        unit_table_release (self.units, unit, T0 + SECOND_US);
    }
    assert_null (schedule_take (self.schedule, T0 + SECOND_US, &overdue));

    unit_table_make_due (self.units, "us-east-1", T0 + SECOND_US);

    assert_non_null (schedule_take (self.schedule, T0 + SECOND_US, &overdue));
    assert_non_null (schedule_take (self.schedule, T0 + SECOND_US, &overdue));
    assert_null (schedule_take (self.schedule, T0 + SECOND_US, &overdue));
}

static void
unit_that_a_job_holds_outlives_its_lease (void **state)
{
    (void) state;
    _cleanup_ (fixture_clear) fixture_t self = fixture (&WORKERS);
    lease (&self, ONE);
    assert_null (unit_table_hold (self.units, "r/i-2", "r", ""));
    unit_t *unit = unit_table_hold (self.units, "r/i-1", "r", "");

    lease (&self, NONE);
    assert_ptr_equal (unit_table_find (self.units, "r/i-1"), unit);
    assert_null (unit_table_hold (self.units, "r/i-1", "r", ""));
    unit_table_let_go (self.units, unit);

    assert_int_equal (unit_table_count (self.units), 0);
    assert_int_equal (cleared, 1);
}

static void
job_of_a_region_holds_the_unit_of_its_account (void **state)
{
    (void) state;
    const collector_source_t source = {.reads = COLLECTOR_READS_REGIONS, .accounts = accounts};
    _cleanup_ (fixture_clear) fixture_t self = fixture (&source);
    lease (&self, "{\"epoch\":\"e\",\"regions\":[\"us-east-1\"]}");

    unit_t *unit = unit_table_hold (self.units, "us-east-1/i-1", "us-east-1", "other");

    assert_string_equal (unit->account, "other");
    assert_null (unit_table_hold (self.units, "us-east-1/i-1", "us-east-1", ""));
    unit_table_let_go (self.units, unit);
    assert_int_equal (unit_table_count (self.units), 2);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (each_leased_worker_is_a_unit_and_gets_its_new_facts),
        cmocka_unit_test (memory_of_a_unit_stays_through_renewals_and_is_new_after_an_absence),
        cmocka_unit_test (unit_that_left_the_lease_lives_until_its_round_has_ended),
        cmocka_unit_test (unit_that_comes_back_while_its_round_runs_has_never_left),
        cmocka_unit_test (unit_that_a_job_holds_outlives_its_lease),
        cmocka_unit_test (units_forget_what_they_told_when_the_aggregator_began_anew),
        cmocka_unit_test (region_is_a_unit_for_each_account_that_reads_it),
        cmocka_unit_test (job_of_a_region_holds_the_unit_of_its_account),
        cmocka_unit_test (reader_of_regions_has_a_unit_for_each_region_and_none_for_workers),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

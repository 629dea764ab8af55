#include "../../../common/event.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

static void
name_of_each_type_leads_back_to_it_and_to_no_other (void **state)
{
    (void) state;

    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        assert_non_null (event_type_name ((event_type_t) type));
        bool ingest = event_type_place ((event_type_t) type) == EVENT_PLACE_INGEST;
        const char *name = event_type_name ((event_type_t) type);
        assert_int_equal (ingest ? event_type_parse_ingest (name) : event_type_parse (name), type);
    }
}

static void
names_can_stand_in_topics_headers_and_streams_as_they_are (void **state)
{
    (void) state;

    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        const char *name = event_type_name ((event_type_t) type);
        assert_true (*name && strlen (name) <= 64);  //  feed_header_t's room
        for (; *name; name++) {
            assert_true (islower ((unsigned char) *name) || *name == '.' || *name == '_');
        }
    }
}

static void
what_no_row_names_is_unknown (void **state)
{
    (void) state;
    static const char *const OTHERS [] = {"",
                                          "worker",
                                          "worker.",
                                          "worker.snapshot ",
                                          " worker.snapshot",
                                          "Worker.Snapshot",
                                          "WORKER_SNAPSHOT",
                                          "worker.snapshot.more",
                                          "\xff"};

    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        assert_int_equal (event_type_parse (OTHERS [i]), EVENT_UNKNOWN);
    }
}

static void
place_and_source_are_those_of_the_row (void **state)
{
    (void) state;
    static const struct {
        event_type_t type;
        const char *name, *source;
        event_place_t place;
    } ROWS [] = {
        {EVENT_INSTANCE_OBSERVED, "instance.observed", NULL, EVENT_PLACE_INGEST},
        {EVENT_COLLECTOR_ERROR, "collector.error", NULL, EVENT_PLACE_INGEST},
        {EVENT_WORKER_SNAPSHOT, "worker.snapshot", "domain.cml_worker.snapshot", EVENT_PLACE_FEED},
        {EVENT_WORKER_METRICS_UPDATED, "worker.metrics.updated", NULL, EVENT_PLACE_FEED},
        {EVENT_WORKER_LABS_UPDATED, "worker.labs.updated", "domain.cml_worker.labs",
         EVENT_PLACE_FEED},
        {EVENT_CONNECTED, "connected", "gateway", EVENT_PLACE_STREAM},
        {EVENT_SYSTEM_SSE_SHUTDOWN, "system.sse.shutdown", "gateway", EVENT_PLACE_STREAM},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        assert_string_equal (event_type_name (ROWS [i].type), ROWS [i].name);
        assert_int_equal (event_type_place (ROWS [i].type), ROWS [i].place);
        if (ROWS [i].source) {
            assert_string_equal (event_type_source (ROWS [i].type), ROWS [i].source);
        } else {
            assert_null (event_type_source (ROWS [i].type));
        }
    }
}

static void
each_event_of_a_stream_names_its_source_except_metrics (void **state)
{
    (void) state;

    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        bool ours = event_type_place ((event_type_t) type) != EVENT_PLACE_INGEST;
        bool named = event_type_source ((event_type_t) type) != NULL;
        assert_int_equal (named, ours && type != EVENT_WORKER_METRICS_UPDATED);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (name_of_each_type_leads_back_to_it_and_to_no_other),
        cmocka_unit_test (names_can_stand_in_topics_headers_and_streams_as_they_are),
        cmocka_unit_test (what_no_row_names_is_unknown),
        cmocka_unit_test (place_and_source_are_those_of_the_row),
        cmocka_unit_test (each_event_of_a_stream_names_its_source_except_metrics),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

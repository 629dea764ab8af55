#include "../../../common/cleanup.h"
#include "../../../common/otlp.h"
#include "../../../common/tracing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

typedef struct fixture {
    loop_t *loop;
    metrics_t *metrics;
    otlp_t *otlp;
    otlp_settings_t settings;
} fixture_t;

//  Nobody listens there, and nothing is sent before a turn of the loop.
static int
set_up (void **state)
{
    static fixture_t fixture;

    fixture = (fixture_t){.loop = loop_new (1000),
                          .metrics = metrics_new (100),
                          .settings = {.endpoint = "http://127.0.0.1:9",
                                       .interval_seconds = 60,
                                       .queue_max = 2,
                                       .timeout_seconds = 1}};
    *state = &fixture;
    return fixture.loop && fixture.metrics ? 0 : -1;
}

static int
tear_down (void **state)
{
    fixture_t *self = *state;

    otlp_destroy (&self->otlp);
    loop_destroy (&self->loop);
    metrics_destroy (&self->metrics);
    return 0;
}

static int
open_it (fixture_t *self, reason_t *why)
{
    return otlp_open (&self->otlp, self->loop, &self->settings, "cmlwatch-test", self->metrics,
                      why);
}

static double
value_of (fixture_t *self, const char *name, const char *const labels [])
{
    return metric_value (metrics_with (self->metrics, METRIC_GAUGE, name, "", labels));
}

static void
off_is_no_exporter_and_no_metric_and_every_function_takes_it (void **state)
{
    fixture_t *self = *state;
    reason_t why = {0};
    _cleanup_ (buffer_clear) buffer_t text = {0};
    span_t span = {.name = "n", .kind = SPAN_INTERNAL, .own = trace_context_begin (1)};
    self->settings.endpoint [0] = '\0';

    assert_int_equal (open_it (self, &why), 0);

    assert_null (self->otlp);
    assert_false (otlp_wants (self->otlp, &span.own));
    otlp_span (self->otlp, &span);
    assert_null (tracing_new (self->otlp, 1));
    metrics_write (self->metrics, &text);
    assert_null (strstr (text.data, "otlp"));
}

static void
only_sampled_traces_are_wanted (void **state)
{
    fixture_t *self = *state;
    reason_t why = {0};
    trace_context_t sampled = trace_context_begin (1), other = trace_context_begin (0), none = {0};

    assert_int_equal (open_it (self, &why), 0);

    assert_true (otlp_wants (self->otlp, &sampled));
    assert_false (otlp_wants (self->otlp, &other) || otlp_wants (self->otlp, &none));
}

static void
span_beyond_the_queue_is_dropped_and_counted (void **state)
{
    fixture_t *self = *state;
    reason_t why = {0};
    span_t span = {.name = "n", .kind = SPAN_INTERNAL, .own = trace_context_begin (1)};
    assert_int_equal (open_it (self, &why), 0);

    for (int i = 0; i < 5; i++) {
        otlp_span (self->otlp, &span);
    }
    otlp_span_lost (self->otlp);

    assert_float_equal (value_of (self, "cmlwatch_otlp_queued_spans", NULL), 2, 0);
    assert_float_equal (value_of (self, "cmlwatch_otlp_dropped_total",
                                  METRIC_LABELS ("signal", "traces", "reason", "queue_full")),
                        3, 0);
    assert_float_equal (value_of (self, "cmlwatch_otlp_dropped_total",
                                  METRIC_LABELS ("signal", "traces", "reason", "turn_full")),
                        1, 0);
}

static void
settings_that_cannot_work_are_refused_without_a_secret_in_the_sentence (void **state)
{
    fixture_t *self = *state;
    static const char *const HEADERS [] = {"secret",
                                           "=secret",
                                           "a b=secret",
                                           "a:=secret",
                                           "a=secret%0aX: y",
                                           "a=secret\n",
                                           "a=1,secret",
                                           "a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,"
                                           "a=1,a=1,a=1,secret=1"};
    reason_t why = {0};

    for (size_t i = 0; i < sizeof HEADERS / sizeof *HEADERS; i++) {
        snprintf (self->settings.headers, sizeof self->settings.headers, "%s", HEADERS [i]);
        assert_int_equal (otlp_check (&self->settings, &why), -EINVAL);
        assert_null (strstr (why.text, "secret"));
        assert_true (open_it (self, &why) < 0);
    }
    snprintf (self->settings.headers, sizeof self->settings.headers, " a=b%%20c=%%,, d= ,");
    assert_int_equal (otlp_check (&self->settings, &why), 0);
    snprintf (self->settings.endpoint, sizeof self->settings.endpoint, "collector:4318");
    assert_int_equal (otlp_check (&self->settings, &why), -EINVAL);
}

//  A request's scope ends with its answer; whoever waits goes back into the one it came from.
static void
scope_is_entered_and_left (void **state)
{
    fixture_t *self = *state;
    reason_t why = {0};
    assert_int_equal (open_it (self, &why), 0);
    _cleanup_ (tracing_destroy) tracing_t *tracing = tracing_new (self->otlp, 1);
    tracing_scope_t round = tracing_begin (tracing), request = round;
    request.request = trace_context_child (&round.round);

    tracing_scope_t outside = tracing_enter (tracing, &round);
    tracing_scope_t before = tracing_enter (tracing, &request);
    tracing_scope_t within = tracing_scope (tracing);
    tracing_enter (tracing, &before);
    tracing_scope_t after = tracing_scope (tracing);

    assert_false (trace_context_is_set (tracing_parent (&outside)));
    assert_memory_equal (tracing_parent (&within), &request.request, sizeof request.request);
    assert_memory_equal (tracing_parent (&after), &round.round, sizeof round.round);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (off_is_no_exporter_and_no_metric_and_every_function_takes_it),
        TEST (only_sampled_traces_are_wanted),
        TEST (span_beyond_the_queue_is_dropped_and_counted),
        TEST (settings_that_cannot_work_are_refused_without_a_secret_in_the_sentence),
        TEST (scope_is_entered_and_left),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

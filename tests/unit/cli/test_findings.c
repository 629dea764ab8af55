//  What the doctor makes of what it sees.

#include "../../../common/cleanup.h"
#include "../../../gateway/cli/findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define START ((time_us_t) 1795244038 * SECOND_US)

static const finding_t *
found (const findings_t *findings, const char *check)
{
    for (size_t i = 0; i < findings->count; i++) {
        if (strcmp (findings->list [i].check, check) == 0) {
            return &findings->list [i];
        }
    }
    fail_msg ("no finding %s", check);
    return NULL;
}

static verdict_t
verdict (const findings_t *findings, const char *check)
{
    return found (findings, check)->verdict;
}

//  count heartbeats, one a second, that come late by so much each.
static stream_seen_t
seen (size_t count, const time_us_t *late)
{
    stream_seen_t stream = {.type = "text/event-stream",
                            .cache_control = "no-store, no-transform",
                            .accel = "no",
                            .began = START,
                            .watched = (time_us_t) count * SECOND_US + SECOND_US / 2,
                            .first_byte = MS_US,
                            .interval = SECOND_US,
                            .count = count};

    for (size_t i = 0; i < count; i++) {
        time_us_t sent = START + (time_us_t) i * SECOND_US;
        stream.beats [i] = (beat_t){.server = sent, .arrived = sent + late [i]};
    }
    return stream;
}

static const time_us_t PROMPT [5] = {MS_US, 2 * MS_US, MS_US, 30 * MS_US, MS_US};

static void
a_good_stream_has_nothing_to_cure (void **state)
{
    stream_seen_t stream = seen (5, PROMPT);
    findings_t findings = {0};
    (void) state;

    judge_headers (&findings, &stream);
    judge_flow (&findings, &stream);
    judge_latency (&findings, 2 * MS_US);
    judge_clock (&findings, &stream, 2 * MS_US);

    assert_int_equal (findings_worst (&findings), VERDICT_OK);
    for (size_t i = 0; i < findings.count; i++) {
        assert_string_equal (findings.list [i].cure, "");
    }
}

static void
heartbeats_that_come_together_were_held (void **state)
{
    static const time_us_t LATE [5] = {3 * SECOND_US, 2 * SECOND_US, SECOND_US, MS_US, MS_US};
    stream_seen_t stream = seen (5, LATE);
    findings_t findings = {0};
    (void) state;

    judge_flow (&findings, &stream);

    assert_int_equal (verdict (&findings, "buffering"), VERDICT_FAIL);
    assert_non_null (strstr (found (&findings, "buffering")->detail, "4 heartbeats"));
    assert_non_null (strstr (found (&findings, "buffering")->detail, "3.0 s"));
    assert_non_null (strstr (found (&findings, "buffering")->cure, "proxy_buffering off"));
}

static void
heartbeats_that_were_sent_together_too_were_not (void **state)
{
    stream_seen_t stream = seen (5, PROMPT);
    findings_t findings = {0};
    (void) state;
    for (size_t i = 0; i < 5; i++) {  //  a gateway that caught up
        stream.beats [i].server = START + (time_us_t) i * MS_US;
        stream.beats [i].arrived = stream.beats [i].server + MS_US;
    }

    judge_flow (&findings, &stream);

    assert_int_equal (verdict (&findings, "buffering"), VERDICT_OK);
}

static void
a_stream_without_a_byte_is_held_on_the_way (void **state)
{
    stream_seen_t stream = {.watched = 6 * SECOND_US, .interval = SECOND_US};
    findings_t findings = {0};
    (void) state;

    judge_flow (&findings, &stream);

    assert_int_equal (findings.count, 1);
    assert_int_equal (verdict (&findings, "first-byte"), VERDICT_FAIL);
}

static void
silence_of_two_and_a_half_heartbeats_is_a_failure (void **state)
{
    stream_seen_t stream = seen (2, PROMPT);
    findings_t findings = {0}, later = {0};
    (void) state;

    stream.watched = 3400 * MS_US;  //  2.4 s after the second
    judge_flow (&findings, &stream);
    stream.watched = 3600 * MS_US;
    judge_flow (&later, &stream);

    assert_int_equal (verdict (&findings, "heartbeats"), VERDICT_OK);
    assert_int_equal (verdict (&later, "heartbeats"), VERDICT_FAIL);
}

static void
headers_are_judged_one_by_one (void **state)
{
    stream_seen_t stream = {.type = "text/event-stream; charset=utf-8",
                            .cache_control = "private",
                            .accel = "yes",
                            .encoding = "gzip"};
    findings_t findings = {0}, other = {0};
    (void) state;

    judge_headers (&findings, &stream);
    judge_headers (&other, &(stream_seen_t){.type = "text/html\033[2J", .via = "1.1 cdn"});

    assert_int_equal (verdict (&findings, "content-type"), VERDICT_WARN);
    assert_int_equal (verdict (&findings, "cache-control"), VERDICT_FAIL);
    assert_int_equal (verdict (&findings, "x-accel"), VERDICT_WARN);
    assert_int_equal (verdict (&findings, "encoding"), VERDICT_WARN);
    assert_int_equal (verdict (&other, "content-type"), VERDICT_FAIL);
    assert_null (strchr (found (&other, "content-type")->detail, '\033'));
    assert_int_equal (verdict (&other, "x-accel"), VERDICT_OK);  //  nginx takes it and obeys
    assert_non_null (strstr (found (&other, "proxy")->detail, "1.1 cdn"));
}

static void
clocks_are_compared_by_the_quickest_heartbeat (void **state)
{
    static const struct {
        time_us_t late;
        verdict_t verdict;
        const char *detail;
    } CASES [] = {{900 * MS_US, VERDICT_OK, "ahead"},
                  {2 * SECOND_US, VERDICT_WARN, "2.000 s ahead"},
                  {-2 * SECOND_US, VERDICT_WARN, "2.000 s behind"},
                  {90 * SECOND_US, VERDICT_FAIL, "90.000 s ahead"}};
    (void) state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const time_us_t late [3] = {CASES [i].late + 5 * SECOND_US, CASES [i].late + 50 * MS_US,
                                    CASES [i].late + 2 * SECOND_US};
        stream_seen_t stream = seen (3, late);
        findings_t findings = {0};

        judge_clock (&findings, &stream, 100 * MS_US);

        assert_int_equal (verdict (&findings, "clock"), CASES [i].verdict);
        assert_non_null (strstr (found (&findings, "clock")->detail, CASES [i].detail));
    }
}

static void
findings_are_a_line_each_and_json (void **state)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    _cleanup_ (buffer_clear) buffer_t json = {0};
    findings_t findings = {0};
    (void) state;
    findings_add (&findings, "one", VERDICT_OK, "never shown", "%d", 1);
    findings_add (&findings, "two", VERDICT_WARN, "do this", "a \"b\"");

    findings_write_text (&findings, false, &text);
    findings_write_json (&findings, "http://x", &json);

    assert_string_equal (text.data, "ok    one              1\n"
                                    "warn  two              a \"b\" -> do this\n");
    assert_string_equal (
        json.data,
        "{\"url\":\"http://x\",\"verdict\":\"warn\",\"checks\":[{\"check\":\"one\",\"verdict\":"
        "\"ok\",\"detail\":\"1\",\"cure\":null},{\"check\":\"two\",\"verdict\":\"warn\","
        "\"detail\":\"a \\\"b\\\"\",\"cure\":\"do this\"}]}\n");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (a_good_stream_has_nothing_to_cure),
        cmocka_unit_test (heartbeats_that_come_together_were_held),
        cmocka_unit_test (heartbeats_that_were_sent_together_too_were_not),
        cmocka_unit_test (a_stream_without_a_byte_is_held_on_the_way),
        cmocka_unit_test (silence_of_two_and_a_half_heartbeats_is_a_failure),
        cmocka_unit_test (headers_are_judged_one_by_one),
        cmocka_unit_test (clocks_are_compared_by_the_quickest_heartbeat),
        cmocka_unit_test (findings_are_a_line_each_and_json),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

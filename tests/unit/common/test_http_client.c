#include "http_rig.h"

static void
answer_carries_status_body_type_date_and_retry_after (void **state)
{
    fixture_t *self = *state;
    time_us_t date;
    self->server.reply = "HTTP/1.1 503 Slow Down\r\nContent-Type: text/xml\r\nRetry-After: 7\r\n"
                         "Date: Fri, 20 Nov 2026 10:30:00 GMT\r\nContent-Length: 5\r\n\r\n<no/>";
    assert_int_equal (clock_parse ("2026-11-20T10:30:00Z", &date), 0);

    heard_t heard = get (self->url);

    assert_int_equal (heard.outcome, HTTP_ANSWERED);
    assert_int_equal (heard.status, 503);
    assert_int_equal (heard.size, 5);
    assert_string_equal (heard.body, "<no/>");
    assert_string_equal (heard.content_type, "text/xml");
    assert_true (heard.date == date);
    assert_int_equal (heard.retry_after_seconds, 7);
    assert_float_equal (ended ("answered"), 1, 0);
}

static void
absent_headers_and_an_empty_body_are_said_to_be_absent (void **state)
{
    fixture_t *self = *state;
    self->server.reply = "HTTP/1.1 204 No Content\r\n\r\n";

    heard_t heard = get (self->url);

    assert_int_equal (heard.status, 204);
    assert_string_equal (heard.body, "");
    assert_string_equal (heard.content_type, "");
    assert_true (heard.date == TIME_UNKNOWN);
    assert_int_equal (heard.retry_after_seconds, -1);
}

static void
post_sends_body_and_headers_as_they_are_and_asks_for_no_continue (void **state)
{
    fixture_t *self = *state;
    self->server.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    static const char *const HEADERS [] = {"Content-Type: application/json", "X-Own: 1", NULL};
    char body [] = "{\"a\":1}";
    heard_t heard = {0};

    http_client_send (self->client,
                      &(http_request_t){.method = "POST",
                                        .url = self->url,
                                        .headers = HEADERS,
                                        .body = body,
                                        .body_size = strlen (body)},
                      on_answer, &heard, NULL);
    memset (body, 'x', strlen (body));  //  all was copied
    run_until (&heard.count, 1);

    assert_non_null (strstr (self->server.heard.data, "POST / HTTP/1.1\r\n"));
    assert_non_null (strstr (self->server.heard.data, "Content-Type: application/json\r\n"));
    assert_non_null (strstr (self->server.heard.data, "X-Own: 1\r\n"));
    assert_null (strstr (self->server.heard.data, "Expect:"));
    assert_non_null (strstr (self->server.heard.data, "\r\n\r\n{\"a\":1}"));
}

static void
methods_with_and_without_a_body_reach_the_server_under_their_names (void **state)
{
    fixture_t *self = *state;
    self->server.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    ask (&(http_request_t){.method = "DELETE", .url = self->url});
    assert_ptr_equal (strstr (self->server.heard.data, "DELETE / HTTP/1.1\r\n"),
                      self->server.heard.data);
    assert_null (strstr (self->server.heard.data, "Content-Length"));

    ask (&(http_request_t){.method = "PUT", .url = self->url});
    assert_ptr_equal (strstr (self->server.heard.data, "PUT / HTTP/1.1\r\n"),
                      self->server.heard.data);
    assert_non_null (strstr (self->server.heard.data, "Content-Length: 0\r\n"));

    ask (&(http_request_t){.method = "PUT", .url = self->url, .body = "on", .body_size = 2});
    assert_non_null (strstr (self->server.heard.data, "\r\n\r\non"));
}

static void
aws_request_is_signed_with_region_service_and_token (void **state)
{
    fixture_t *self = *state;
    self->server.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    http_signature_t signature = {"eu-west-3", "ec2", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG",
                                  "tok"};

    ask (&(http_request_t){.method = "POST",
                           .url = self->url,
                           .body = "Action=X",
                           .body_size = 8,
                           .signature = &signature});

    const char *request = self->server.heard.data;
    assert_non_null (strstr (request, "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
    assert_non_null (strstr (request, "/eu-west-3/ec2/aws4_request"));
    assert_non_null (strstr (request, "x-amz-security-token"));
    assert_non_null (strstr (request, "X-Amz-Security-Token: tok\r\n"));
    assert_null (strstr (request, "wJalrXUtnFEMI"));
}

static void
refused_connection_is_unreachable_and_named_by_its_host (void **state)
{
    fixture_t *self = *state;
    server_t gone = {0};
    char url [64], host [32];
    server_open (&gone);
    server_close (&gone);
    snprintf (url, sizeof url, "http://127.0.0.1:%d/secret?token=1", gone.port);
    snprintf (host, sizeof host, "127.0.0.1:%d", gone.port);

    heard_t heard = get (url);

    assert_int_equal (heard.outcome, HTTP_UNREACHABLE);
    assert_non_null (strstr (heard.why.text, host));
    assert_null (strstr (heard.why.text, "token"));
    assert_string_equal (heard.body, "");
    assert_float_equal (ended ("unreachable"), 1, 0);
    (void) self;
}

static void
silent_server_runs_into_the_timeout (void **state)
{
    fixture_t *self = *state;
    self->server.reply = NULL;

    heard_t heard = ask (&(http_request_t){.method = "GET", .url = self->url, .total_ms = 60});

    assert_int_equal (heard.outcome, HTTP_TIMED_OUT);
    assert_float_equal (ended ("timeout"), 1, 0);
}

static void
answer_over_its_bound_is_refused_whether_announced_or_not (void **state)
{
    fixture_t *self = *state;
    http_request_t request = {.method = "GET", .url = self->url, .answer_max = 4};

    self->server.closes = true;
    self->server.reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345";
    heard_t announced = ask (&request);
    self->server.reply = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n12345";
    heard_t streamed = ask (&request);
    self->server.reply = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n1234";
    heard_t exact = ask (&request);

    assert_int_equal (announced.outcome, HTTP_TOO_LARGE);
    assert_non_null (strstr (announced.why.text, "4 bytes"));
    assert_int_equal (streamed.outcome, HTTP_TOO_LARGE);
    assert_string_equal (streamed.body, "");
    assert_int_equal (exact.outcome, HTTP_ANSWERED);
    assert_string_equal (exact.body, "1234");
}

static void
answer_that_is_cut_off_or_not_http_is_broken (void **state)
{
    fixture_t *self = *state;
    static const char *const REPLIES [] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", "220 mail.example ESMTP\r\n", "",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
    self->server.closes = true;

    for (size_t i = 0; i < sizeof REPLIES / sizeof *REPLIES; i++) {
        self->server.reply = REPLIES [i];
        heard_t heard = get (self->url);
        assert_int_equal (heard.outcome, HTTP_BROKEN);
        assert_string_equal (heard.body, "");
        assert_non_null (strstr (heard.why.text, "127.0.0.1"));
    }
    assert_float_equal (ended ("broken"), 4, 0);
}

static void
redirect_is_an_answer_and_not_followed (void **state)
{
    fixture_t *self = *state;
    self->server.reply =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";

    assert_int_equal (get (self->url).status, 302);
    assert_int_equal (self->server.requests, 1);
}

static void
what_cannot_be_sent_is_refused_at_once_with_a_sentence (void **state)
{
    fixture_t *self = *state;
    static const char *const BROKEN_HEADERS [] = {"A: b\r\nInjected: 1", NULL};
    const struct {
        http_request_t request;
        const char *said;
    } rows [] = {
        {{.method = "GET", .url = "not a url"}, "not a url"},
        {{.method = "GET", .url = ""}, "no URL"},
        {{.method = "GET", .url = "file:///etc/passwd"}, "neither http nor https"},
        {{.method = "GET", .url = "http://u:hidden@127.0.0.1/"}, "127.0.0.1"},
        {{.method = "GET", .url = self->url, .headers = BROKEN_HEADERS}, "line break"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heard_t heard = {0};
        reason_t why = {0};
        assert_null (http_client_send (self->client, &rows [i].request, on_answer, &heard, &why));
        assert_non_null (strstr (why.text, rows [i].said));
        assert_null (strstr (why.text, "hidden"));
        assert_int_equal (heard.count, 0);
    }
    assert_int_equal (self->server.accepted, 0);
}

static void
connection_is_kept_and_used_again (void **state)
{
    fixture_t *self = *state;
    self->server.reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    for (int i = 0; i < 5; i++) {
        assert_string_equal (get (self->url).body, "ok");
    }

    assert_int_equal (self->server.accepted, 1);
    assert_int_equal (self->server.requests, 5);
}

static void
no_more_connections_to_a_host_than_allowed_and_all_are_answered (void **state)
{
    fixture_t *self = *state;
    self->server.reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    heard_t heard = {0};

    for (int i = 0; i < 20; i++) {
        assert_non_null (http_client_send (self->client,
                                           &(http_request_t){.method = "GET", .url = self->url},
                                           on_answer, &heard, NULL));
    }
    run_until (&heard.count, 20);

    assert_int_equal (self->server.requests, 20);
    assert_in_range (self->server.open_most, 1, 2);
}

typedef struct chain {
    int answers;
    http_call_t *other;
} chain_t;

static void
on_link (void *argument, const http_answer_t *answer)
{
    chain_t *chain = argument;

    assert_int_equal (answer->outcome, HTTP_ANSWERED);
    if (chain->other) {
        http_call_cancel (&chain->other);
    }
    if (++chain->answers < 3) {
        assert_non_null (http_client_send (here->client,
                                           &(http_request_t){.method = "GET", .url = here->url},
                                           on_link, chain, NULL));
    }
}

static void
never_called (void *argument, const http_answer_t *answer)
{
    (void) argument, (void) answer;
    fail_msg ("a call that was given up has been answered");
}

static void
keep_outcome (void *argument, const http_answer_t *answer)
{
    *(http_outcome_t *) argument = answer->outcome;
}

static void
answer_function_may_send_and_cancel (void **state)
{
    fixture_t *self = *state;
    server_t silent = {0};
    char url [64];
    chain_t chain = {0};
    server_open (&silent);
    snprintf (url, sizeof url, "http://127.0.0.1:%d/", silent.port);
    self->server.reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    chain.other = http_client_send (self->client, &(http_request_t){.method = "GET", .url = url},
                                    never_called, NULL, NULL);
    http_client_send (self->client, &(http_request_t){.method = "GET", .url = self->url}, on_link,
                      &chain, NULL);
    run_until (&chain.answers, 3);

    assert_null (chain.other);
    server_close (&silent);
}

static void
cancelled_call_is_never_answered_nor_counted (void **state)
{
    fixture_t *self = *state;
    heard_t heard = {0};
    http_call_t *never =
        http_client_send (self->client, &(http_request_t){.method = "GET", .url = self->url},
                          never_called, NULL, NULL);
    http_call_t *early =
        http_client_send (self->client, &(http_request_t){.method = "GET", .url = self->url},
                          never_called, NULL, NULL);

    http_call_cancel (&early);
    run_until (&self->server.requests, 1);
    http_call_cancel (&never);
    self->server.reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    heard = get (self->url);

    assert_null (never);
    assert_string_equal (heard.body, "ok");
    assert_float_equal (ended ("answered"), 1, 0);
}

static void
destroyed_client_drops_what_is_under_way (void **state)
{
    fixture_t *self = *state;
    for (int i = 0; i < 4; i++) {
        http_client_send (self->client, &(http_request_t){.method = "GET", .url = self->url},
                          never_called, NULL, NULL);
    }
    run_until (&self->server.requests, 2);

    http_client_destroy (&self->client);
    loop_turn (self->loop, 0);

    assert_null (self->client);
}

static void
name_that_does_not_exist_is_unreachable_and_giving_up_on_it_does_not_wait (void **state)
{
    fixture_t *self = *state;
    http_outcome_t outcome = HTTP_ANSWERED;
    http_call_t *call = http_client_send (
        self->client, &(http_request_t){.method = "GET", .url = "http://nowhere.invalid/"},
        keep_outcome, &outcome, NULL);
    loop_turn (self->loop, 0);
    time_us_t before = clock_now ().steady;

    if (outcome == HTTP_ANSWERED) {  //  where no name server is asked, it is known already
        http_call_cancel (&call);
        assert_true (clock_now ().steady - before < SECOND_US);
    } else {
        assert_int_equal (outcome, HTTP_UNREACHABLE);
    }
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (answer_carries_status_body_type_date_and_retry_after),
        TEST (absent_headers_and_an_empty_body_are_said_to_be_absent),
        TEST (post_sends_body_and_headers_as_they_are_and_asks_for_no_continue),
        TEST (methods_with_and_without_a_body_reach_the_server_under_their_names),
        TEST (aws_request_is_signed_with_region_service_and_token),
        TEST (refused_connection_is_unreachable_and_named_by_its_host),
        TEST (silent_server_runs_into_the_timeout),
        TEST (answer_over_its_bound_is_refused_whether_announced_or_not),
        TEST (answer_that_is_cut_off_or_not_http_is_broken),
        TEST (redirect_is_an_answer_and_not_followed),
        TEST (what_cannot_be_sent_is_refused_at_once_with_a_sentence),
        TEST (connection_is_kept_and_used_again),
        TEST (no_more_connections_to_a_host_than_allowed_and_all_are_answered),
        TEST (answer_function_may_send_and_cancel),
        TEST (cancelled_call_is_never_answered_nor_counted),
        TEST (destroyed_client_drops_what_is_under_way),
        TEST (name_that_does_not_exist_is_unreachable_and_giving_up_on_it_does_not_wait),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

// test_sigv4.c - our verifier against the signatures that AWS publishes
// (awslabs/aws-c-auth and botocore, tests of the "aws4" suite; reference api-facts 3.3).

#include "../../simulator/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>  //  needs the four above it

#include <string.h>

#define SECRET  "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define AT      1440938160000000  //  2015-08-30T12:36:00Z
#define MINUTES (60 * SECOND_US)
#define HOST                            \
    {                                   \
        "Host", "example.amazonaws.com" \
    }
#define DATE                             \
    {                                    \
        "X-Amz-Date", "20150830T123600Z" \
    }
#define FORM "application/x-www-form-urlencoded"
#define TOKEN                                                                           \
    "AQoDYXdzEPT//////////"                                                             \
    "wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIe"        \
    "oIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/"                                                \
    "kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0"                       \
    "wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+" \
    "scqKmlzm8FDr"                                                                      \
    "ypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

#define SHORT_TOKEN "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"

#define AUTHORIZATION(headers, signature)                                               \
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " \
    "SignedHeaders=" headers ", Signature=" signature

typedef struct vector {
    const char *method, *query;
    sigv4_header_t headers [5];
    const char *body;
    const char *signature;
} vector_t;

static sigv4_request_t
request_of (const vector_t *vector)
{
    sigv4_request_t request = {.method = vector->method,
                               .path = "/",
                               .query = vector->query,
                               .headers = vector->headers,
                               .body = vector->body,
                               .body_size = strlen (vector->body)};

    while (request.header_count < 5 && vector->headers [request.header_count].name) {
        request.header_count++;
    }
    return request;
}

static sigv4_verdict_t
verify_at (const vector_t *vector, const char *secret, time_us_t wall)
{
    const sigv4_request_t request = request_of (vector);
    sigv4_claim_t claim;

    sigv4_verdict_t verdict = sigv4_read (&request, &claim, NULL);
    return verdict == SIGV4_RIGHT ? sigv4_verify (&request, &claim, secret, wall, NULL) : verdict;
}

#define GET_VANILLA "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

static const vector_t VANILLA = {
    "GET",
    "",
    {HOST, DATE, {"Authorization", AUTHORIZATION ("host;x-amz-date", GET_VANILLA)}},
    "",
    GET_VANILLA};

static void
published_signature_of_get_vanilla_is_right (void **state)
{
    (void) state;

    assert_int_equal (verify_at (&VANILLA, SECRET, AT), SIGV4_RIGHT);
}

static void
published_signature_of_a_form_is_right (void **state)
{
    (void) state;
    const vector_t vector = {
        "POST",
        "",
        {HOST,
         DATE,
         {"Content-Type", FORM},
         {"Authorization",
          AUTHORIZATION ("content-type;host;x-amz-date",
                         "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a")}},
        "Param1=value1",
        ""};

    assert_int_equal (verify_at (&vector, SECRET, AT), SIGV4_RIGHT);
}

static void
published_signature_of_a_form_with_parameters_is_right (void **state)
{
    (void) state;
    const vector_t vector = {
        "POST",
        "",
        {HOST,
         DATE,
         {"Content-Type", FORM "; charset=utf8"},
         {"Authorization",
          AUTHORIZATION ("content-type;host;x-amz-date",
                         "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe")}},
        "Param1=value1",
        ""};

    assert_int_equal (verify_at (&vector, SECRET, AT), SIGV4_RIGHT);
}

static void
published_signature_with_a_session_token_is_right (void **state)
{
    (void) state;
    const vector_t vector = {
        "GET",
        "",
        {HOST,
         DATE,
         {"X-Amz-Security-Token", SHORT_TOKEN},
         {"Authorization",
          AUTHORIZATION ("host;x-amz-date;x-amz-security-token",
                         "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8")}},
        "",
        ""};

    assert_int_equal (verify_at (&vector, SECRET, AT), SIGV4_RIGHT);
}

static void
published_signature_of_a_post_with_the_token_signed_is_right (void **state)
{
    (void) state;
    const vector_t vector = {
        "POST",
        "",
        {HOST,
         DATE,
         {"X-Amz-Security-Token", TOKEN},
         {"Authorization",
          AUTHORIZATION ("host;x-amz-date;x-amz-security-token",
                         "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead")}},
        "",
        ""};

    assert_int_equal (verify_at (&vector, SECRET, AT), SIGV4_RIGHT);
}

static void
published_signature_of_an_unsorted_query_is_right (void **state)
{
    (void) state;
    const vector_t vector = {
        "GET",
        "Param2=value2&Param1=value1",
        {HOST,
         DATE,
         {"Authorization",
          AUTHORIZATION ("host;x-amz-date",
                         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500")}},
        "",
        ""};

    assert_int_equal (verify_at (&vector, SECRET, AT), SIGV4_RIGHT);
}

static void
another_secret_gives_another_signature (void **state)
{
    (void) state;

    assert_int_equal (verify_at (&VANILLA, "wrong", AT), SIGV4_WRONG);
}

static void
a_changed_body_spoils_the_signature (void **state)
{
    (void) state;
    vector_t vector = VANILLA;
    vector.body = "x";

    assert_int_equal (verify_at (&vector, SECRET, AT), SIGV4_WRONG);
}

static void
a_header_that_was_signed_but_not_sent_spoils_the_signature (void **state)
{
    (void) state;
    vector_t vector = VANILLA;
    vector.headers [2].value = AUTHORIZATION ("expect;host;x-amz-date", GET_VANILLA);

    assert_int_equal (verify_at (&vector, SECRET, AT), SIGV4_WRONG);
}

static void
runs_of_blanks_in_a_header_count_as_one (void **state)
{
    (void) state;
    const vector_t one = {"GET", "", {HOST, DATE, {"My-Header", "a b c"}}, "", ""};
    const vector_t many = {"GET", "", {HOST, DATE, {"My-Header", "  a   b  c "}}, "", ""};
    const sigv4_claim_t claim = {.date = "20150830",
                                 .region = "us-east-1",
                                 .service = "service",
                                 .signed_headers = "host;my-header;x-amz-date",
                                 .time = "20150830T123600Z"};
    char first [SIGV4_HEX_SIZE], second [SIGV4_HEX_SIZE];

    const sigv4_request_t tidy = request_of (&one), untidy = request_of (&many);
    sigv4_sign (&tidy, &claim, SECRET, first);
    sigv4_sign (&untidy, &claim, SECRET, second);

    assert_string_equal (first, second);
}

static void
a_query_is_sorted_by_name_before_value (void **state)
{
    (void) state;
    const vector_t one = {"GET", "a=2&a-b=1&a.c=", {HOST, DATE}, "", ""};
    const vector_t other = {"GET", "a.c&a-b=1&a=2", {HOST, DATE}, "", ""};
    const sigv4_claim_t claim = {.date = "20150830",
                                 .region = "us-east-1",
                                 .service = "service",
                                 .signed_headers = "host;x-amz-date",
                                 .time = "20150830T123600Z"};
    char first [SIGV4_HEX_SIZE], second [SIGV4_HEX_SIZE];

    const sigv4_request_t sorted = request_of (&one), unsorted = request_of (&other);
    sigv4_sign (&sorted, &claim, SECRET, first);
    sigv4_sign (&unsorted, &claim, SECRET, second);

    assert_string_equal (first, second);
}

static void
five_minutes_of_skew_are_borne_and_no_more (void **state)
{
    (void) state;

    assert_int_equal (verify_at (&VANILLA, SECRET, AT + 5 * MINUTES), SIGV4_RIGHT);
    assert_int_equal (verify_at (&VANILLA, SECRET, AT + 5 * MINUTES + 1), SIGV4_EXPIRED);
    assert_int_equal (verify_at (&VANILLA, SECRET, AT - 5 * MINUTES), SIGV4_RIGHT);
    assert_int_equal (verify_at (&VANILLA, SECRET, AT - 5 * MINUTES - 1), SIGV4_EARLY);
}

static void
what_lacks_in_a_request_is_told_apart (void **state)
{
    (void) state;
    const vector_t unsigned_one = {"GET", "", {HOST, DATE}, "", ""};
    const vector_t other_way = {"GET", "", {HOST, DATE, {"Authorization", "Bearer x"}}, "", ""};
    const vector_t undated = {"GET", "", {HOST, VANILLA.headers [2]}, "", ""};
    const vector_t half = {
        "GET",
        "",
        {HOST, DATE, {"Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/x"}},
        "",
        ""};

    assert_int_equal (verify_at (&unsigned_one, SECRET, AT), SIGV4_MISSING);
    assert_int_equal (verify_at (&other_way, SECRET, AT), SIGV4_INCOMPLETE);
    assert_int_equal (verify_at (&undated, SECRET, AT), SIGV4_INCOMPLETE);
    assert_int_equal (verify_at (&half, SECRET, AT), SIGV4_INCOMPLETE);
}

static void
a_scope_of_another_day_than_the_date_is_refused (void **state)
{
    (void) state;
    vector_t vector = VANILLA;
    vector.headers [1].value = "20150831T000000Z";

    assert_int_equal (verify_at (&vector, SECRET, AT + 12 * HOUR_US), SIGV4_INCOMPLETE);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (published_signature_of_get_vanilla_is_right),
        cmocka_unit_test (published_signature_of_a_form_is_right),
        cmocka_unit_test (published_signature_of_a_form_with_parameters_is_right),
        cmocka_unit_test (published_signature_with_a_session_token_is_right),
        cmocka_unit_test (published_signature_of_a_post_with_the_token_signed_is_right),
        cmocka_unit_test (published_signature_of_an_unsorted_query_is_right),
        cmocka_unit_test (another_secret_gives_another_signature),
        cmocka_unit_test (a_changed_body_spoils_the_signature),
        cmocka_unit_test (a_header_that_was_signed_but_not_sent_spoils_the_signature),
        cmocka_unit_test (runs_of_blanks_in_a_header_count_as_one),
        cmocka_unit_test (a_query_is_sorted_by_name_before_value),
        cmocka_unit_test (five_minutes_of_skew_are_borne_and_no_more),
        cmocka_unit_test (what_lacks_in_a_request_is_told_apart),
        cmocka_unit_test (a_scope_of_another_day_than_the_date_is_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

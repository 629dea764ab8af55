#include "../../../collector/aws/endpoints.h"
#include "../../../collector/aws/fault.h"
#include "../../../common/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

typedef struct variable {
    const char *name, *value;
} variable_t;

static const variable_t *environment;  //  of the test that runs; getenv has no argument

static const char *
read_variable (const char *name)
{
    for (const variable_t *v = environment; v && v->name; v++) {
        if (strcmp (v->name, name) == 0) {
            return v->value;
        }
    }
    return NULL;
}

//  --- endpoints

static const char *
endpoint (const variable_t *variables, const aws_service_t *service, const char *region)
{
    static char url [AWS_URL_SIZE];
    environment = variables;
    return aws_endpoint (service, region, read_variable, url, NULL) == 0 ? url : NULL;
}

static void
endpoint_is_the_regions_own_in_each_partition (void **state)
{
    (void) state;

    assert_string_equal (endpoint (NULL, &AWS_EC2, "us-east-1"),
                         "https://ec2.us-east-1.amazonaws.com/");
    assert_string_equal (endpoint (NULL, &AWS_CLOUDWATCH, "eu-central-1"),
                         "https://monitoring.eu-central-1.amazonaws.com/");
    assert_string_equal (endpoint (NULL, &AWS_EC2, "cn-north-1"),
                         "https://ec2.cn-north-1.amazonaws.com.cn/");
    assert_string_equal (endpoint (NULL, &AWS_EC2, "us-gov-west-1"),
                         "https://ec2.us-gov-west-1.amazonaws.com/");
}

static void
services_own_variable_wins_over_the_common_one (void **state)
{
    (void) state;
    const variable_t variables [] = {{"AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:1"},
                                     {"AWS_ENDPOINT_URL", "http://127.0.0.1:2/"},
                                     {0}};

    assert_string_equal (endpoint (variables, &AWS_EC2, "us-east-1"), "http://127.0.0.1:1/");
    assert_string_equal (endpoint (variables, &AWS_CLOUDWATCH, "us-east-1"), "http://127.0.0.1:2/");
}

static void
configured_endpoints_can_be_ignored (void **state)
{
    (void) state;
    const variable_t variables [] = {{"AWS_ENDPOINT_URL", "http://127.0.0.1:2/"},
                                     {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"},
                                     {0}};

    assert_string_equal (endpoint (variables, &AWS_EC2, "us-east-1"),
                         "https://ec2.us-east-1.amazonaws.com/");
}

static void
region_that_is_no_name_never_becomes_a_host (void **state)
{
    (void) state;
    const char *const wrong [] = {"", "us east", "us-east-1/", "evil.example#", "US-EAST-1", "a@b"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_null (endpoint (NULL, &AWS_EC2, wrong [i]));
    }
    assert_null (endpoint ((variable_t []){{"AWS_ENDPOINT_URL", "127.0.0.1:1"}, {0}}, &AWS_EC2,
                           "us-east-1"));
}

static void
list_of_regions_names_the_wrong_one (void **state)
{
    (void) state;
    reason_t why = {0};

    assert_int_equal (aws_regions_check ("us-east-1, eu-central-1,", &why), 0);
    assert_int_equal (aws_regions_check ("", &why), -EINVAL);
    assert_int_equal (aws_regions_check ("us-east-1,EU_WEST", &why), -EINVAL);
    assert_non_null (strstr (why.text, "'EU_WEST'"));
}

//  --- faults

static void
both_shapes_of_an_error_are_read (void **state)
{
    (void) state;
    const char *const ec2 =
        "<?xml version=\"1.0\"?><Response><Errors><Error><Code>AuthFailure</Code>"
        "<Message>no</Message></Error></Errors><RequestID>r</RequestID></Response>";
    const char *const others = "<ErrorResponse xmlns=\"http://x/\"><Error><Type>Sender</Type>"
                               "<Code>Throttling</Code><Message>Rate exceeded</Message></Error>"
                               "<RequestId>r</RequestId></ErrorResponse>";
    char code [AWS_CODE_SIZE], message [400];

    assert_true (aws_error_read (ec2, strlen (ec2), code, message));
    assert_string_equal (code, "AuthFailure");
    assert_string_equal (message, "no");
    assert_true (aws_error_read (others, strlen (others), code, message));
    assert_string_equal (code, "Throttling");
    assert_string_equal (message, "Rate exceeded");
}

static void
what_is_no_error_of_aws_is_not_taken_for_one (void **state)
{
    (void) state;
    const char *const texts [] = {"",
                                  "<html/>",
                                  "{}",
                                  "<Response/>",
                                  "<ErrorResponse><Error><Code/></Error></ErrorResponse>",
                                  "<Response><Errors><Error><Code>Auth"};
    char code [AWS_CODE_SIZE], message [400];

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_false (aws_error_read (texts [i], strlen (texts [i]), code, message));
    }
}

static void
code_decides_and_the_status_only_where_there_is_none (void **state)
{
    (void) state;
    static const struct {
        const char *code;
        int status;
        aws_fault_t fault;
        bool retry;
    } CASES [] = {
        {"IDPCommunicationError", 400, AWS_SERVER, true},
        {"InvalidIdentityToken", 400, AWS_AUTH, false},
        {"Throttling", 400, AWS_THROTTLED, true},
        {"RequestLimitExceeded", 503, AWS_THROTTLED, true},
        {"AuthFailure", 401, AWS_AUTH, false},
        {"SignatureDoesNotMatch", 403, AWS_AUTH, false},
        {"ExpiredToken", 400, AWS_AUTH, false},
        {"RequestTimeTooSkewed", 403, AWS_SKEW, false},
        {"UnauthorizedOperation", 403, AWS_DENIED, false},
        {"InternalError", 500, AWS_SERVER, true},
        {"SomethingNew", 500, AWS_SERVER, true},
        {"InvalidParameterValue", 400, AWS_REFUSED, false},
        {"", 400, AWS_REFUSED, false},
        {"", 401, AWS_AUTH, false},
        {"", 403, AWS_DENIED, false},
        {"", 429, AWS_THROTTLED, true},
        {"", 502, AWS_SERVER, true},
        {"", 302, AWS_REFUSED, false},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        aws_fault_t fault = aws_fault_of (CASES [i].code, CASES [i].status);
        assert_int_equal (fault, CASES [i].fault);
        assert_int_equal (aws_fault_is_worth_a_retry (fault), CASES [i].retry);
    }
}

static void
every_fault_has_a_name (void **state)
{
    (void) state;

    for (int i = 0; i < AWS_FAULT_COUNT; i++) {
        assert_non_null (aws_fault_name ((aws_fault_t) i));
        assert_non_null (aws_fault_remedy ((aws_fault_t) i));
    }
}

static void
clock_is_off_by_the_difference_to_the_answers_date (void **state)
{
    (void) state;
    time_us_t now = 1795000000 * SECOND_US;

    assert_int_equal (aws_skew_seconds (now, now - 400 * SECOND_US), 400);
    assert_int_equal (aws_skew_seconds (now, now + 400 * SECOND_US), -400);
    assert_int_equal (aws_skew_seconds (now, now - 30 * SECOND_US), 0);
    assert_int_equal (aws_skew_seconds (now, TIME_UNKNOWN), 0);
}

static void
fault_has_the_word_that_a_job_fails_with (void **state)
{
    (void) state;
    static const struct {
        aws_fault_t fault;
        const char *code, *word;
    } ROWS [] = {
        {AWS_DENIED, "UnauthorizedOperation", "forbidden"},
        {AWS_REFUSED, "IncorrectInstanceState", "wrong_state"},
        {AWS_REFUSED, "UnsupportedOperation", "wrong_state"},
        {AWS_REFUSED, "InvalidInstanceID.NotFound", "not_found"},
        {AWS_REFUSED, "InsufficientInstanceCapacity", "no_capacity"},
        {AWS_REFUSED, "Whatever", "refused"},
        {AWS_THROTTLED, "RequestLimitExceeded", "throttled"},
        {AWS_NETWORK, "timeout", "unreachable"},
        {AWS_AUTH, "AuthFailure", "credentials"},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        assert_string_equal (aws_fault_job_code (ROWS [i].fault, ROWS [i].code), ROWS [i].word);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (endpoint_is_the_regions_own_in_each_partition),
        cmocka_unit_test (services_own_variable_wins_over_the_common_one),
        cmocka_unit_test (configured_endpoints_can_be_ignored),
        cmocka_unit_test (region_that_is_no_name_never_becomes_a_host),
        cmocka_unit_test (list_of_regions_names_the_wrong_one),
        cmocka_unit_test (both_shapes_of_an_error_are_read),
        cmocka_unit_test (what_is_no_error_of_aws_is_not_taken_for_one),
        cmocka_unit_test (code_decides_and_the_status_only_where_there_is_none),
        cmocka_unit_test (every_fault_has_a_name),
        cmocka_unit_test (fault_has_the_word_that_a_job_fails_with),
        cmocka_unit_test (clock_is_off_by_the_difference_to_the_answers_date),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

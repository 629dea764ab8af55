#include "../../../collector/aws/origin.h"

#include "../../../common/cleanup.h"
#include "home_rig.h"

//  The origin, or null and the code and words of why there is none.
static aws_origin_t *
find (const variable_t *variables, int *code, reason_t *why)
{
    static const variable_t NONE [] = {{0}};
    aws_origin_t *origin = NULL;
    reason_t unsaid;

    environment = variables ? variables : NONE;
    int rc = aws_origin_find (read_variable, &origin, why ? why : &unsaid);
    if (code) {
        *code = rc;
    }
    return origin;
}

#define ROLE "arn:aws:iam::111122223333:role/reader"
#define NO_IMDS                             \
    {                                       \
        "AWS_EC2_METADATA_DISABLED", "true" \
    }
#define VARIABLES (const variable_t [])

#define assert_refused(variables_, code_, words_)                \
    do {                                                         \
        int code__ = 0;                                          \
        reason_t why__ = {0};                                    \
        assert_null (find (variables_, &code__, &why__));        \
        assert_int_equal (code__, code_);                        \
        if (!strstr (why__.text, words_)) {                      \
            fail_msg ("'%s' is not in: %s", words_, why__.text); \
        }                                                        \
    } while (0)

//  --- the environment

static void
keys_come_from_the_environment_with_or_without_a_token (void **state)
{
    (void) state;
    _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
        find (VARIABLES{{"AWS_ACCESS_KEY_ID", "AKID"},
                        {"AWS_SECRET_ACCESS_KEY", "secret"},
                        {"AWS_SESSION_TOKEN", ""},
                        {0}},
              NULL, NULL);

    assert_int_equal (origin->kind, AWS_ORIGIN_KEYS);
    assert_string_equal (origin->access_key_id, "AKID");
    assert_string_equal (origin->secret_access_key, "secret");
    assert_null (origin->session_token);
}

static void
half_of_a_key_is_a_fault_that_names_the_other_half (void **state)
{
    (void) state;

    assert_refused ((VARIABLES{{"AWS_ACCESS_KEY_ID", "AKID"}, {0}}), -EINVAL,
                    "AWS_SECRET_ACCESS_KEY is not");
}

static void
no_provider_names_each_place_looked_at (void **state)
{
    (void) state;
    const variable_t variables [] = {NO_IMDS, {"AWS_PROFILE", NULL}, {0}};
    reason_t why = {0};
    int code = 0;

    assert_null (find (variables, &code, &why));

    assert_int_equal (code, -ENOENT);
    static const char *const PLACES [] = {"AWS_ACCESS_KEY_ID",
                                          "AWS_SECRET_ACCESS_KEY",
                                          "AWS_SESSION_TOKEN",
                                          "AWS_WEB_IDENTITY_TOKEN_FILE",
                                          "profile 'default'",
                                          "/.aws/credentials",
                                          "/.aws/config",
                                          "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                          "AWS_EC2_METADATA_DISABLED"};
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        assert_non_null (strstr (why.text, PLACES [i]));
    }
    assert_non_null (strstr (why.text, home));
}

static void
web_identity_needs_a_role_and_names_its_session (void **state)
{
    (void) state;
    _cleanup_ (aws_origin_destroy) aws_origin_t *origin = find (
        VARIABLES{{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"}, {"AWS_ROLE_ARN", ROLE}, {0}}, NULL, NULL);

    assert_int_equal (origin->kind, AWS_ORIGIN_WEB_IDENTITY);
    assert_string_equal (origin->role_arn, ROLE);
    assert_string_equal (origin->token_file, "/t");
    assert_string_equal (origin->session_name, "cmlwatch");
    assert_refused ((VARIABLES{{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"}, {0}}), -EINVAL,
                    "AWS_ROLE_ARN");
    assert_refused ((VARIABLES{{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"},
                               {"AWS_ROLE_ARN", ROLE},
                               {"AWS_ROLE_SESSION_NAME", "two words"},
                               {0}}),
                    -EINVAL, "AWS_ROLE_SESSION_NAME");
}

//  --- the files

static void
credentials_file_wins_over_config_and_a_token_may_be_long (void **state)
{
    (void) state;
    char text [4096], token [2000];
    memset (token, 'T', sizeof token - 1);
    token [sizeof token - 1] = '\0';
    snprintf (
        text, sizeof text,
        "# of the team\n[other]\naws_access_key_id = NO\n\n[default]\naws_access_key_id=AKID\n"
        "aws_secret_access_key = a=b/c+d \r\naws_session_token = %s\n",
        token);
    write_file ("credentials", text);
    write_file ("config", "[default]\nregion = eu-west-1\ns3 =\n  max_queue_size = 10\n"
                          "aws_access_key_id = CONFIG\naws_secret_access_key = x\n");

    _cleanup_ (aws_origin_destroy) aws_origin_t *origin = find (NULL, NULL, NULL);

    assert_int_equal (origin->kind, AWS_ORIGIN_KEYS);
    assert_string_equal (origin->access_key_id, "AKID");
    assert_string_equal (origin->secret_access_key, "a=b/c+d");
    assert_string_equal (origin->session_token, token);
    char region [65];
    assert_true (aws_profile_region (read_variable, region, sizeof region));
    assert_string_equal (region, "eu-west-1");
}

static void
profile_that_is_named_has_to_be_there (void **state)
{
    (void) state;
    write_file ("config", "[profile lab]\naws_access_key_id = AKID\naws_secret_access_key = s\n"
                          "[profile \"the lab\"]\naws_access_key_id = QUOTED\n"
                          "aws_secret_access_key = s\n[lab2]\naws_access_key_id = NO\n");

    _cleanup_ (aws_origin_destroy) aws_origin_t *lab =
        find (VARIABLES{{"AWS_PROFILE", "lab"}, {0}}, NULL, NULL);
    _cleanup_ (aws_origin_destroy) aws_origin_t *quoted =
        find (VARIABLES{{"AWS_PROFILE", "the lab"}, {0}}, NULL, NULL);

    assert_string_equal (lab->access_key_id, "AKID");
    assert_string_equal (quoted->access_key_id, "QUOTED");
    assert_refused ((VARIABLES{{"AWS_PROFILE", "lab2"}, {0}}), -EINVAL, "profile 'lab2'");
}

static void
files_can_be_elsewhere (void **state)
{
    (void) state;
    char path [100];
    write_file ("token", "[default]\naws_access_key_id = MOVED\naws_secret_access_key = s\n");
    snprintf (path, sizeof path, "%s/.aws/token", home);

    _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
        find (VARIABLES{{"AWS_SHARED_CREDENTIALS_FILE", path}, {0}}, NULL, NULL);

    assert_string_equal (origin->access_key_id, "MOVED");
}

static void
broken_file_is_a_fault_with_its_line (void **state)
{
    (void) state;
    write_file ("credentials", "[default]\naws_access_key_id = AKID\nnonsense\n");

    assert_refused (NULL, -EINVAL, "credentials:3:");
}

static void
role_of_a_profile_leads_to_the_keys_of_another (void **state)
{
    (void) state;
    write_file ("credentials", "[base]\naws_access_key_id = AKID\naws_secret_access_key = s\n");
    write_file (
        "config",
        "[profile a]\nrole_arn = " ROLE "\nsource_profile = b\nexternal_id = 4711\n"
        "role_session_name = me\nduration_seconds = 900\n"
        "[profile b]\nrole_arn = arn:aws:iam::444455556666:role/x\nsource_profile = base\n");

    _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
        find (VARIABLES{{"AWS_PROFILE", "a"}, {0}}, NULL, NULL);

    assert_int_equal (origin->kind, AWS_ORIGIN_ROLE);
    assert_string_equal (origin->role_arn, ROLE);
    assert_string_equal (origin->external_id, "4711");
    assert_string_equal (origin->session_name, "me");
    assert_int_equal (origin->duration_seconds, 900);
    assert_int_equal (origin->base->kind, AWS_ORIGIN_ROLE);
    assert_int_equal (origin->base->base->kind, AWS_ORIGIN_KEYS);
    assert_string_equal (origin->base->base->access_key_id, "AKID");
}

static void
profile_may_be_its_own_source_but_no_circle (void **state)
{
    (void) state;
    write_file ("config", "[profile own]\nrole_arn = " ROLE "\nsource_profile = own\n"
                          "aws_access_key_id = AKID\naws_secret_access_key = s\n"
                          "[profile a]\nrole_arn = " ROLE "\nsource_profile = b\n"
                          "[profile b]\nrole_arn = " ROLE "\nsource_profile = a\n");

    _cleanup_ (aws_origin_destroy) aws_origin_t *own =
        find (VARIABLES{{"AWS_PROFILE", "own"}, {0}}, NULL, NULL);

    assert_string_equal (own->base->access_key_id, "AKID");
    assert_refused ((VARIABLES{{"AWS_PROFILE", "a"}, {0}}), -EINVAL, "circle");
}

static void
credential_source_takes_keys_of_the_machine (void **state)
{
    (void) state;
    write_file ("config",
                "[profile i]\nrole_arn = " ROLE "\ncredential_source = Ec2InstanceMetadata\n"
                "[profile e]\nrole_arn = " ROLE "\ncredential_source = Environment\n"
                "[profile x]\nrole_arn = " ROLE "\ncredential_source = Elsewhere\n"
                "[profile both]\nrole_arn = " ROLE
                "\ncredential_source = Environment\nsource_profile = i\n");

    _cleanup_ (aws_origin_destroy) aws_origin_t *instance =
        find (VARIABLES{{"AWS_PROFILE", "i"}, {0}}, NULL, NULL);

    assert_int_equal (instance->base->kind, AWS_ORIGIN_INSTANCE);
    assert_refused ((VARIABLES{{"AWS_PROFILE", "e"}, {0}}), -EINVAL, "Environment");
    assert_refused ((VARIABLES{{"AWS_PROFILE", "x"}, {0}}), -EINVAL, "Elsewhere");
    assert_refused ((VARIABLES{{"AWS_PROFILE", "both"}, {0}}), -EINVAL, "not both");
}

static void
what_needs_a_person_is_refused_by_name (void **state)
{
    (void) state;
    write_file ("config", "[profile mfa]\nrole_arn = " ROLE "\nsource_profile = x\nmfa_serial = m\n"
                          "[profile sso]\nsso_session = corp\n");

    assert_refused ((VARIABLES{{"AWS_PROFILE", "mfa"}, {0}}), -ENOTSUP, "mfa_serial");
    assert_refused ((VARIABLES{{"AWS_PROFILE", "sso"}, {0}}), -ENOTSUP, "sso");
}

//  --- the order

static void
first_provider_in_botocores_order_decides (void **state)
{
    (void) state;
    //  Each line takes away the provider that decided before.
    const variable_t all [] = {{"AWS_ACCESS_KEY_ID", "ENV"},
                               {"AWS_SECRET_ACCESS_KEY", "s"},
                               {"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"},
                               {"AWS_ROLE_ARN", ROLE},
                               {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/keys"},
                               {0}};
    static const struct {
        size_t from;  //  of the variables
        const char *config, *credentials;
        aws_origin_kind_t kind;
        const char *id;
    } CASES [] = {
        {0,
         "[default]\nrole_arn = " ROLE "\nsource_profile = x\n[profile x]\naws_access_key_id=X\n"
         "aws_secret_access_key=s\n",
         "", AWS_ORIGIN_KEYS, "ENV"},
        {2,
         "[default]\nrole_arn = " ROLE "\nsource_profile = x\n[profile x]\naws_access_key_id=X\n"
         "aws_secret_access_key=s\n",
         "", AWS_ORIGIN_ROLE, NULL},
        {2, "[default]\ncredential_process = p\n",
         "[default]\naws_access_key_id=FILE\n"
         "aws_secret_access_key=s\n",
         AWS_ORIGIN_WEB_IDENTITY, NULL},
        {4, "[default]\ncredential_process = p\n",
         "[default]\naws_access_key_id=FILE\n"
         "aws_secret_access_key=s\n",
         AWS_ORIGIN_KEYS, "FILE"},
        {4,
         "[default]\ncredential_process = p\naws_access_key_id=CONFIG\n"
         "aws_secret_access_key=s\n",
         "", AWS_ORIGIN_PROCESS, NULL},
        {4, "[default]\naws_access_key_id=CONFIG\naws_secret_access_key=s\n", "", AWS_ORIGIN_KEYS,
         "CONFIG"},
        {4, "[default]\nregion = us-east-1\n", "", AWS_ORIGIN_CONTAINER, NULL},
        {5, "", "", AWS_ORIGIN_INSTANCE, NULL},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        write_file ("config", CASES [i].config);
        write_file ("credentials", CASES [i].credentials);
        _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
            find (all + CASES [i].from, NULL, NULL);
        assert_non_null (origin);
        assert_int_equal (origin->kind, CASES [i].kind);
        if (CASES [i].id) {
            assert_string_equal (origin->access_key_id, CASES [i].id);
        }
    }
}

//  --- the machine

static void
container_is_asked_by_https_or_nearby_only (void **state)
{
    (void) state;
    const char *const safe [] = {"https://keys.example/x",  "http://127.0.0.1:80/x",
                                 "http://127.9.9.9/",       "http://localhost/x",
                                 "http://169.254.170.2/v2", "http://169.254.170.23/v1",
                                 "http://[::1]:8080/x",     "http://[fd00:ec2::23]/x"};
    const char *const unsafe [] = {"http://keys.example/x",
                                   "http://169.254.169.254/x",
                                   "http://127.0.0.1@evil.example/",
                                   "http://127.0.0.1.evil.example/",
                                   "http://10.0.0.1/",
                                   "http://[::2]/",
                                   "ftp://127.0.0.1/",
                                   "http:///x",
                                   "http://127.0.0.1\\@evil.example/",
                                   "//127.0.0.1/",
                                   ""};

    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++) {
        assert_true (aws_container_url_is_safe (safe [i]));
    }
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++) {
        assert_false (aws_container_url_is_safe (unsafe [i]));
    }
    assert_refused ((VARIABLES{{"AWS_CONTAINER_CREDENTIALS_FULL_URI", unsafe [0]}, {0}}), -EINVAL,
                    "FULL_URI");
}

static void
relative_uri_wins_and_a_tokens_file_wins_over_its_text (void **state)
{
    (void) state;
    _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
        find (VARIABLES{{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/keys"},
                        {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/x"},
                        {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "text"},
                        {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/file"},
                        {0}},
              NULL, NULL);

    assert_string_equal (origin->url, "http://169.254.170.2/v2/keys");
    assert_string_equal (origin->authorization_file, "/file");
    assert_null (origin->authorization);
}

static void
instance_metadata_can_be_moved_and_turned_off (void **state)
{
    (void) state;
    _cleanup_ (aws_origin_destroy) aws_origin_t *usual = find (NULL, NULL, NULL);
    _cleanup_ (aws_origin_destroy) aws_origin_t *moved = find (
        VARIABLES{{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9/"}, {0}}, NULL, NULL);
    _cleanup_ (aws_origin_destroy) aws_origin_t *six =
        find (VARIABLES{{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6"}, {0}}, NULL, NULL);

    assert_string_equal (usual->url, "http://169.254.169.254");
    assert_non_null (strstr (usual->looked, "AWS_ACCESS_KEY_ID"));
    assert_string_equal (moved->url, "http://127.0.0.1:9");
    assert_string_equal (six->url, "http://[fd00:ec2::254]");
    assert_refused ((VARIABLES{NO_IMDS, {0}}), -ENOENT, "looked in");
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (keys_come_from_the_environment_with_or_without_a_token),
        TEST (half_of_a_key_is_a_fault_that_names_the_other_half),
        TEST (no_provider_names_each_place_looked_at),
        TEST (web_identity_needs_a_role_and_names_its_session),
        TEST (credentials_file_wins_over_config_and_a_token_may_be_long),
        TEST (profile_that_is_named_has_to_be_there),
        TEST (files_can_be_elsewhere),
        TEST (broken_file_is_a_fault_with_its_line),
        TEST (role_of_a_profile_leads_to_the_keys_of_another),
        TEST (profile_may_be_its_own_source_but_no_circle),
        TEST (credential_source_takes_keys_of_the_machine),
        TEST (what_needs_a_person_is_refused_by_name),
        TEST (first_provider_in_botocores_order_decides),
        TEST (container_is_asked_by_https_or_nearby_only),
        TEST (relative_uri_wins_and_a_tokens_file_wins_over_its_text),
        TEST (instance_metadata_can_be_moved_and_turned_off),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

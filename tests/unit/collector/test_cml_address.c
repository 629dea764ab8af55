#include "../../../collector/cml/cml_address.h"

#include "../../../common/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

static struct json_object *tags;

static collector_worker_t
worker_named (const char *name)
{
    return (collector_worker_t){
        .region = "eu-central-1",
        .instance_id = "i-1",
        .name = name,
        .public_ip = "203.0.113.7",
        .private_ip = "fd00::7",
        .tags = tags,
        .subject = "eu-central-1/i-1",
    };
}

static int
make_tags (void **state)
{
    (void) state;
    tags = json_tokener_parse ("{\"cml host\":\"lab-7.example.com:8443\",\"url\":\"https://x/\","
                               "\"evil\":\"host/path@other\",\"v6\":\"[2001:db8::1]:5543\"}");
    return 0;
}

static int
free_tags (void **state)
{
    (void) state;
    json_destroy (&tags);
    return 0;
}

static void
assert_is (const char *setting, const char *name, const char *host, int64_t port)
{
    collector_worker_t worker = worker_named (name);
    cml_address_t address;
    reason_t why = {0};

    assert_int_equal (cml_address_check (setting, &why), 0);
    if (cml_address_of (&address, setting, 443, &worker, &why) < 0) {
        fail_msg ("%s: %s", setting, why.text);
    }
    assert_string_equal (address.host, host);
    assert_int_equal (address.port, port);
}

static void
short_forms_templates_and_tags_name_a_host (void **state)
{
    (void) state;

    assert_is ("public", "n", "203.0.113.7", 443);
    assert_is ("private", "n", "fd00::7", 443);
    assert_is ("tag:cml host", "n", "lab-7.example.com", 8443);
    assert_is ("tag:url", "n", "x", 443);
    assert_is ("tag:v6", "n", "2001:db8::1", 5543);
    assert_is ("https://{name}.lab.example.com", "train-1", "train-1.lab.example.com", 443);
    assert_is ("https://{name}.{region}.example.com:8443/", "t", "t.eu-central-1.example.com",
               8443);
    assert_is ("{instance_id}.internal", "n", "i-1.internal", 443);
    assert_is ("[{private_ip}]:8443", "n", "fd00::7", 8443);
}

static void
what_makes_no_host_is_no_address_and_says_why (void **state)
{
    (void) state;
    static const struct {
        const char *setting, *name, *said;
    } rows [] = {
        {"tag:absent", "n", "tag:absent"},
        {"tag:evil", "n", "no host"},
        {"https://{name}.example.com", "", "has no name"},
        {"https://{name}.example.com", "Lab One", "no host"},
        {"https://{name}.example.com", "a/../b", "no host"},
        {"https://{name}.example.com", "user@evil", "no host"},
        {"https://{name}.example.com", "evil.net?", "no host"},
        {"{name}", "host:0", "no host"},
        {"{name}", "host:65536", "no host"},
        {"{name}", "host:12x", "no host"},
        {"{name}", "[fd00::1]x", "no host"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        collector_worker_t worker = worker_named (rows [i].name);
        cml_address_t address;
        reason_t why = {0};
        assert_int_equal (cml_address_of (&address, rows [i].setting, 443, &worker, &why), -ENOENT);
        if (!strstr (why.text, rows [i].said) || !strstr (why.text, "eu-central-1/i-1")) {
            fail_msg ("'%s' does not say '%s'", why.text, rows [i].said);
        }
    }
}

static void
setting_that_cannot_be_one_is_refused (void **state)
{
    (void) state;
    static const char *const settings [] = {
        "",   "http://{name}", "ftp://x", "https://{nmae}.example.com", "{name", "name}", "{tag:}",
        "{}", "tag:",
    };

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        reason_t why = {0};
        assert_int_equal (cml_address_check (settings [i], &why), -EINVAL);
        assert_non_null (strstr (why.text, "address"));
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (short_forms_templates_and_tags_name_a_host),
        cmocka_unit_test (what_makes_no_host_is_no_address_and_says_why),
        cmocka_unit_test (setting_that_cannot_be_one_is_refused),
    };
    return cmocka_run_group_tests (tests, make_tags, free_tags);
}

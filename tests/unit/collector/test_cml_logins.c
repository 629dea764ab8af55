#include "../../../collector/cml/cml_logins.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>  //  needs the three above it

static char folder [] = "/tmp/cmlwatch-test-logins-XXXXXX";
static char logins_path [80];

static void
write_file (const char *name, const char *text)
{
    char path [80];

    snprintf (path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen (path, "we");
    assert_non_null (file);
    fputs (text, file);
    assert_int_equal (fclose (file), 0);
}

static int
make_folder (void **state)
{
    (void) state;
    assert_non_null (mkdtemp (folder));
    snprintf (logins_path, sizeof logins_path, "%s/logins", folder);
    write_file ("one", "first\n");
    write_file ("two", "second secret\r\n");
    write_file ("empty", "\n");
    write_file ("lines", "a\nb\n");
    return 0;
}

static int
remove_folder (void **state)
{
    static const char *const NAMES [] = {"logins", "one", "two", "empty", "lines"};
    char path [80];

    (void) state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        snprintf (path, sizeof path, "%s/%s", folder, NAMES [i]);
        unlink (path);
    }
    return rmdir (folder);
}

//  The file with each '@' replaced by the folder.
static cml_logins_t *
logins_of (const char *username, const char *text, reason_t *why)
{
    FILE *file = fopen (logins_path, "we");

    assert_non_null (file);
    for (; *text; text++) {
        if (*text == '@') {
            fputs (folder, file);
        } else {
            fputc (*text, file);
        }
    }
    assert_int_equal (fclose (file), 0);
    return cml_logins_new (username, "default secret", logins_path, why);
}

static void
assert_login (const cml_logins_t *logins, const collector_worker_t *worker, const char *username,
              const char *password)
{
    const cml_account_t *account = cml_logins_find (logins, worker);

    assert_non_null (account);
    assert_string_equal (account->username, username);
    assert_string_equal (account->password, password);
}

static void
first_line_that_fits_counts_and_then_the_default (void **state)
{
    (void) state;
    reason_t why = {0};
    _cleanup_ (json_destroy) struct json_object *exam =
        json_tokener_parse ("{\"team\":\"exam-3\"}");
    _cleanup_ (cml_logins_destroy) cml_logins_t *logins =
        logins_of ("everybody",
                   "# ours\n\n  train * left  watcher\t@/one  \n"
                   "tag:team=exam-* examiner @/two\n"
                   "i-0dev? dev @/one\n"
                   "train one too-late @/two\n",
                   &why);
    collector_worker_t worker = {.name = "train 1 left", .instance_id = "i-1"};

    assert_non_null (logins);
    assert_login (logins, &worker, "watcher", "first");
    worker.name = "train one";
    assert_login (logins, &worker, "too-late", "second secret");
    worker.tags = exam;
    assert_login (logins, &worker, "examiner", "second secret");
    worker = (collector_worker_t){.name = "", .instance_id = "i-0dev7"};
    assert_login (logins, &worker, "dev", "first");
    worker.instance_id = "i-2";
    assert_login (logins, &worker, "everybody", "default secret");
}

static void
without_a_default_a_stranger_has_none (void **state)
{
    (void) state;
    reason_t why = {0};
    _cleanup_ (cml_logins_destroy) cml_logins_t *logins = logins_of ("", "a b @/one\n", &why);
    const collector_worker_t worker = {.name = "z", .instance_id = "i-1"};

    assert_non_null (logins);
    assert_null (cml_logins_find (logins, &worker));
}

static void
wrong_line_is_named_with_what_is_wrong_and_no_secret (void **state)
{
    (void) state;
    static const struct {
        const char *text, *said;
    } rows [] = {
        {"a b @/one\nonly two\n", "logins:2: a line is"},
        {"alone\n", "logins:1: a line is"},
        {"a a-name-that-is-longer-than-cml-allows @/one\n", "logins:1: a line is"},
        {"tag:team user @/one\n", "logins:1: a line is"},
        {"a b @/nowhere\n", "logins:1: cannot read"},
        {"a b @\n", "logins:1: cannot read"},
        {"a b @/empty\n", "does not hold one line"},
        {"a b @/lines\n", "does not hold one line"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reason_t why = {0};
        _cleanup_ (cml_logins_destroy) cml_logins_t *logins = logins_of ("u", rows [i].text, &why);
        assert_null (logins);
        if (!strstr (why.text, rows [i].said)) {
            fail_msg ("'%s' does not say '%s'", why.text, rows [i].said);
        }
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (first_line_that_fits_counts_and_then_the_default),
        cmocka_unit_test (without_a_default_a_stranger_has_none),
        cmocka_unit_test (wrong_line_is_named_with_what_is_wrong_and_no_secret),
    };
    return cmocka_run_group_tests (tests, make_folder, remove_folder);
}

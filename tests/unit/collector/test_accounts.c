#include "../../../collector/aws/accounts.h"

#include "../../../common/cleanup.h"
#include "home_rig.h"

#define LIST                                                                                    \
    "[own]\nregions = us-east-1,eu-west-1\n"                                                    \
    "[lab]\nrole_arn = arn:aws:iam::111122223333:role/x\nregions = us-east-1, ap-south-1\n"     \
    "[all]\nrole_arn = arn:aws:iam::444455556666:role/path/y\nexternal_id = 7\nsession_name = " \
    "me\n"

static aws_accounts_t *
read_list (const char *text)
{
    char path [100];
    reason_t why = {0};

    write_file ("token", text);
    snprintf (path, sizeof path, "%s/.aws/token", home);
    aws_accounts_t *accounts = aws_accounts_read (path, "us-east-1", &why);
    assert_string_equal (why.text, "");
    return accounts;
}

static void
without_a_list_there_is_one_account_without_a_name (void **state)
{
    (void) state;
    size_t count;
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *accounts =
        aws_accounts_read ("", "us-east-1,eu-west-1", NULL);

    assert_int_equal (aws_accounts_count (accounts), 1);
    assert_string_equal (aws_accounts_regions (accounts), "us-east-1,eu-west-1");
    assert_string_equal (aws_accounts_of_region (accounts, "eu-west-1", &count) [0], "");
    assert_int_equal (count, 1);
    assert_true (aws_accounts_owns (
        accounts, aws_accounts_at (accounts, 0),
        &(collector_worker_t){.region = "us-east-1", .account_id = "999999999999"}));
}

static void
list_gives_roles_regions_and_ids (void **state)
{
    (void) state;
    size_t count;
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *accounts = read_list (LIST);

    const aws_account_t *own = aws_accounts_find (accounts, "own");
    const aws_account_t *all = aws_accounts_find (accounts, "all");
    assert_null (own->role_arn);
    assert_string_equal (own->id, "");
    assert_string_equal (all->id, "444455556666");
    assert_string_equal (all->regions, "us-east-1");
    assert_string_equal (all->external_id, "7");
    assert_string_equal (all->session_name, "me");
    assert_string_equal (aws_accounts_regions (accounts), "us-east-1,eu-west-1,ap-south-1");
    const char *const *names = aws_accounts_of_region (accounts, "us-east-1", &count);
    assert_int_equal (count, 3);
    assert_string_equal (names [1], "lab");
    names = aws_accounts_of_region (accounts, "ap-south-1", &count);
    assert_int_equal (count, 1);
    assert_string_equal (names [0], "lab");
    aws_accounts_of_region (accounts, "us-east", &count);
    assert_int_equal (count, 0);
}

static void
what_is_read_is_each_region_of_each_account_once (void **state)
{
    (void) state;
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *one =
        aws_accounts_read ("", "us-east-1,eu-west-1", NULL);
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *twice =
        aws_accounts_read ("", "us-east-1, us-east-1", NULL);
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *three = read_list (LIST);

    assert_int_equal (aws_accounts_span (one).units, 2);
    assert_int_equal (aws_accounts_span (twice).units, 1);
    assert_int_equal (aws_accounts_span (three).accounts, 3);
    assert_int_equal (aws_accounts_span (three).units, 2 + 2 + 1);
}

static void
digest_is_of_what_the_list_says_and_not_of_how_it_looks (void **state)
{
    (void) state;
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *none =
        aws_accounts_read ("", "us-east-1", NULL);
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *list =
        read_list ("[a]\nregions = us-east-1\n[b]\nrole_arn = arn:aws:iam::111122223333:role/x\n");
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *same = read_list (
        "# mine\n[b]\nrole_arn=arn:aws:iam::111122223333:role/x\n\n[a]\nregions =  us-east-1 \n");
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *other =
        read_list ("[a]\nregions = us-east-2\n[b]\nrole_arn = arn:aws:iam::111122223333:role/x\n");

    assert_int_equal (aws_accounts_digest (none), 0);
    assert_true (aws_accounts_digest (list) != 0);
    assert_true (aws_accounts_digest (list) == aws_accounts_digest (same));
    assert_true (aws_accounts_digest (list) != aws_accounts_digest (other));
}

static void
worker_is_asked_for_with_the_keys_of_its_account_alone (void **state)
{
    (void) state;
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *accounts = read_list (LIST);
    static const struct {
        const char *region, *account_id, *owner;  //  owner null: nobody
    } CASES [] = {
        {"us-east-1", "111122223333", "lab"},
        {"us-east-1", "444455556666", "all"},
        {"us-east-1", "999999999999", "own"},  //  of the chain's keys, whose account nobody named
        {"us-east-1", "", NULL},               //  not known yet
        {"ap-south-1", "", "lab"},             //  but here there is one reader only
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const collector_worker_t worker = {.region = CASES [i].region,
                                           .account_id = CASES [i].account_id};
        size_t readers;
        const char *const *names = aws_accounts_of_region (accounts, worker.region, &readers);
        size_t owners = 0;
        for (size_t j = 0; j < readers; j++) {
            if (aws_accounts_owns (accounts, aws_accounts_find (accounts, names [j]), &worker)) {
                owners++;
                assert_string_equal (names [j], CASES [i].owner);
            }
        }
        assert_int_equal (owners, CASES [i].owner != NULL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (without_a_list_there_is_one_account_without_a_name),
        TEST (list_gives_roles_regions_and_ids),
        TEST (what_is_read_is_each_region_of_each_account_once),
        TEST (digest_is_of_what_the_list_says_and_not_of_how_it_looks),
        TEST (worker_is_asked_for_with_the_keys_of_its_account_alone),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

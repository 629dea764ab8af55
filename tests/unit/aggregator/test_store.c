#include "store_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct seen {
    uint64_t first, last, count;
    bool gap;
    char workers [400];
} seen_t;

static void
see_event (void *argument, uint64_t seq, time_us_t at, const void *header, size_t header_size,
           const void *body, size_t body_size)
{
    (void) at;
    seen_t *seen = argument;
    char wanted [40];

    int size = snprintf (wanted, sizeof wanted, "{\"seq\":%d", (int) seq);
    assert_int_equal (header_size, 6);
    assert_memory_equal (header, "header", 6);
    assert_true (body_size >= (size_t) size);
    assert_memory_equal (body, wanted, (size_t) size);
    seen->gap |= seen->count > 0 && seq != seen->last + 1;
    seen->first = seen->count ? seen->first : seq;
    seen->last = seq;
    seen->count++;
}

static void
see_worker (void *argument, const char *id, const void *bytes, size_t size)
{
    seen_t *seen = argument;
    size_t used = strlen (seen->workers);

    snprintf (seen->workers + used, sizeof seen->workers - used, "%s=%.*s;", id, (int) size,
              (const char *) bytes);
}

static seen_t
look (store_t *store, uint64_t after, size_t limit)
{
    seen_t seen = {0};
    reason_t why = {""};

    assert_int_equal (store_each_event (store, after, limit, see_event, &seen, &why), 0);
    assert_int_equal (store_each (store, STORE_WORKERS, "", see_worker, &seen, &why), 0);
    return seen;
}

static void
what_was_committed_is_found_again_by_the_next_process (void **state)
{
    const place_t *place = *state;
    char epoch [20];
    store_t *store = open_store (place);
    snprintf (epoch, sizeof epoch, "%s", store_epoch (store));
    for (uint64_t seq = 1; seq <= 300;
         seq++) {  //  more than a byte's worth: their order is numeric
        put_event (store, seq, clock_now ().wall, 100);
    }
    store_put (store, STORE_WORKERS, "a", "one", 3);
    store_put (store, STORE_WORKERS, "b", "two", 3);
    store_put (store, STORE_WORKERS, "a", "three", 5);
    store_put (store, STORE_WORKERS, "c", "four", 4);
    store_delete (store, STORE_WORKERS, "b");
    store_delete (store, STORE_WORKERS, "nobody");
    commit (store);
    store_destroy (&store);

    _cleanup_ (store_destroy) store_t *again = open_store (place);
    seen_t all = look (again, 0, 1000), some = look (again, 254, 5), none = look (again, 300, 5);

    assert_string_equal (store_epoch (again), epoch);
    assert_int_equal (strspn (epoch, "0123456789abcdef"), 8);
    assert_int_equal (store_last (again), 300);
    assert_int_equal (store_first (again), 1);
    assert_true (all.count == 300 && !all.gap);
    assert_true (some.first == 255 && some.count == 5 && !some.gap);
    assert_int_equal (none.count, 0);
    assert_string_equal (all.workers, "a=three;c=four;");
}

static void
what_was_not_committed_is_not_there (void **state)
{
    const place_t *place = *state;
    store_t *store = open_store (place);
    put_event (store, 1, clock_now ().wall, 10);
    commit (store);
    put_event (store, 2, clock_now ().wall, 10);
    store_put (store, STORE_WORKERS, "a", "one", 3);
    store_destroy (&store);

    _cleanup_ (store_destroy) store_t *again = open_store (place);

    assert_int_equal (store_last (again), 1);
    assert_string_equal (look (again, 0, 10).workers, "");
}

static void
committed_rows_survive_a_process_that_is_killed (void **state)
{
    const place_t *place = *state;
    int status, told [2];
    assert_int_equal (pipe (told), 0);

    pid_t child = fork ();
    if (child == 0) {
        store_t *store = open_store (place);
        for (uint64_t seq = 1; seq <= 50; seq++) {
            put_event (store, seq, clock_now ().wall, 1000);
            commit (store);
        }
        (void) !write (told [1], "x", 1);
        pause ();
    }
    char byte;
    assert_int_equal (read (told [0], &byte, 1), 1);
    kill (child, SIGKILL);
    waitpid (child, &status, 0);
    close (told [0]);
    close (told [1]);
    _cleanup_ (store_destroy) store_t *again = open_store (place);

    assert_true (WIFSIGNALED (status));
    assert_int_equal (store_last (again), 50);
    assert_int_equal (look (again, 0, 100).count, 50);
}

static void
oldest_events_go_when_there_are_too_many_or_they_are_too_old (void **state)
{
    place_t *place = *state;
    time_us_t now = clock_now ().wall;
    place->settings.events_max = 10;
    place->settings.events_keep_hours = 1;
    _cleanup_ (store_destroy) store_t *store = open_store (place);

    for (uint64_t seq = 1; seq <= 30; seq++) {
        put_event (store, seq, now, 10);
    }
    commit (store);
    uint64_t first_by_count = store_first (store);
    for (uint64_t seq = 31; seq <= 35; seq++) {
        put_event (store, seq, now - 2 * 60 * MINUTE_US, 10);
    }
    commit (store);
    uint64_t kept_in_order = store_first (store);  //  only from the oldest end
    put_event (store, 36, now - 2 * 60 * MINUTE_US, 10);
    commit (store);

    assert_int_equal (first_by_count, 21);
    assert_int_equal (kept_in_order, 26);
    assert_int_equal (store_last (store), 36);
    assert_int_equal (look (store, 0, 100).first, store_first (store));
}

static void
newest_event_stays_however_old (void **state)
{
    const place_t *place = *state;
    _cleanup_ (store_destroy) store_t *store = open_store (place);

    for (uint64_t seq = 1; seq <= 5; seq++) {
        put_event (store, seq, 0, 10);
    }
    commit (store);

    assert_int_equal (store_first (store), 5);
    assert_int_equal (store_last (store), 5);
}

static void
map_grows_by_itself_up_to_its_bound (void **state)
{
    place_t *place = *state;
    place->settings.events_max = 1000000;
    place->settings.bytes_max = 160 << 20;  //  the first map is 64 MiB
    _cleanup_ (store_destroy) store_t *store = open_store (place);
    reason_t why = {""};
    uint64_t seq = 0, last;
    int rc = 0;

    while (rc == 0 && seq < 40000) {
        for (int i = 0; i < 1000; i++) {
            put_event (store, ++seq, clock_now ().wall, 8000);
        }
        last = store_last (store);
        rc = store_commit (store, &why);
    }

    assert_int_equal (rc, -ENOSPC);
    assert_non_null (strstr (why.text, "store_bytes_max"));
    assert_true ((last + 1000) * 8000 > 64 << 20);
    assert_int_equal (store_last (store), last);
    assert_int_equal (look (store, last - 1, 10).count, 1);
}

static void
failed_commit_is_tried_again_with_all_that_was_gathered (void **state)
{
    place_t *place = *state;
    place->settings.bytes_max = 64 << 20;
    place->settings.events_max = 1000000;
    store_t *store = open_store (place);
    reason_t why = {""};
    uint64_t seq = 0;
    for (; seq < 12000; seq++) {
        put_event (store, seq + 1, clock_now ().wall, 8000);
    }
    assert_int_equal (store_commit (store, &why), -ENOSPC);
    store_put (store, STORE_WORKERS, "a", "one", 3);
    assert_int_equal (store_commit (store, &why), -ENOSPC);
    store_destroy (&store);

    _cleanup_ (store_destroy) store_t *again = open_store (place);

    assert_int_equal (store_last (again), 0);  //  none of it, rather than some
}

static void
store_of_a_newer_format_is_refused_and_left_alone (void **state)
{
    const place_t *place = *state;
    store_t *store = open_store (place);
    put_event (store, 1, clock_now ().wall, 10);
    commit (store);
    store_destroy (&store);
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi meta;
    MDB_val key = {6, "format"}, value = {16, "cmlwatch store 9"};
    assert_int_equal (mdb_env_create (&env), 0);
    mdb_env_set_maxdbs (env, 8);
    assert_int_equal (mdb_env_open (env, place->settings.path, 0, 0644), 0);
    mdb_txn_begin (env, NULL, 0, &txn);
    mdb_dbi_open (txn, "meta", 0, &meta);
    mdb_put (txn, meta, &key, &value, 0);
    assert_int_equal (mdb_txn_commit (txn), 0);
    mdb_env_close (env);
    reason_t why = {""};

    store = store_open (&place->settings, place->metrics, &why);

    assert_null (store);
    assert_non_null (strstr (why.text, "newer"));
    assert_non_null (strstr (why.text, "cmlwatch store 9"));
}

static void
lmdb_file_of_somebody_else_is_refused (void **state)
{
    const place_t *place = *state;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi table;
    MDB_val key = {3, "key"}, value = {5, "value"};
    reason_t why = {""};
    assert_int_equal (mkdir (place->settings.path, 0755), 0);
    assert_int_equal (mdb_env_create (&env), 0);
    assert_int_equal (mdb_env_open (env, place->settings.path, 0, 0644), 0);
    mdb_txn_begin (env, NULL, 0, &txn);
    mdb_dbi_open (txn, NULL, 0, &table);
    mdb_put (txn, table, &key, &value, 0);
    assert_int_equal (mdb_txn_commit (txn), 0);
    mdb_env_close (env);

    store_t *store = store_open (&place->settings, place->metrics, &why);

    assert_null (store);
    assert_non_null (strstr (why.text, "not one of cmlwatch's"));
}

//  LMDB would make it anew, empty, and what it held would be there and seen by nobody.
static void
table_whose_name_has_changed_is_missed (void **state)
{
    const place_t *place = *state;
    store_t *store = open_store (place);
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi table;
    reason_t why = {""};
    store_destroy (&store);
    assert_int_equal (mdb_env_create (&env), 0);
    mdb_env_set_maxdbs (env, 2);
    assert_int_equal (mdb_env_open (env, place->settings.path, 0, 0644), 0);
    mdb_txn_begin (env, NULL, 0, &txn);
    assert_int_equal (mdb_dbi_open (txn, "samples", 0, &table), 0);
    mdb_drop (txn, table, 1);
    assert_int_equal (mdb_dbi_open (txn, "samp~es", MDB_CREATE, &table), 0);
    assert_int_equal (mdb_txn_commit (txn), 0);
    mdb_env_close (env);

    assert_null (store_open (&place->settings, place->metrics, &why));
    assert_non_null (strstr (why.text, "damaged"));
}

static void
store_has_one_owner (void **state)
{
    const place_t *place = *state;
    _cleanup_ (store_destroy) store_t *store = open_store (place);
    reason_t why = {""};

    store_t *second = store_open (&place->settings, place->metrics, &why);

    assert_null (second);
    assert_non_null (strstr (why.text, "another aggregator"));
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    static const struct CMUnitTest TESTS [] = {
        TEST (what_was_committed_is_found_again_by_the_next_process),
        TEST (what_was_not_committed_is_not_there),
        TEST (committed_rows_survive_a_process_that_is_killed),
        TEST (oldest_events_go_when_there_are_too_many_or_they_are_too_old),
        TEST (newest_event_stays_however_old),
        TEST (map_grows_by_itself_up_to_its_bound),
        TEST (failed_commit_is_tried_again_with_all_that_was_gathered),
        TEST (store_of_a_newer_format_is_refused_and_left_alone),
        TEST (lmdb_file_of_somebody_else_is_refused),
        TEST (table_whose_name_has_changed_is_missed),
        TEST (store_has_one_owner)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}

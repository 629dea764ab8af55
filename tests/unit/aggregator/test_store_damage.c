//  A damaged store is refused or is as it was; an older one is brought forward; a newer one is not.
#include "store_rig.h"

#include "../../../aggregator/store_format.h"
#include "random_words.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>

#define TEXT_MOST 40000

//  Everything a store tells, as one number.
static uint64_t
mix (uint64_t sum, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < size; i++) {
        sum = (sum ^ at [i]) * UINT64_C (0x100000001b3);
    }
    return (sum ^ size) * UINT64_C (0x100000001b3);
}

static void
mix_row (void *argument, const char *key, const void *bytes, size_t size)
{
    uint64_t *sum = argument;
    *sum = mix (mix (*sum, key, strlen (key)), bytes, size);
}

static void
mix_event (void *argument, uint64_t seq, time_us_t at, const void *header, size_t header_size,
           const void *body, size_t body_size)
{
    uint64_t *sum = argument;
    *sum = mix (mix (mix (mix (*sum, &seq, sizeof seq), &at, sizeof at), header, header_size), body,
                body_size);
}

static uint64_t
content (store_t *store)
{
    uint64_t sum = UINT64_C (0xcbf29ce484222325), last = store_last (store);
    reason_t why = {""};

    sum = mix (sum, store_epoch (store), strlen (store_epoch (store)));
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        assert_int_equal (store_each (store, (store_table_t) table, "", mix_row, &sum, &why), 0);
    }
    assert_int_equal (store_each_event (store, 0, SIZE_MAX, mix_event, &sum, &why), 0);
    return mix (sum, &last, sizeof last);
}

//  Rows and events of all sizes, also of several pages; some go again.
static void
write_turn (store_t *store, uint64_t *random)
{
    static char text [TEXT_MOST];
    uint64_t next = store_last (store) + 1;
    char key [100];

    for (int i = 0; i < 40; i++) {
        uint64_t word = next_random (random);
        size_t size = word >> 8 & 1 ? word >> 16 & 511 : word >> 16 & 8191;
        store_table_t table = (store_table_t) (word % STORE_TABLE_COUNT);
        memset (text, 'a' + (int) (word >> 40 & 15), sizeof text);
        snprintf (key, sizeof key, "us-east-1/i-%03d|%.*s", (int) (word >> 32 & 127),
                  (int) (word >> 32 & 31), text);
        if (word >> 60 == 0) {
            store_delete (store, table, key);
        } else {
            store_put (store, table, key, text, size);
        }
    }
    for (int i = 0; i < 20; i++) {
        uint64_t word = next_random (random);
        store_put_event (store, next++, clock_now ().wall, "header", 6, text,
                         word & 7 ? word >> 8 & 1023 : word >> 8 & 16383);
    }
    commit (store);
}

static void
make (const place_t *place, uint64_t seed, int turns)
{
    store_t *store = open_store (place);

    for (int i = 0; i < turns; i++) {
        write_turn (store, &seed);
    }
    store_destroy (&store);
}

static char *
data_path (const place_t *place)
{
    static char path [200];

    snprintf (path, sizeof path, "%s/store/data.mdb", place->path);
    return path;
}

static size_t
read_file (const place_t *place, char **bytes)
{
    struct stat found;
    int fd = open (data_path (place), O_RDONLY);

    assert_int_equal (fstat (fd, &found), 0);
    *bytes = malloc ((size_t) found.st_size);
    assert_int_equal (read (fd, *bytes, (size_t) found.st_size), found.st_size);
    close (fd);
    return (size_t) found.st_size;
}

static void
write_file (const place_t *place, const char *bytes, size_t size)
{
    int fd = open (data_path (place), O_WRONLY | O_TRUNC | O_CREAT, 0644);

    assert_int_equal (write (fd, bytes, size), size);
    close (fd);
}

//  Refused, and says so; or the store as it was, which also goes on.
static bool
is_refused (const place_t *place, uint64_t wanted, size_t at)
{
    reason_t why = {""};
    uint64_t random = at;
    store_t *store = store_open (&place->settings, place->metrics, &why);

    if (!store) {
        assert_non_null (strstr (why.text, place->settings.path));
        return true;
    }
    if (content (store) != wanted) {
        fail_msg ("byte %zu was changed, and so was the content", at);
    }
    write_turn (store, &random);
    uint64_t after = content (store);
    store_destroy (&store);
    store = open_store (place);
    assert_true (content (store) == after);
    store_destroy (&store);
    return false;
}

static void
changed_byte_is_refused_or_changes_nothing (void **state)
{
    const place_t *place = *state;
    uint64_t random = 7;
    char *bytes;
    make (place, 1, 30);
    store_t *store = open_store (place);
    uint64_t wanted = content (store);
    store_destroy (&store);
    size_t size = read_file (place, &bytes), refused = 0, page = 4096;

    for (size_t round = 0; round < 350; round++) {
        //  A third in the two meta pages, a third in heads of pages, a third anywhere.
        uint64_t word = next_random (&random);
        size_t at = round % 3 == 0   ? (word & 1) * page + (word >> 8) % 152
                    : round % 3 == 1 ? (word >> 8) % (size / page) * page + (word & 31)
                                     : (word >> 8) % size;
        char change = (char) (word >> 56 ? word >> 56 : 1);
        bytes [at] = (char) (bytes [at] ^ change);
        write_file (place, bytes, size);
        refused += is_refused (place, wanted, at);
        bytes [at] = (char) (bytes [at] ^ change);
    }
    free (bytes);

    assert_in_range (refused, 150, 349);  //  what nobody reads may change
}

static void
file_that_was_cut_is_refused (void **state)
{
    const place_t *place = *state;
    uint64_t random = 11;
    char *bytes;
    reason_t why;
    make (place, 2, 10);
    size_t size = read_file (place, &bytes);

    for (int round = 0; round < 40; round++) {
        size_t cut = round == 0 ? 0 : next_random (&random) % (size - 4096);
        write_file (place, bytes, cut);
        why.text [0] = '\0';
        assert_null (store_open (&place->settings, place->metrics, &why));
        assert_non_null (strstr (why.text, "damaged"));
        assert_non_null (strstr (why.text, "--salvage"));
    }
    free (bytes);
}

static void
garbage_is_refused (void **state)
{
    const place_t *place = *state;
    uint64_t random = 13;
    char bytes [20000];
    reason_t why = {""};
    make (place, 3, 1);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes [i] = (char) next_random (&random);
    }

    write_file (place, bytes, sizeof bytes);

    assert_null (store_open (&place->settings, place->metrics, &why));
    assert_non_null (strstr (why.text, "damaged"));
}

static void
store_that_is_whole_is_never_refused (void **state)
{
    place_t *place = *state;
    uint64_t random = 17;
    place->settings.events_max = 500;

    for (int round = 0; round < 20; round++) {
        store_t *store = open_store (place);
        for (int i = 0; i < 8; i++) {
            write_turn (store, &random);
            reason_t why = {""};
            if (store_format_check (place->settings.path, &why) < 0) {  //  as it is in use
                fail_msg ("round %d.%d: %s", round, i, why.text);
            }
        }
        store_destroy (&store);
    }
}

//  --- older and newer ones

static void
put_raw (MDB_txn *txn, const char *table, const void *key, size_t key_size, const void *value,
         size_t size)
{
    MDB_val key_value = {key_size, (void *) (uintptr_t) key};
    MDB_val bytes = {size, (void *) (uintptr_t) value};
    MDB_dbi dbi;

    assert_int_equal (mdb_dbi_open (txn, table, MDB_CREATE, &dbi), 0);
    assert_int_equal (mdb_put (txn, dbi, &key_value, &bytes, 0), 0);
}

static MDB_txn *
begin_raw (const place_t *place, MDB_env **env)
{
    MDB_txn *txn;

    (void) mkdir (place->settings.path, 0755);
    assert_int_equal (mdb_env_create (env), 0);
    mdb_env_set_maxdbs (*env, 8);
    mdb_env_set_mapsize (*env, (size_t) 256 << 20);
    assert_int_equal (mdb_env_open (*env, place->settings.path, 0, 0644), 0);
    assert_int_equal (mdb_txn_begin (*env, NULL, 0, &txn), 0);
    return txn;
}

static void
end_raw (MDB_env *env, MDB_txn *txn)
{
    assert_int_equal (mdb_txn_commit (txn), 0);
    mdb_env_close (env);
}

//  As the programs before format 2 wrote it: a time, the header's size, header and body.
static void
put_event_1 (MDB_txn *txn, uint64_t seq, size_t size)
{
    static char value [TEXT_MOST];
    uint64_t key = __builtin_bswap64 (seq);
    int64_t at = clock_now ().wall;
    uint32_t header_size = 6;

    memset (value, 0, 16);
    memcpy (value, &at, sizeof at);
    memcpy (value + 8, &header_size, sizeof header_size);
    memset (value + 16, 'x', size + 6);
    memcpy (value + 16, "header", 6);
    put_raw (txn, "events", &key, sizeof key, value, 16 + 6 + size);
}

static void
check_event_1 (void *argument, uint64_t seq, time_us_t at, const void *header, size_t header_size,
               const void *body, size_t body_size)
{
    uint64_t *count = argument;
    (void) at;

    assert_int_equal (seq, ++*count);
    assert_int_equal (header_size, 6);
    assert_memory_equal (header, "header", 6);
    assert_int_equal (body_size, seq * 37 % 9000);
    for (size_t i = 0; i < body_size; i++) {
        assert_int_equal (((const char *) body) [i], 'x');
    }
}

static void
collect_rows (void *argument, const char *key, const void *bytes, size_t size)
{
    char *text = argument;
    size_t used = strlen (text);

    snprintf (text + used, 300 - used, "%s=%.*s;", key, (int) size, (const char *) bytes);
}

static void
store_of_format_1_is_brought_forward_whole (void **state)
{
    const place_t *place = *state;
    char rows [300] = "";
    uint64_t count = 0;
    reason_t why = {""};
    MDB_env *env;
    MDB_txn *txn = begin_raw (place, &env);
    put_raw (txn, "meta", "format", 6, "cmlwatch store 1", 16);
    put_raw (txn, "meta", "epoch", 5, "0badcafe", 8);
    put_raw (txn, "workers", "us-east-1/i-1", 13, "{\"a\":1}", 7);
    put_raw (txn, "workers", "us-east-1/i-2", 13, "{}", 2);
    put_raw (txn, "sources", "/collector/x", 12, "0badcafe 7", 10);
    put_raw (txn, "samples", "us-east-1/i-1|cpu", 17, "\0\1\2", 3);
    put_raw (txn, "jobs", "j", 1, "{\"b\":2}", 7);
    for (uint64_t seq = 1; seq <= 20000; seq++) {  //  more than the first map holds, twice
        put_event_1 (txn, seq, seq * 37 % 9000);
    }
    end_raw (env, txn);
    place_t wide = *place;
    wide.settings.events_max = 100000;

    for (int again = 0; again < 2; again++) {
        store_t *store = open_store (&wide);
        assert_string_equal (store_epoch (store), "0badcafe");
        rows [0] = '\0';
        for (int table = 0; table < STORE_TABLE_COUNT; table++) {
            if (table != STORE_SAMPLES) {
                assert_int_equal (
                    store_each (store, (store_table_t) table, "", collect_rows, rows, &why), 0);
            }
        }
        assert_string_equal (rows, "us-east-1/i-1={\"a\":1};us-east-1/i-2={};"
                                   "/collector/x=0badcafe 7;j={\"b\":2};");
        assert_int_equal (store_count (store, STORE_SAMPLES), 1);
        count = 0;
        assert_int_equal (store_each_event (store, 0, SIZE_MAX, check_event_1, &count, &why), 0);
        assert_int_equal (count, 20000);
        store_destroy (&store);
    }

    txn = begin_raw (place, &env);
    MDB_dbi meta;
    MDB_val key = {6, "format"}, value;
    assert_int_equal (mdb_dbi_open (txn, "meta", 0, &meta), 0);
    assert_int_equal (mdb_get (txn, meta, &key, &value), 0);
    assert_memory_equal (value.mv_data, "cmlwatch store 2", 16);
    end_raw (env, txn);
}

static void
newer_store_names_who_wrote_it (void **state)
{
    const place_t *place = *state;
    reason_t why = {""};
    char *before, *after;
    make (place, 5, 2);
    MDB_env *env;
    MDB_txn *txn = begin_raw (place, &env);
    put_raw (txn, "meta", "format", 6, "cmlwatch store 3", 16);
    put_raw (txn, "meta", "written_by", 10, "v9.1", 4);
    end_raw (env, txn);
    size_t size = read_file (place, &before);

    assert_null (store_open (&place->settings, place->metrics, &why));

    assert_non_null (strstr (why.text, "cmlwatch store 3"));
    assert_non_null (strstr (why.text, "v9.1"));
    assert_non_null (strstr (why.text, "newer"));
    assert_int_equal (read_file (place, &after), size);
    assert_memory_equal (before, after, size);
    free (before);
    free (after);
}

//  --- what can still be had

typedef struct seen_range {
    uint64_t first, last;
} seen_range_t;

static void
see_range (void *argument, uint64_t seq, time_us_t at, const void *header, size_t header_size,
           const void *body, size_t body_size)
{
    seen_range_t *seen = argument;
    (void) at, (void) header, (void) header_size, (void) body, (void) body_size;

    seen->first = seen->first ? seen->first : seq;
    seen->last = seq;
}

static void
salvage_leaves_out_what_is_damaged_and_all_events_before_it (void **state)
{
    const place_t *place = *state;
    char *bytes, rows [300] = "";
    seen_range_t seen = {0};
    reason_t why = {""};
    store_t *store = open_store (place);
    store_put (store, STORE_WORKERS, "a", "one-of-them", 11);
    store_put (store, STORE_WORKERS, "b", "two-of-them", 11);
    for (uint64_t seq = 1; seq <= 30; seq++) {
        char body [60];
        snprintf (body, sizeof body, "this is number %02d", (int) seq);
        store_put_event (store, seq, clock_now ().wall, "header", 6, body, strlen (body));
    }
    commit (store);
    store_destroy (&store);
    size_t size = read_file (place, &bytes);
    ((char *) memmem (bytes, size, "two-of-them", 11)) [2] = '0';
    ((char *) memmem (bytes, size, "this is number 20", 17)) [1] = 'H';
    write_file (place, bytes, size);
    place_t last = *place;
    last.settings.check = false;
    last.settings.salvage = true;
    assert_null (store_open (&place->settings, place->metrics, &why));
    assert_non_null (strstr (why.text, "not what was written"));

    store = open_store (&last);
    assert_int_equal (store_each (store, STORE_WORKERS, "", collect_rows, rows, &why), 0);
    assert_int_equal (
        store_each_event (store, store_first (store) - 1, SIZE_MAX, see_range, &seen, &why), 0);
    store_destroy (&store);
    char *after;
    assert_int_equal (read_file (place, &after), size);

    assert_string_equal (rows, "a=one-of-them;");
    assert_int_equal (seen.first, 21);
    assert_int_equal (seen.last, 30);
    assert_memory_equal (after, bytes, size);
    free (bytes);
    free (after);
}

static void
row_that_is_damaged_while_it_is_open_is_an_error_not_a_value (void **state)
{
    place_t *place = *state;
    char rows [300] = "", *bytes;
    reason_t why = {""};
    store_t *store = open_store (place);
    store_put (store, STORE_WORKERS, "a", "one-of-them", 11);
    commit (store);
    store_destroy (&store);
    size_t size = read_file (place, &bytes);
    ((char *) memmem (bytes, size, "one-of-them", 11)) [2] = '0';
    write_file (place, bytes, size);
    free (bytes);
    place->settings.check = false;
    store = open_store (place);

    int rc = store_each (store, STORE_WORKERS, "", collect_rows, rows, &why);
    store_destroy (&store);

    assert_int_equal (rc, -EBADMSG);
    assert_string_equal (rows, "");
    assert_non_null (strstr (why.text, "damaged"));
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    static const struct CMUnitTest TESTS [] = {
        TEST (changed_byte_is_refused_or_changes_nothing),
        TEST (file_that_was_cut_is_refused),
        TEST (garbage_is_refused),
        TEST (store_that_is_whole_is_never_refused),
        TEST (store_of_format_1_is_brought_forward_whole),
        TEST (newer_store_names_who_wrote_it),
        TEST (salvage_leaves_out_what_is_damaged_and_all_events_before_it),
        TEST (row_that_is_damaged_while_it_is_open_is_an_error_not_a_value)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}

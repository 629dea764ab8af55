#include "../../../common/worker_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

static void
id_is_the_uuid_that_others_compute_of_the_same_name (void **state)
{
    (void) state;
    //  python3: uuid.uuid5 (uuid.NAMESPACE_DNS, 'cmlwatch/<region>/<instance id>')
    static const char *const ROWS [][3] = {
        {"us-east-1", "i-0abc", "f915b8b3-4e13-5baf-94fa-44af07bbdd25"},
        {"eu-west-3", "i-0123456789abcdef0", "77bdda7f-48d5-5665-9f9c-070ddc9b5ae9"},
    };
    char id [WORKER_ID_SIZE];

    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        worker_id_make (id, ROWS [i][0], ROWS [i][1]);
        assert_string_equal (id, ROWS [i][2]);
    }
}

static void
region_and_instance_both_count (void **state)
{
    (void) state;
    static const char *const NAMES [][2] = {
        {"us-east-1", "i-0abc"}, {"us-east-2", "i-0abc"}, {"us-east-1", "i-0abd"}, {"", ""}};
    char ids [4][WORKER_ID_SIZE];

    for (size_t i = 0; i < 4; i++) {
        worker_id_make (ids [i], NAMES [i][0], NAMES [i][1]);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal (ids [i], ids [j]);
        }
    }
}

static void
names_at_their_bound_still_differ_in_their_last_letter (void **state)
{
    (void) state;
    char region [201], instance [201], one [WORKER_ID_SIZE], other [WORKER_ID_SIZE];
    memset (region, 'r', 200);
    memset (instance, 'i', 200);
    region [200] = instance [200] = '\0';

    worker_id_make (one, region, instance);
    instance [199] = 'j';
    worker_id_make (other, region, instance);

    assert_int_equal (strlen (one), WORKER_ID_SIZE - 1);
    assert_string_not_equal (one, other);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (id_is_the_uuid_that_others_compute_of_the_same_name),
        cmocka_unit_test (region_and_instance_both_count),
        cmocka_unit_test (names_at_their_bound_still_differ_in_their_last_letter),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}

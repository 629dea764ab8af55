#include "../../../aggregator/store_crc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>  //  needs the three above it

#define MOST 700

//  Each length from nothing on, each place in memory, in one piece and in two.
static void
sum_is_that_of_zlib (void **state)
{
    (void) state;
    unsigned char bytes [MOST + 16];
    unsigned seed = 7;

    for (size_t i = 0; i < sizeof bytes; i++) {
        seed = seed * 1103515245 + 12345;
        bytes [i] = (unsigned char) (seed >> 16);
    }
    for (size_t size = 0; size <= MOST; size++) {
        const unsigned char *from = bytes + size % 16;
        uint32_t wanted = (uint32_t) crc32_z (0, from, size);

        assert_int_equal (store_crc (0, from, size), wanted);
        assert_int_equal (
            store_crc (store_crc (0, from, size / 3), from + size / 3, size - size / 3), wanted);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (sum_is_that_of_zlib),
    };

    return cmocka_run_group_tests (tests, NULL, NULL);
}

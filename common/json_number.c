// json_number.c - see json_number.h.
//
// SPDX-License-Identifier: MIT

#include "json_number.h"

#include <stdlib.h>

#define EXACT_DIGITS 15  //  a whole number of so many is a double without rounding
#define EXACT_POWER  22  //  so is this power of ten

typedef struct decimal {
    uint64_t digits;  //  of use while they fit
    int count;        //  of them, leading zeros left out
    int power;        //  of ten
} decimal_t;

//  Correctly rounded where both parts are exact (W. D. Clinger, "How to read floating point numbers
//  accurately", 1990), else as libc does it.
static double
value_of (const char *start, const decimal_t *decimal)
{
    static const double TEN [EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    int power = decimal->power;

    if (decimal->count > EXACT_DIGITS || power < -EXACT_POWER || power > EXACT_POWER) {
        return strtod (start, NULL);
    }
    double value = power < 0 ? (double) decimal->digits / TEN [-power]
                             : (double) decimal->digits * TEN [power];
    return *start == '-' ? -value : value;
}

static const char *
read_digits (decimal_t *out, const char *at, const char **fault)
{
    const char *start = at;

    for (; *at >= '0' && *at <= '9'; at++) {
        out->digits = out->digits * 10 + (uint64_t) (*at - '0');
        out->count += out->digits > 0 && out->count < 100;
    }
    if (at == start) {
        *fault = "a digit is missing";
    }
    return at;
}

static const char *
read_exponent (decimal_t *out, const char *at, const char **fault)
{
    bool minus = at [1] == '-';
    decimal_t exponent = {0};

    at = read_digits (&exponent, at + (minus || at [1] == '+' ? 2 : 1), fault);
    int by = exponent.count > 4 ? 10000 : (int) exponent.digits;
    out->power += minus ? -by : by;
    return at;
}

//  One that is as long as it wants to be is a double.
static void
take_whole (json_node_t *out, const char *start, const decimal_t *decimal)
{
    bool minus = *start == '-';
    uint64_t most = (uint64_t) INT64_MAX + minus;

    if (decimal->count < 19 || (decimal->count == 19 && decimal->digits <= most)) {
        out->kind = JSON_INTEGER;
        out->integer = (int64_t) (minus ? 0 - decimal->digits : decimal->digits);
    } else {
        out->kind = JSON_NUMBER;
        out->number = strtod (start, NULL);
    }
}

const char *
json_number_read (json_node_t *out, const char *start, const char **fault)
{
    const char *whole = start + (*start == '-'), *wrong = NULL;
    decimal_t decimal = {0};
    const char *at = read_digits (&decimal, whole, &wrong);

    if (!wrong && *whole == '0' && at > whole + 1) {
        wrong = "a number begins with 0";
    }
    bool is_whole = *at != '.' && *at != 'e' && *at != 'E';
    if (!wrong && *at == '.') {
        const char *fraction = at + 1;
        at = read_digits (&decimal, fraction, &wrong);
        decimal.power = (int) (fraction - at);
    }
    if (!wrong && (*at == 'e' || *at == 'E')) {
        at = read_exponent (&decimal, at, &wrong);
    }
    if (wrong) {
        *fault = wrong;
        return at;
    }
    if (is_whole) {
        take_whole (out, start, &decimal);
    } else {
        out->kind = JSON_NUMBER;
        out->number = value_of (start, &decimal);
    }
    return at;
}

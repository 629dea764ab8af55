// clock.c - see clock.h. The calendar is computed, not asked of libc: gmtime_r and strptime
// cost ten times as much, and a time is written with each event.
//
// SPDX-License-Identifier: MIT

#include "clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define DAY_US (24 * HOUR_US)

static time_us_t
read_clock (clockid_t which)
{
    struct timespec at;
    clock_gettime (which, &at);
    return (time_us_t) at.tv_sec * SECOND_US + at.tv_nsec / 1000;
}

moment_t
clock_now (void)
{
    return (moment_t){.wall = read_clock (CLOCK_REALTIME), .steady = read_clock (CLOCK_MONOTONIC)};
}

//  Days since 1970-01-01 of a date, and back: Howard Hinnant's days_from_civil,
//  https://howardhinnant.github.io/date_algorithms.html
static int64_t
days_from_date (int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void
date_from_days (int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

static void
put_pair (char *at, uint32_t value)
{
    at [0] = (char) ('0' + value / 10);
    at [1] = (char) ('0' + value % 10);
}

const char *
clock_format (char text [CLOCK_TEXT_SIZE], time_us_t wall)
{
    const time_us_t least = days_from_date (0, 1, 1) * DAY_US;
    const time_us_t most = days_from_date (10000, 1, 1) * DAY_US - 1;
    int64_t year, month, day;

    wall = wall < least ? least : wall > most ? most : wall;
    int64_t days = (wall >= 0 ? wall : wall - DAY_US + 1) / DAY_US;
    uint32_t ms = (uint32_t) ((wall - days * DAY_US) / MS_US), seconds = ms / 1000;
    date_from_days (days, &year, &month, &day);

    memcpy (text, "0000-00-00T00:00:00.000Z", CLOCK_TEXT_SIZE);
    put_pair (text, (uint32_t) year / 100);
    put_pair (text + 2, (uint32_t) year % 100);
    put_pair (text + 5, (uint32_t) month);
    put_pair (text + 8, (uint32_t) day);
    put_pair (text + 11, seconds / 3600);
    put_pair (text + 14, seconds / 60 % 60);
    put_pair (text + 17, seconds % 60);
    put_pair (text + 20, ms % 1000 / 10);
    text [22] = (char) ('0' + ms % 10);
    return text;
}

static int64_t
days_of_month (int64_t year, int64_t month)
{
    return days_from_date (month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1) -
           days_from_date (year, month, 1);
}

//  Reads exactly so many digits and then the mark (0: none).
static bool
take_digits (const char **at, int digits, char mark, int64_t *value)
{
    *value = 0;
    while (digits-- > 0) {
        if (!isdigit ((unsigned char) **at)) {
            return false;
        }
        *value = *value * 10 + (*(*at)++ - '0');
    }
    if (mark && *(*at)++ != mark) {
        return false;
    }
    return true;
}

static time_us_t
take_fraction (const char **at)
{
    time_us_t fraction = 0, unit = SECOND_US / 10;

    if (**at == '.' || **at == ',') {
        (*at)++;
        while (isdigit ((unsigned char) **at)) {
            fraction += (*(*at)++ - '0') * unit;
            unit /= 10;
        }
    }
    return fraction;
}

//  Z, an offset, or nothing; the rest must be empty.
static bool
take_zone (const char *at, time_us_t *offset)
{
    int64_t hours, minutes;

    *offset = 0;
    if (*at == '\0' || ((*at == 'Z' || *at == 'z') && at [1] == '\0')) {
        return true;
    }
    int sign = *at == '+' ? 1 : *at == '-' ? -1 : 0;
    at++;
    if (sign == 0 || !take_digits (&at, 2, 0, &hours)) {
        return false;
    }
    if (*at == ':') {
        at++;
    }
    if (!take_digits (&at, 2, 0, &minutes) || *at != '\0' || hours > 23 || minutes > 59) {
        return false;
    }
    *offset = sign * (hours * HOUR_US + minutes * MINUTE_US);
    return true;
}

int
clock_parse (const char *text, time_us_t *wall)
{
    int64_t year, month, day, hour, minute, second;
    time_us_t offset;

    if (!take_digits (&text, 4, '-', &year) || !take_digits (&text, 2, '-', &month) ||
        !take_digits (&text, 2, 0, &day) || (*text != 'T' && *text != 't' && *text != ' ')) {
        return -EINVAL;
    }
    text++;
    if (!take_digits (&text, 2, ':', &hour) || !take_digits (&text, 2, ':', &minute) ||
        !take_digits (&text, 2, 0, &second)) {
        return -EINVAL;
    }
    time_us_t fraction = take_fraction (&text);
    if (month < 1 || month > 12 || day < 1 || day > days_of_month (year, month) || hour > 23 ||
        minute > 59 || second > 60 || !take_zone (text, &offset)) {
        return -EINVAL;
    }
    *wall = days_from_date (year, month, day) * DAY_US + hour * HOUR_US + minute * MINUTE_US +
            second * SECOND_US + fraction - offset;
    return 0;
}

/* Sets the time of day of a process apart from the machine's: preloaded (LD_PRELOAD), it adds
 * CLOCK_APART_S seconds to every answer. Clocks that only count on are left as they are.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static time_t apart(void)
{
    static time_t seconds;
    static int known;
    if (!known) {
        const char *said = getenv("CLOCK_APART_S");
        seconds = said == NULL ? 0 : atol(said);
        known = 1;
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL)
        real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += apart();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise))
        return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *place)
{
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (place != NULL)
        *place = precise.tv_sec;
    return precise.tv_sec;
}

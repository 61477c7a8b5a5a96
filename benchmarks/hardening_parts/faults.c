/* Counts the calls that change files, and lets one of them fail or kill the process.
 *
 * Preloaded (LD_PRELOAD) into the campaign. It does nothing until a child arms it:
 *
 *   faults_arm(folder, nth, mode, number)
 *
 * Calls on files below `folder` are counted from 1; reads are not. At the nth, mode 1 returns -1
 * with errno `number`; mode 2 sends signal `number` to the process before the call; mode 3 does
 * both of 1 and lets every later call fail too (a disk that stays full). Mode 0 only counts.
 * faults_record(fd) before it has every counted call of this process written to a descriptor, as a
 * line with its number, its name and the file. faults_count() says how many there were,
 * faults_struck() the name of the call that was struck and the file, "" if none was.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char root[PATH_MAX];
static size_t root_length;
static int mode, number;
static long nth;
static atomic_long counted;
static char struck[PATH_MAX + 64];
static int record = -1;
static pid_t recorded;

void faults_arm(const char *folder, long which, int how, int what)
{
    snprintf(root, sizeof root, "%s", folder);
    nth = which;
    mode = how;
    number = what;
    struck[0] = 0;
    atomic_store(&counted, 0);
    root_length = strlen(root);
}

void faults_record(int fd)
{
    record = fd;
    recorded = getpid();
}

void faults_disarm(void) { root_length = 0; }
long faults_count(void) { return atomic_load(&counted); }
const char *faults_struck(void) { return struck; }

/* Whether the call is to fail; a path of NULL stands for a descriptor. */
static int strikes(const char *call, int fd, const char *path)
{
    char place[PATH_MAX + 1], link[64];
    if (!root_length)
        return 0;
    if (path == NULL || path[0] != '/') {
        if (path != NULL && fd == AT_FDCWD)
            snprintf(link, sizeof link, "/proc/self/cwd");
        else
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        int saved = errno;
        ssize_t length = readlink(link, place, PATH_MAX);
        errno = saved;
        if (length < 0)
            return 0;
        place[length] = 0;
        if (path != NULL && length + 1 < PATH_MAX)
            snprintf(place + length, PATH_MAX - length, "/%s", path);
    } else {
        snprintf(place, sizeof place, "%s", path);
    }
    if (strncmp(place, root, root_length) != 0)
        return 0;
    long now = atomic_fetch_add(&counted, 1) + 1;
    if (record >= 0 && getpid() == recorded) {
        char line[PATH_MAX + 96];
        int saved = errno;
        int size = snprintf(line, sizeof line, "%ld %s %s\n", now, call, place);
        /* Not by write(), which is counted. */
        if (syscall(SYS_write, record, line, (size_t)size) < 0)
            record = -1;
        errno = saved;
    }
    if (mode == 0 || now < nth || (now > nth && mode != 3))
        return 0;
    if (now == nth)
        snprintf(struck, sizeof struck, "%s %s", call, place);
    if (mode == 2) {
        kill(getpid(), number);
        return 0;
    }
    errno = number;
    return 1;
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int changes(int flags)
{
    return (flags & (O_CREAT | O_TRUNC)) || (flags & O_ACCMODE) != O_RDONLY;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        REAL(name); \
        mode_t permissions = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list more; \
            va_start(more, flags); \
            permissions = va_arg(more, mode_t); \
            va_end(more); \
        } \
        if (changes(flags) && strikes("open", AT_FDCWD, path)) \
            return -1; \
        return real(path, flags, permissions); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) \
    { \
        REAL(name); \
        mode_t permissions = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list more; \
            va_start(more, flags); \
            permissions = va_arg(more, mode_t); \
            va_end(more); \
        } \
        if (changes(flags) && strikes("open", folder, path)) \
            return -1; \
        return real(folder, path, flags, permissions); \
    }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name) \
    FILE *name(const char *path, const char *how) \
    { \
        REAL(name); \
        if (strpbrk(how, "wa+") && strikes("open", AT_FDCWD, path)) \
            return NULL; \
        return real(path, how); \
    }
FOPEN(fopen)
FOPEN(fopen64)

ssize_t write(int fd, const void *data, size_t size)
{
    REAL(write);
    return strikes("write", fd, NULL) ? -1 : real(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(writev);
    return strikes("write", fd, NULL) ? -1 : real(fd, parts, count);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    REAL(pwrite);
    return strikes("write", fd, NULL) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    REAL(pwrite64);
    return strikes("write", fd, NULL) ? -1 : real(fd, data, size, at);
}

int fsync(int fd)
{
    REAL(fsync);
    return strikes("fsync", fd, NULL) ? -1 : real(fd);
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    return strikes("fsync", fd, NULL) ? -1 : real(fd);
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    return strikes("rename", AT_FDCWD, to) ? -1 : real(from, to);
}

int renameat(int from_folder, const char *from, int folder, const char *to)
{
    REAL(renameat);
    return strikes("rename", folder, to) ? -1 : real(from_folder, from, folder, to);
}

int mkdir(const char *path, mode_t permissions)
{
    REAL(mkdir);
    return strikes("mkdir", AT_FDCWD, path) ? -1 : real(path, permissions);
}

/* A full disk still lets go of files, so these only kill: mode 1 and 3 leave them alone. */
static void passes(const char *call, int fd, const char *path)
{
    if (mode == 2)
        strikes(call, fd, path);
}

int unlink(const char *path)
{
    REAL(unlink);
    passes("unlink", AT_FDCWD, path);
    return real(path);
}

int unlinkat(int folder, const char *path, int flags)
{
    REAL(unlinkat);
    passes("unlink", folder, path);
    return real(folder, path, flags);
}

int ftruncate64(int fd, off64_t size)
{
    REAL(ftruncate64);
    passes("truncate", fd, NULL);
    return real(fd, size);
}

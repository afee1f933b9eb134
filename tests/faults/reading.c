/* Compiled with killing.c: once told to, the N-th call that reads a chosen file or folder fails, perhaps for a while.

   Reads through mmap are none of these. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST = 4096 };
static int log_file = -1, calls, comes_at, error;
static const char *below, *part;
static double seconds, until;
static char failing[LONGEST], healed[LONGEST];

/* Fail read `at`, counted from now on, with an error number, as every read of the same file within so many seconds,
   or until there is a file `<log>.healed`. Counted are those of files below the folder `in` that have `of` in the rest of their path; each is named in a log. */
void arm_reads(const char *log, int at, int number, const char *in, const char *of, double lasts) {
    comes_at = at;
    error = number;
    below = strdup(in);
    part = strdup(of);
    seconds = lasts;
    snprintf(healed, sizeof healed, "%s.healed", log);
    log_file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static int fails(const char *name, const char *path) {
    char line[LONGEST + 64];
    size_t length = strlen(below);
    if (strncmp(path, below, length) || path[length] != '/' || !strstr(path + length + 1, part)) return 0;
    int number = __sync_add_and_fetch(&calls, 1);
    syscall(SYS_write, log_file, line, snprintf(line, sizeof line, "%d %s %s\n", number, name, path + length + 1));
    if (number == comes_at) {
        strcpy(failing, path);
        until = now() + seconds;
    } else if (number < comes_at || now() >= until || strcmp(path, failing) || !access(healed, F_OK)) {
        return 0;
    }
    errno = error;
    return 1;
}

static int fails_file(const char *name, int file) {
    char link[32], path[LONGEST];
    if (log_file < 0 || file < 3) return 0;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    return fails(name, path);
}

static int fails_path(const char *name, int in, const char *path) {
    struct stat status;
    if (log_file < 0 || in != AT_FDCWD || *path != '/') return 0;
    int before = errno;
    int is_there = !syscall(SYS_newfstatat, AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW);
    errno = before;
    return is_there && fails(name, path);
}

#define READS(TYPE, NAME, PARAMETERS, ARGUMENTS, IS_FAILING, FAILED)      \
    TYPE NAME PARAMETERS {                                                \
        static TYPE(*real) PARAMETERS;                                    \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #NAME);             \
        return IS_FAILING ? FAILED : real ARGUMENTS;                      \
    }

#define FROM(FILE) fails_file(__func__, FILE)
#define AT(IN, PATH) fails_path(__func__, IN, PATH)

READS(ssize_t, read, (int file, void *data, size_t size), (file, data, size), FROM(file), -1)
READS(ssize_t, pread, (int file, void *data, size_t size, off_t at), (file, data, size, at), FROM(file), -1)
READS(ssize_t, pread64, (int file, void *data, size_t size, off64_t at), (file, data, size, at), FROM(file), -1)
READS(ssize_t, readv, (int file, const struct iovec *parts, int count), (file, parts, count), FROM(file), -1)
READS(ssize_t, preadv, (int file, const struct iovec *parts, int count, off_t at), (file, parts, count, at), FROM(file), -1)
READS(ssize_t, preadv64, (int file, const struct iovec *parts, int count, off64_t at), (file, parts, count, at), FROM(file), -1)
READS(ssize_t, preadv2, (int file, const struct iovec *parts, int count, off_t at, int how), (file, parts, count, at, how), FROM(file), -1)
READS(ssize_t, preadv64v2, (int file, const struct iovec *parts, int count, off64_t at, int how), (file, parts, count, at, how), FROM(file), -1)
READS(ssize_t, copy_file_range, (int file, off64_t *from, int out, off64_t *to, size_t size, unsigned how), (file, from, out, to, size, how), FROM(file), -1)
READS(ssize_t, sendfile, (int out, int file, off_t *from, size_t size), (out, file, from, size), FROM(file), -1)
READS(ssize_t, sendfile64, (int out, int file, off64_t *from, size_t size), (out, file, from, size), FROM(file), -1)
READS(struct dirent *, readdir, (DIR * folder), (folder), FROM(dirfd(folder)), NULL)
READS(struct dirent64 *, readdir64, (DIR * folder), (folder), FROM(dirfd(folder)), NULL)
READS(int, fstat, (int file, struct stat *status), (file, status), FROM(file), -1)
READS(int, fstat64, (int file, struct stat64 *status), (file, status), FROM(file), -1)
READS(int, stat, (const char *path, struct stat *status), (path, status), AT(AT_FDCWD, path), -1)
READS(int, stat64, (const char *path, struct stat64 *status), (path, status), AT(AT_FDCWD, path), -1)
READS(int, lstat, (const char *path, struct stat *status), (path, status), AT(AT_FDCWD, path), -1)
READS(int, lstat64, (const char *path, struct stat64 *status), (path, status), AT(AT_FDCWD, path), -1)
READS(int, fstatat, (int in, const char *path, struct stat *status, int how), (in, path, status, how), AT(in, path), -1)
READS(int, fstatat64, (int in, const char *path, struct stat64 *status, int how), (in, path, status, how), AT(in, path), -1)

/* Preloaded into a process; once armed, its N-th call that changes a file or a folder kills it, or fails, or stops it
   and its process group where it is.

   The calls of all threads are counted, and each is named in a log. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NO_FAULT, WHOLE, HALF };
enum { STOP = -1 }; /* in the place of an error number */
static int log_file = -1, is_halfway, calls, comes_at, error, is_ordered;
static const char *opened_in, *orders;
static char own_role[16];

/* Die before call `at`, counted from now on, 0 for never; if halfway, only those that write are counted, and half of its
   bytes are written. With an error number it fails with that instead, as the one after it does if halfway; files that
   are opened below the folder `in` are then counted as well. */
void arm(const char *log, int at, int halfway, int number, const char *in) {
    comes_at = at;
    is_halfway = halfway;
    error = number;
    opened_in = strdup(in);
    log_file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
}

/* A role of an appliance waits for orders, in the file that STOP_ORDERS names: ROLE NUMBER LOG. */
__attribute__((constructor)) static void learn_own_role(void) {
    static const char before[] = "router.roles.";
    char line[4096] = "";
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, line, sizeof line - 1);
    if (file >= 0) close(file);
    char *role = length > 0 ? memmem(line, length, before, sizeof before - 1) : NULL;
    if (!role) return;
    sscanf(role + sizeof before - 1, "%15[a-z]", own_role);
    orders = getenv("STOP_ORDERS");
}

static int is_told_to_count(void) {
    char line[4096], role[16], log[4096];
    int number, file = orders ? syscall(SYS_openat, AT_FDCWD, orders, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    ssize_t length = syscall(SYS_read, file, line, sizeof line - 1);
    syscall(SYS_close, file);
    line[length < 0 ? 0 : length] = 0;
    if (sscanf(line, "%15s %d %4095s", role, &number, log) != 3 || strcmp(role, own_role)) return 0;
    if (__sync_bool_compare_and_swap(&is_ordered, 0, 1)) arm(log, number, 0, STOP, "\n");
    return log_file >= 0;
}

static int counts(void) {
    return log_file >= 0 || is_told_to_count();
}

static void die(void) {
    if (error == STOP)
        kill(0, SIGSTOP);
    else
        kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int counted(const char *name) {
    char line[64];
    if (!counts()) return NO_FAULT;
    int number = __sync_add_and_fetch(&calls, 1);
    int length = snprintf(line, sizeof line, "%d %s\n", number, name);
    syscall(SYS_write, log_file, line, length);
    if (number == comes_at) return is_halfway ? HALF : WHOLE;
    return is_halfway && error && number == comes_at + 1 ? WHOLE : NO_FAULT;
}

/* What the call gives where it fails; does not return where it kills. */
static int failed(int result) {
    if (error <= 0) die();
    errno = error;
    return result;
}

static int is_in_file(int file) {
    struct stat status;
    return counts() && file > 2 && fstat(file, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

static int is_there(int in, const char *path) {
    struct stat status;
    return counts() && fstatat(in, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What will change nothing does not count: such calls are made again and again. */
#define CALL(NAME, PARAMETERS, ARGUMENTS, COUNTS, FAILED)                 \
    int NAME PARAMETERS {                                                 \
        static int(*real) PARAMETERS;                                     \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #NAME);             \
        if (!is_halfway && (COUNTS) && counted(#NAME)) return failed(FAILED); \
        return real ARGUMENTS;                                            \
    }

#define WRITES(NAME, PARAMETERS, ARGUMENTS, WRITE_HALF)                   \
    ssize_t NAME PARAMETERS {                                             \
        static ssize_t(*real) PARAMETERS;                                 \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #NAME);             \
        int fault = is_in_file(file) ? counted(#NAME) : NO_FAULT;         \
        if (fault == NO_FAULT) return real ARGUMENTS;                     \
        ssize_t written = fault == HALF ? WRITE_HALF : -1;                \
        if (!error || fault == WHOLE) failed(-1);                         \
        return written;                                                   \
    }

static ssize_t write_half(int file, const struct iovec *parts, int count, off_t at) {
    size_t left = 0, written = 0;
    for (int part = 0; part < count; part++) left += parts[part].iov_len;
    left /= 2;
    for (int part = 0; part < count && left; part++) {
        size_t some = parts[part].iov_len < left ? parts[part].iov_len : left;
        syscall(SYS_pwrite64, file, parts[part].iov_base, some, at + written);
        written += some;
        left -= some;
    }
    return written;
}

static ssize_t append_half(int file, const struct iovec *parts, int count) {
    off_t at = lseek(file, 0, fcntl(file, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t written = write_half(file, parts, count, at < 0 ? 0 : at);
    lseek(file, written, SEEK_CUR);
    return written;
}

#define ALL (&(struct iovec){(void *)data, size})

WRITES(write, (int file, const void *data, size_t size), (file, data, size), append_half(file, ALL, 1))
WRITES(pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size, at), write_half(file, ALL, 1, at))
WRITES(pwrite64, (int file, const void *data, size_t size, off64_t at), (file, data, size, at), write_half(file, ALL, 1, at))
WRITES(writev, (int file, const struct iovec *parts, int count), (file, parts, count), append_half(file, parts, count))
WRITES(pwritev, (int file, const struct iovec *parts, int count, off_t at), (file, parts, count, at), write_half(file, parts, count, at))
WRITES(pwritev64, (int file, const struct iovec *parts, int count, off64_t at), (file, parts, count, at), write_half(file, parts, count, at))
WRITES(pwritev2, (int file, const struct iovec *parts, int count, off_t at, int how), (file, parts, count, at, how), write_half(file, parts, count, at))
WRITES(pwritev64v2, (int file, const struct iovec *parts, int count, off64_t at, int how), (file, parts, count, at, how), write_half(file, parts, count, at))
CALL(fsync, (int file), (file), 1, -1)
CALL(fdatasync, (int file), (file), 1, -1)
CALL(ftruncate, (int file, off_t size), (file, size), 1, -1)
CALL(ftruncate64, (int file, off64_t size), (file, size), 1, -1)
CALL(posix_fallocate, (int file, off_t from, off_t size), (file, from, size), 1, error)
CALL(posix_fallocate64, (int file, off64_t from, off64_t size), (file, from, size), 1, error)
CALL(fallocate, (int file, int how, off_t from, off_t size), (file, how, from, size), 1, -1)
CALL(fallocate64, (int file, int how, off64_t from, off64_t size), (file, how, from, size), 1, -1)
CALL(rename, (const char *from, const char *to), (from, to), is_there(AT_FDCWD, from), -1)
CALL(renameat, (int in, const char *from, int out, const char *to), (in, from, out, to), is_there(in, from), -1)
CALL(renameat2, (int in, const char *from, int out, const char *to, unsigned how), (in, from, out, to, how), is_there(in, from), -1)
CALL(link, (const char *from, const char *to), (from, to), is_there(AT_FDCWD, from), -1)
CALL(linkat, (int in, const char *from, int out, const char *to, int how), (in, from, out, to, how), is_there(in, from), -1)
CALL(unlink, (const char *path), (path), is_there(AT_FDCWD, path), -1)
CALL(unlinkat, (int in, const char *path, int how), (in, path, how), is_there(in, path), -1)
CALL(rmdir, (const char *path), (path), is_there(AT_FDCWD, path), -1)
CALL(mkdir, (const char *path, mode_t mode), (path, mode), !is_there(AT_FDCWD, path), -1)
CALL(mkdirat, (int in, const char *path, mode_t mode), (in, path, mode), !is_there(in, path), -1)

static int is_opened(int in, const char *path, int how) {
    return error && !is_halfway && !strncmp(path, opened_in, strlen(opened_in)) && (how & O_CREAT || is_there(in, path));
}

#define OPENS(NAME, PARAMETERS, ARGUMENTS, IN)                            \
    int NAME PARAMETERS {                                                 \
        static int(*real) PARAMETERS;                                     \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #NAME);             \
        mode_t mode = 0;                                                  \
        if (how & (O_CREAT | O_TMPFILE)) {                                \
            va_list rest;                                                 \
            va_start(rest, how);                                          \
            mode = va_arg(rest, mode_t);                                  \
            va_end(rest);                                                 \
        }                                                                 \
        if (is_opened(IN, path, how) && counted(#NAME)) return failed(-1); \
        return real ARGUMENTS;                                            \
    }

OPENS(open, (const char *path, int how, ...), (path, how, mode), AT_FDCWD)
OPENS(open64, (const char *path, int how, ...), (path, how, mode), AT_FDCWD)
OPENS(openat, (int in, const char *path, int how, ...), (in, path, how, mode), in)
OPENS(openat64, (int in, const char *path, int how, ...), (in, path, how, mode), in)

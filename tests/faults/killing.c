/* Preloaded into a process; once armed it kills it at its N-th call that changes a file or a folder.

   The calls of all threads are counted, and each is named in a log. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int log_file = -1, is_halfway, calls, dies_at;

/* Die before call `at`, counted from now on, 0 for never; if halfway, only those that write are counted, and half of its
   bytes are written. */
void arm(const char *log, int at, int halfway) {
    dies_at = at;
    is_halfway = halfway;
    log_file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int is_reached(const char *name) {
    char line[64];
    if (log_file < 0) return 0;
    int number = __sync_add_and_fetch(&calls, 1);
    int length = snprintf(line, sizeof line, "%d %s\n", number, name);
    syscall(SYS_write, log_file, line, length);
    return number == dies_at;
}

static int is_in_file(int file) {
    struct stat status;
    return file > 2 && fstat(file, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

static int is_there(int in, const char *path) {
    struct stat status;
    return fstatat(in, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What will change nothing does not count: such calls are made again and again. */
#define CALL(RESULT, NAME, PARAMETERS, ARGUMENTS, COUNTS)                 \
    RESULT NAME PARAMETERS {                                              \
        static RESULT(*real) PARAMETERS;                                  \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #NAME);             \
        if (!is_halfway && (COUNTS) && is_reached(#NAME)) die();          \
        return real ARGUMENTS;                                            \
    }

#define WRITES(NAME, PARAMETERS, ARGUMENTS, HALF)                         \
    ssize_t NAME PARAMETERS {                                             \
        static ssize_t(*real) PARAMETERS;                                 \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #NAME);             \
        if (is_in_file(file) && is_reached(#NAME)) {                      \
            if (is_halfway) HALF;                                         \
            die();                                                        \
        }                                                                 \
        return real ARGUMENTS;                                            \
    }

static void write_half(int file, const struct iovec *parts, int count, off_t at) {
    size_t left = 0;
    for (int part = 0; part < count; part++) left += parts[part].iov_len;
    left /= 2;
    for (int part = 0; part < count && left; part++) {
        size_t some = parts[part].iov_len < left ? parts[part].iov_len : left;
        syscall(SYS_pwrite64, file, parts[part].iov_base, some, at);
        at += some;
        left -= some;
    }
}

static off_t place(int file) {
    off_t at = lseek(file, 0, fcntl(file, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    return at < 0 ? 0 : at;
}

#define ONE(AT) { struct iovec all = {(void *)data, size}; write_half(file, &all, 1, AT); }
#define SEVERAL(AT) write_half(file, parts, count, AT)

WRITES(write, (int file, const void *data, size_t size), (file, data, size), ONE(place(file)))
WRITES(pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size, at), ONE(at))
WRITES(pwrite64, (int file, const void *data, size_t size, off64_t at), (file, data, size, at), ONE(at))
WRITES(writev, (int file, const struct iovec *parts, int count), (file, parts, count), SEVERAL(place(file)))
WRITES(pwritev, (int file, const struct iovec *parts, int count, off_t at), (file, parts, count, at), SEVERAL(at))
WRITES(pwritev64, (int file, const struct iovec *parts, int count, off64_t at), (file, parts, count, at), SEVERAL(at))
WRITES(pwritev2, (int file, const struct iovec *parts, int count, off_t at, int how), (file, parts, count, at, how), SEVERAL(at))
WRITES(pwritev64v2, (int file, const struct iovec *parts, int count, off64_t at, int how), (file, parts, count, at, how), SEVERAL(at))
CALL(int, fsync, (int file), (file), 1)
CALL(int, fdatasync, (int file), (file), 1)
CALL(int, ftruncate, (int file, off_t size), (file, size), 1)
CALL(int, ftruncate64, (int file, off64_t size), (file, size), 1)
CALL(int, posix_fallocate, (int file, off_t from, off_t size), (file, from, size), 1)
CALL(int, posix_fallocate64, (int file, off64_t from, off64_t size), (file, from, size), 1)
CALL(int, fallocate, (int file, int how, off_t from, off_t size), (file, how, from, size), 1)
CALL(int, fallocate64, (int file, int how, off64_t from, off64_t size), (file, how, from, size), 1)
CALL(int, rename, (const char *from, const char *to), (from, to), is_there(AT_FDCWD, from))
CALL(int, renameat, (int in, const char *from, int out, const char *to), (in, from, out, to), is_there(in, from))
CALL(int, renameat2, (int in, const char *from, int out, const char *to, unsigned how), (in, from, out, to, how), is_there(in, from))
CALL(int, link, (const char *from, const char *to), (from, to), is_there(AT_FDCWD, from))
CALL(int, linkat, (int in, const char *from, int out, const char *to, int how), (in, from, out, to, how), is_there(in, from))
CALL(int, unlink, (const char *path), (path), is_there(AT_FDCWD, path))
CALL(int, unlinkat, (int in, const char *path, int how), (in, path, how), is_there(in, path))
CALL(int, rmdir, (const char *path), (path), is_there(AT_FDCWD, path))
CALL(int, mkdir, (const char *path, mode_t mode), (path, mode), !is_there(AT_FDCWD, path))
CALL(int, mkdirat, (int in, const char *path, mode_t mode), (in, path, mode), !is_there(in, path))

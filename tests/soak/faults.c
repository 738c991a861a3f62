/* Faults of the file system, for tests/soak: LD_PRELOAD=faults.so.
 *
 *   FAULT_DIR   only what lies below it counts
 *   FAULT_LOG   a file outside of it that gets a line for each event: number, call, path
 *   FAULT_AT=N  the event at which something happens
 *   FAULT_DO    kill: before the call; after: after it; half: after half of what is written; enospc, eio: it fails
 */
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
#include <unistd.h>

static const char *folder, *deed;
static long at = -1, events;
static int log_fd = -1;

__attribute__((constructor)) static void begin(void) {
    folder = getenv("FAULT_DIR");
    deed = getenv("FAULT_DO");
    if (getenv("FAULT_AT")) at = atol(getenv("FAULT_AT"));
    if (getenv("FAULT_LOG")) {
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
        log_fd = real(getenv("FAULT_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0644);
    }
}

static int named(const char *path) { return folder && path && strstr(path, folder); }

static int open_there(int fd, char *path) {
    char link[64];
    ssize_t length;
    if (!folder || fd < 3 || fd == log_fd) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, 4095);
    if (length < 0) return 0;
    path[length] = 0;
    return named(path);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Counts an event. 0: nothing happens; 1: the call fails with errno set; 2: it is done, then the process dies;
 * 3: half of it is done, then the process dies. */
static int event(const char *call, const char *path) {
    long number = __sync_add_and_fetch(&events, 1);
    if (log_fd >= 0) {
        char line[4400];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path);
        ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
        if (real(log_fd, line, length) < 0) abort();
    }
    if (number != at || !deed) return 0;
    if (!strcmp(deed, "kill")) die();
    if (!strcmp(deed, "after")) return 2;
    if (!strcmp(deed, "half")) return 3;
    errno = !strcmp(deed, "eio") ? EIO : ENOSPC;
    return 1;
}

#define REAL(name, result, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = dlsym(RTLD_NEXT, name)
#define AROUND(call, path, done) \
    switch (event(call, path)) { \
    case 1: return -1; \
    case 2: \
    case 3: (void)(done); die(); \
    }

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL("write", ssize_t, int, const void *, size_t);
    char path[4096];
    if (open_there(fd, path)) {
        switch (event("write", path)) {
        case 1: return -1;
        case 2: if (real(fd, bytes, count) < 0) abort(); die(); break;
        case 3: if (real(fd, bytes, count / 2) < 0) abort(); die(); break;
        }
    }
    return real(fd, bytes, count);
}

int fsync(int fd) {
    REAL("fsync", int, int);
    char path[4096];
    if (open_there(fd, path)) AROUND("fsync", path, real(fd));
    return real(fd);
}

int fdatasync(int fd) {
    REAL("fdatasync", int, int);
    char path[4096];
    if (open_there(fd, path)) AROUND("fdatasync", path, real(fd));
    return real(fd);
}

int rename(const char *from, const char *to) {
    REAL("rename", int, const char *, const char *);
    if (named(to)) AROUND("rename", to, real(from, to));
    return real(from, to);
}

int unlink(const char *path) {
    REAL("unlink", int, const char *);
    if (named(path)) AROUND("unlink", path, real(path));
    return real(path);
}

int mkdir(const char *path, mode_t mode) {
    REAL("mkdir", int, const char *, mode_t);
    if (named(path)) AROUND("mkdir", path, real(path, mode));
    return real(path, mode);
}

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    const char *call = flags & (O_WRONLY | O_RDWR) ? "open to write" : "open to read";
    if (named(path)) AROUND(call, path, real(path, flags, mode));
    return real(path, flags, mode);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(#name, int, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = va_arg(rest, mode_t); \
        va_end(rest); \
        return opened(real, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

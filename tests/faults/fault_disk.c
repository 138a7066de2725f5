/* Loaded before libc into a program under test: writes down, in order, everything it does to the files below
   $DISK_ROOT that a disk would have to keep, into $DISK_LOG. Counts fsyncs the way a card would see them.

   Record: u8 what, u64 inode, u64 a, u64 b, u32 length, bytes.
   'C' created (bytes: path)  'O' opened (path)  'W' written (a: offset, bytes)  'T' cut to (a)
   'S' file synced  'D' folder synced (path)  'R' renamed (bytes: old NUL new)  'U' removed (path)
   'L' linked (old NUL new)  'A' room reserved to (a) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static int log_fd = -2;
static const char *root;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void begin(void) {
    if (log_fd != -2) return;
    root = getenv("DISK_ROOT");
    const char *path = getenv("DISK_LOG");
    log_fd = root && path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
}

static int below(const char *path) { return log_fd >= 0 && path && strncmp(path, root, strlen(root)) == 0; }

static int path_of(int fd, char *path) {
    begin();
    if (log_fd < 0) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    return below(path);
}

static void put(char what, uint64_t inode, uint64_t a, uint64_t b, const void *data, uint32_t size) {
    unsigned char head[29];
    head[0] = (unsigned char)what;
    memcpy(head + 1, &inode, 8);
    memcpy(head + 9, &a, 8);
    memcpy(head + 17, &b, 8);
    memcpy(head + 25, &size, 4);
    syscall(SYS_write, log_fd, head, sizeof head);
    if (size) syscall(SYS_write, log_fd, data, size);
}

static uint64_t inode_of(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 ? (uint64_t)found.st_ino : 0;
}

static const char *absolute(const char *path, char *room) {
    if (path[0] == '/') return path;
    if (!getcwd(room, PATH_MAX - 256)) return path;
    strcat(strcat(room, "/"), path);
    return room;
}

static int opened(int fd, const char *path, int flags, int was_there) {
    if (fd >= 0 && below(path)) {
        struct stat found;
        if (fstat(fd, &found) == 0 && S_ISREG(found.st_mode)) {
            put(was_there ? 'O' : 'C', found.st_ino, 0, 0, path, strlen(path));
            if (was_there && (flags & O_TRUNC)) put('T', found.st_ino, 0, 0, 0, 0);
        }
    }
    return fd;
}

#define OPEN(name)                                                                                         \
    int name(const char *path, int flags, ...) {                                                           \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more);             \
        char room[PATH_MAX]; begin(); const char *whole = absolute(path, room);                            \
        int was_there = !below(whole) || access(whole, F_OK) == 0;                                         \
        pthread_mutex_lock(&lock);                                                                         \
        int fd = opened(REAL(name)(path, flags, mode), whole, flags, was_there);                           \
        pthread_mutex_unlock(&lock); return fd; }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                       \
    int name(int folder, const char *path, int flags, ...) {                                               \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more);             \
        char room[PATH_MAX]; begin(); const char *whole = absolute(path, room);                            \
        int was_there = !below(whole) || access(whole, F_OK) == 0;                                         \
        pthread_mutex_lock(&lock);                                                                         \
        int fd = opened(REAL(name)(folder, path, flags, mode), whole, flags, was_there);                   \
        pthread_mutex_unlock(&lock); return fd; }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *data, size_t size) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return REAL(write)(fd, data, size);
    pthread_mutex_lock(&lock);
    struct stat found;
    fstat(fd, &found);
    int flags = fcntl(fd, F_GETFL);
    off_t at = flags & O_APPEND ? found.st_size : lseek(fd, 0, SEEK_CUR);
    ssize_t done = REAL(write)(fd, data, size);
    if (done > 0 && S_ISREG(found.st_mode)) put('W', found.st_ino, at, 0, data, done);
    pthread_mutex_unlock(&lock);
    return done;
}

#define PWRITE(name, type)                                                                                 \
    ssize_t name(int fd, const void *data, size_t size, type at) {                                         \
        char path[PATH_MAX];                                                                               \
        if (!path_of(fd, path)) return REAL(name)(fd, data, size, at);                                     \
        pthread_mutex_lock(&lock);                                                                         \
        ssize_t done = REAL(name)(fd, data, size, at);                                                     \
        if (done > 0) put('W', inode_of(fd), at, 0, data, done);                                           \
        pthread_mutex_unlock(&lock); return done; }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define CUT(name, type)                                                                                    \
    int name(int fd, type size) {                                                                          \
        char path[PATH_MAX];                                                                               \
        if (!path_of(fd, path)) return REAL(name)(fd, size);                                               \
        pthread_mutex_lock(&lock);                                                                         \
        int wrong = REAL(name)(fd, size);                                                                  \
        if (!wrong) put('T', inode_of(fd), size, 0, 0, 0);                                                 \
        pthread_mutex_unlock(&lock); return wrong; }
CUT(ftruncate, off_t)
CUT(ftruncate64, off64_t)

#define CUT_PATH(name, type)                                                                               \
    int name(const char *path, type size) {                                                                \
        begin(); pthread_mutex_lock(&lock);                                                                \
        int wrong = REAL(name)(path, size);                                                                \
        struct stat found;                                                                                 \
        if (!wrong && below(path) && stat(path, &found) == 0) put('T', found.st_ino, size, 0, 0, 0);       \
        pthread_mutex_unlock(&lock); return wrong; }
CUT_PATH(truncate, off_t)
CUT_PATH(truncate64, off64_t)

#define RESERVE(name, type)                                                                                \
    int name(int fd, type at, type size) {                                                                 \
        char path[PATH_MAX];                                                                               \
        int wrong = REAL(name)(fd, at, size);                                                              \
        if (!wrong && path_of(fd, path)) put('A', inode_of(fd), at + size, 0, 0, 0);                       \
        return wrong; }
RESERVE(posix_fallocate, off_t)
RESERVE(posix_fallocate64, off64_t)

#define SYNC(name)                                                                                         \
    int name(int fd) {                                                                                     \
        char path[PATH_MAX];                                                                               \
        if (!path_of(fd, path)) return REAL(name)(fd);                                                     \
        pthread_mutex_lock(&lock);                                                                         \
        int wrong = getenv("DISK_LAZY") ? 0 : REAL(name)(fd);                                              \
        struct stat found;                                                                                 \
        fstat(fd, &found);                                                                                 \
        if (!wrong) put(S_ISDIR(found.st_mode) ? 'D' : 'S', found.st_ino, 0, 0, path, strlen(path));       \
        pthread_mutex_unlock(&lock); return wrong; }
SYNC(fsync)
SYNC(fdatasync)

static void put_pair(char what, const char *from, const char *to) {
    char both[2 * PATH_MAX];
    size_t size = strlen(from) + 1;
    memcpy(both, from, size);
    strcpy(both + size, to);
    put(what, 0, 0, 0, both, size + strlen(to));
}

int rename(const char *from, const char *to) {
    begin(); pthread_mutex_lock(&lock);
    int wrong = REAL(rename)(from, to);
    if (!wrong && below(from)) put_pair('R', from, to);
    pthread_mutex_unlock(&lock);
    return wrong;
}

int link(const char *from, const char *to) {
    begin(); pthread_mutex_lock(&lock);
    int wrong = REAL(link)(from, to);
    if (!wrong && below(from)) put_pair('L', from, to);
    pthread_mutex_unlock(&lock);
    return wrong;
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
    begin(); pthread_mutex_lock(&lock);
    int wrong = REAL(linkat)(a, from, b, to, flags);
    if (!wrong && below(from)) put_pair('L', from, to);
    pthread_mutex_unlock(&lock);
    return wrong;
}

int unlink(const char *path) {
    begin(); pthread_mutex_lock(&lock);
    int wrong = REAL(unlink)(path);
    if (!wrong && below(path)) put('U', 0, 0, 0, path, strlen(path));
    pthread_mutex_unlock(&lock);
    return wrong;
}

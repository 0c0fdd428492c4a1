/* The contents of many small files of a folder by one call in a thread; node:fs takes four trips to the pool for each. */
#include "addon.h"
#include "thread-call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct files {
  struct thread_call call;
  int folder;
  /* Names, each with a NUL behind it. */
  const uint8_t *names;
  size_t names_size;
  uint8_t *bytes;
  size_t bytes_size;
  /* Of each file: bytes read, or a negative errno. */
  int32_t *lengths;
  size_t room;
  uint32_t limit_ms;
};

/* Not an errno of a file: it must wait for the next call. */
enum { NO_ROOM = -1 };

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* One more byte is asked for than there should be: none of it means that this is all. */
static int read_whole(int fd, off_t size, uint8_t *bytes, size_t *length) {
  size_t wanted = (size_t)size + 1;
  *length = 0;
  while (*length < wanted) {
    ssize_t count = pread(fd, bytes + *length, wanted - *length, (off_t)*length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) return 0;
    *length += (size_t)count;
  }
  return EFBIG;
}

static int read_pinned(int pin, uint8_t *bytes, size_t room, size_t total, size_t *length) {
  struct stat found;
  if (fstat(pin, &found) < 0) return errno;
  if (S_ISLNK(found.st_mode)) return ELOOP;
  if (!S_ISREG(found.st_mode)) return EINVAL;
  if ((size_t)found.st_size >= total) return EFBIG;
  if ((size_t)found.st_size >= room) return NO_ROOM;
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", pin);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  int failed = read_whole(fd, found.st_size, bytes, length);
  close(fd);
  return failed;
}

/* First without touching it: to open a FIFO or a device has effects. 0, an errno or NO_ROOM. */
static int read_file(const struct files *files, const char *name, size_t used, size_t *length) {
  int pin = openat(files->folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (pin < 0) return errno;
  int failed = read_pinned(pin, files->bytes + used, files->bytes_size - used, files->bytes_size, length);
  close(pin);
  return failed;
}

static int read_files(struct thread_call *call) {
  struct files *files = (struct files *)call;
  double until_ms = now_ms() + files->limit_ms;
  size_t used = 0, count = 0;
  for (size_t at = 0; at < files->names_size && count < files->room; count++) {
    if (count > 0 && now_ms() >= until_ms) break;
    const char *name = (const char *)files->names + at;
    size_t length = 0;
    int failed = read_file(files, name, used, &length);
    if (failed == NO_ROOM) break;
    files->lengths[count] = failed != 0 ? -failed : (int32_t)length;
    if (failed == 0) used += length;
    at += strlen(name) + 1;
  }
  call->result = (int64_t)count;
  return 0;
}

static bool get_lengths(napi_env env, napi_value value, struct files *files) {
  napi_typedarray_type type;
  void *start = NULL;
  if (napi_get_typedarray_info(env, value, &type, &files->room, &start, NULL, NULL) != napi_ok || type != napi_int32_array) {
    return throw_type(env, "lengths must be an Int32Array") != NULL;
  }
  files->lengths = start;
  return true;
}

static bool get_files(napi_env env, napi_value *arguments, struct files *files) {
  uint8_t *names;
  if (!get_int32(env, arguments[0], "folder", &files->folder) ||
      !get_bytes(env, arguments[1], "names", &names, &files->names_size) ||
      !get_bytes(env, arguments[2], "bytes", &files->bytes, &files->bytes_size) ||
      !get_lengths(env, arguments[3], files) || !get_uint32(env, arguments[4], "limitMs", &files->limit_ms)) {
    return false;
  }
  files->names = names;
  if (files->names_size == 0 || names[files->names_size - 1] != '\0') {
    return throw_range(env, "names must end with a NUL") != NULL;
  }
  if (files->bytes_size > INT32_MAX) return throw_range(env, "bytes has more than 2 GiB") != NULL;
  return true;
}

/* readFiles(folder, names, bytes, lengths, limitMs) */
static napi_value read_files_ahead(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  struct files found = {.call = {.run = read_files, .syscall = "openat"}};
  if (!get_arguments(env, info, 5, arguments, NULL) || !get_files(env, arguments, &found)) return NULL;
  struct files *files = malloc(sizeof *files);
  if (files == NULL) return throw_errno(env, ENOMEM, "openat", NULL);
  *files = found;
  return start_thread_call(env, &files->call, arguments + 1, 3);
}

bool define_read_files(napi_env env, napi_value exports) {
  return define_function(env, exports, "readFiles", read_files_ahead);
}

/* System calls on names in an open folder. node:fs reaches them by /proc/self/fd only, which costs two to four times as much. */
#include "addon.h"
#include "file-state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The folder, and a name or path in it. */
static bool get_name(napi_env env, napi_value *arguments, int32_t *fd, struct path *name) {
  return get_int32(env, arguments[0], "fd", fd) && get_path(env, arguments[1], "name", name);
}

static bool get_states(napi_env env, napi_value value, size_t count, int64_t **states) {
  napi_typedarray_type type;
  size_t length = 0;
  void *start = NULL;
  if (napi_get_typedarray_info(env, value, &type, &length, &start, NULL, NULL) != napi_ok ||
      type != napi_bigint64_array || length < count * STATE_FIELDS) {
    return throw_type(env, "state must be a BigInt64Array with room for it") != NULL;
  }
  *states = start;
  return true;
}

static bool get_state(napi_env env, napi_value value, int64_t **state) { return get_states(env, value, 1, state); }

/* For calls that do something besides: the mode tells that there is nothing (0), or why the state could not be had (-errno). */
static void look_at(int fd, const char *name, int64_t *state) {
  int failed = state_at(fd, name, state);
  if (failed != 0) state[MODE] = failed == ENOENT ? 0 : -failed;
}

/* statAt(fd, name, state): false when there is nothing of that name. */
static napi_value stat_at(napi_env env, napi_callback_info info) {
  napi_value arguments[3], found;
  int32_t fd;
  struct path name;
  int64_t *state;
  if (!get_arguments(env, info, 3, arguments, NULL) || !get_name(env, arguments, &fd, &name) ||
      !get_state(env, arguments[2], &state)) {
    return NULL;
  }
  int failed = state_at(fd, name.bytes, state);
  if (failed != 0 && failed != ENOENT) return throw_errno(env, failed, "statx", name.bytes);
  TRY(env, napi_get_boolean(env, failed == 0, &found));
  return found;
}

/* findBeneath(fd, path, flags, name, state): a descriptor of what the path leads to, and the state of `name` in it. */
static napi_value find_beneath(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  int32_t fd;
  uint32_t flags;
  struct path path, name;
  int64_t *state;
  if (!get_arguments(env, info, 5, arguments, NULL) || !get_name(env, arguments, &fd, &path) ||
      !get_uint32(env, arguments[2], "flags", &flags) || !get_path(env, arguments[3], "name", &name) ||
      !get_state(env, arguments[4], &state)) {
    return NULL;
  }
  struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
  long opened = -1;
  /* EAGAIN: somebody renamed something on the way. Who never ceases to is not waited for. */
  for (int tries = 0; opened < 0 && tries < 16; tries++) {
    opened = syscall(SYS_openat2, fd, path.bytes, &how, sizeof how);
    if (opened < 0 && errno != EINTR && errno != EAGAIN) break;
  }
  if (opened < 0) return throw_errno(env, errno, "openat2", path.bytes);
  look_at((int)opened, name.bytes, state);
  return from_int(env, opened);
}

/* 0, or an errno. */
static int write_whole(int fd, const uint8_t *data, size_t length) {
  for (size_t written = 0; written < length;) {
    ssize_t count = write(fd, data + written, length - written);
    if (count < 0 && errno != EINTR) return errno;
    if (count > 0) written += (size_t)count;
  }
  return 0;
}

/*
 * createAt(fd, name, mode, content, other, states): a descriptor of a new file, for reading and writing. There is none when it fails.
 * States: of `other` after that ("": not asked), with its attributes; of the new file, too, if there is an `other`.
 */
static napi_value create_at(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  int32_t fd;
  uint32_t mode;
  struct path name, other;
  uint8_t *content;
  size_t length;
  int64_t *states;
  if (!get_arguments(env, info, 6, arguments, NULL) || !get_name(env, arguments, &fd, &name) ||
      !get_uint32(env, arguments[2], "mode", &mode) || !get_bytes(env, arguments[3], "content", &content, &length) ||
      !get_path(env, arguments[4], "other", &other) || !get_states(env, arguments[5], 2, &states)) {
    return NULL;
  }
  int created;
  do created = openat(fd, name.bytes, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  while (created < 0 && errno == EINTR);
  if (created < 0) return throw_errno(env, errno, "openat", name.bytes);
  int failed = write_whole(created, content, length);
  if (failed == 0) {
    states[MODE] = 0;
    if (other.bytes[0] != '\0') look_at(fd, other.bytes, states);
    if (states[MODE] > 0) states[ATTRIBUTES] = attribute_bytes(fd, other.bytes);
    if (states[MODE] != 0) look_at(created, "", states + STATE_FIELDS);
    return from_int(env, created);
  }
  close(created);
  unlinkat(fd, name.bytes, 0);
  return throw_errno(env, failed, "write", name.bytes);
}

/*
 * renameAt(fd, from, to, flags, opened, beside, state): within the folder. Then closes `opened`, which is what was renamed, after a look
 * at its state. True: there is something of the name `beside` ("": not asked).
 */
static napi_value rename_at(napi_env env, napi_callback_info info) {
  napi_value arguments[7], found;
  int32_t fd, opened;
  uint32_t flags;
  struct path from, to, beside;
  int64_t *state, other[STATE_FIELDS];
  if (!get_arguments(env, info, 7, arguments, NULL) || !get_name(env, arguments, &fd, &from) ||
      !get_path(env, arguments[2], "to", &to) || !get_uint32(env, arguments[3], "flags", &flags) ||
      !get_int32(env, arguments[4], "opened", &opened) || !get_path(env, arguments[5], "beside", &beside) ||
      !get_state(env, arguments[6], &state)) {
    return NULL;
  }
  if (renameat2(fd, from.bytes, fd, to.bytes, flags) < 0) return throw_errno(env, errno, "renameat2", to.bytes);
  look_at(opened, "", state);
  close(opened);
  bool is_there = beside.bytes[0] != '\0' && state_at(fd, beside.bytes, other) != ENOENT;
  TRY(env, napi_get_boolean(env, is_there, &found));
  return found;
}

/* Opens for reading what `pin` names. */
static int open_pinned(const struct environment *environment, int pin) {
  char path[32];
  bool shorter = environment->descriptors >= 0;
  snprintf(path, sizeof path, shorter ? "%d" : "/proc/self/fd/%d", pin);
  return openat(shorter ? environment->descriptors : AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
}

/* All of the file that `pin` names, if it has just as many bytes as there is room for; -1: it hasn't, or is no regular file. */
static ssize_t read_pinned(const struct environment *environment, int pin, uint8_t *data, size_t room,
                           int64_t *state) {
  int failed = state_at(pin, "", state);
  if (failed == EOVERFLOW) return -1;
  if (failed != 0) {
    errno = failed;
    return -2;
  }
  if (!S_ISREG(state[MODE]) || state[SIZE] != (int64_t)room) return -1;
  int fd = open_pinned(environment, pin);
  if (fd < 0) return -2;
  size_t filled = 0;
  ssize_t count = 0;
  while (filled < room) {
    count = pread(fd, data + filled, room - filled, (off_t)filled);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    filled += (size_t)count;
  }
  int error = errno;
  close(fd);
  errno = error;
  if (count < 0) return -2;
  return filled == room ? (ssize_t)filled : -1;
}

/*
 * readFileAt(fd, name, buffer, state): the bytes read, all of a regular file that is as long as the buffer, with its state before that;
 * -1 for everything else. Pinned first: what is no regular file is never opened, for that may have effects and never return.
 */
static napi_value read_file_at(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  int32_t fd;
  struct path name;
  uint8_t *data;
  size_t room;
  int64_t *state;
  if (!get_arguments(env, info, 4, arguments, NULL) || !get_name(env, arguments, &fd, &name) ||
      !get_bytes(env, arguments[2], "buffer", &data, &room) || !get_state(env, arguments[3], &state)) {
    return NULL;
  }
  int pin = openat(fd, name.bytes, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (pin < 0) return throw_errno(env, errno, "openat", name.bytes);
  ssize_t count = read_pinned(get_environment(env), pin, data, room, state);
  int error = errno;
  close(pin);
  if (count == -2) return throw_errno(env, error, "read", name.bytes);
  return from_int(env, count);
}

bool define_folder(napi_env env, napi_value exports) {
  return define_function(env, exports, "statAt", stat_at) && define_function(env, exports, "findBeneath", find_beneath) &&
         define_function(env, exports, "createAt", create_at) && define_function(env, exports, "renameAt", rename_at) &&
         define_function(env, exports, "readFileAt", read_file_at);
}

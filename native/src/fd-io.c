/*
 * FdIo: one descriptor with poll-driven reads and writes. The hot path of the whole program: no call here allocates
 * memory of its own. Contract: src/native/binding.ts.
 */
#include "watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { MAX_IOVECS = 1024 /* IOV_MAX of Linux */, MESSAGE_ALIGNMENT = 8 };
/* Nothing else happens in the environment meanwhile. */
enum { MAX_SPIN_US = 1000 };
enum { READABLE = 1, WRITABLE = 2, HANGUP = 4 };

struct fd_io {
  napi_env env;
  struct environment *environment;
  int fd;                   /* -1 once closed */
  struct watcher *watcher;  /* From the first watch on; NULL once closed, or once the environment ends. */
  int events;               /* What is watched. */
  /* INVARIANT: both are set exactly while events != 0: a watched object is not collected, a silent one may be. */
  napi_ref self;
  napi_ref callback;
};

static napi_value readiness_object(napi_env env, struct environment *environment, int bits) {
  napi_value object;
  if (environment->readiness[bits] != NULL) {
    TRY(env, napi_get_reference_value(env, environment->readiness[bits], &object));
    return object;
  }
  static const char *const names[] = {"readable", "writable", "hangup"};
  TRY(env, napi_create_object(env, &object));
  for (int at = 0; at < 3; at++) {
    napi_value flag;
    TRY(env, napi_get_boolean(env, (bits >> at) & 1, &flag));
    TRY(env, napi_set_named_property(env, object, names[at], flag));
  }
  TRY(env, napi_object_freeze(env, object));
  TRY(env, napi_create_reference(env, object, 1, &environment->readiness[bits]));
  return object;
}

/* poll(2) without waiting. An error condition counts as all three: the next read or write tells which. */
static int poll_now(int fd) {
  struct pollfd poller = {.fd = fd, .events = POLLIN | POLLOUT};
  int bits = 0;
  while (poll(&poller, 1, 0) < 0) {
    if (errno != EINTR) return READABLE | WRITABLE | HANGUP;
  }
  if (poller.revents & (POLLERR | POLLNVAL)) return READABLE | WRITABLE | HANGUP;
  if (poller.revents & POLLIN) bits |= READABLE;
  if (poller.revents & POLLOUT) bits |= WRITABLE;
  if (poller.revents & POLLHUP) bits |= HANGUP;
  return bits;
}

static void forget_callback(struct fd_io *io) {
  io->events = 0;
  if (io->callback != NULL) napi_delete_reference(io->env, io->callback);
  if (io->self != NULL) napi_delete_reference(io->env, io->self);
  io->callback = NULL;
  io->self = NULL;
}

static void close_descriptor(struct fd_io *io) {
  if (io->fd < 0) return;
  watcher_close(io->watcher);
  close(io->fd);
  io->fd = -1;
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct fd_io *io = data;
  close_descriptor(io);
  forget_callback(io);
  free(io);
}

/* The object may be closed, and even be collected, by the callback: `io` is not touched after the call. */
static void call_back(struct fd_io *io, int bits) {
  napi_env env = io->env;
  napi_value self, callback;
  if (napi_get_reference_value(env, io->self, &self) != napi_ok) return;
  if (napi_get_reference_value(env, io->callback, &callback) != napi_ok) return;
  napi_value argument = readiness_object(env, io->environment, bits);
  if (argument != NULL) napi_make_callback(env, NULL, self, callback, 1, &argument, NULL);
}

static void on_ready(void *owner, int events) {
  struct fd_io *io = owner;
  napi_env env = io->env;
  napi_handle_scope scope;
  if (io->events == 0 || napi_open_handle_scope(env, &scope) != napi_ok) return;
  /*
   * Asked again, as libuv hides POLLHUP: it reports a hang-up as all the readiness that was asked for, and a writer
   * that believed it would spin on EAGAIN.
   */
  int bits = poll_now(io->fd);
  if (events < 0) {
    /* libuv has stopped the watch. The references go, but the handles in this scope keep the object for the call. */
    napi_value self, callback, argument = readiness_object(env, io->environment, READABLE | WRITABLE | HANGUP);
    bool known = argument != NULL && napi_get_reference_value(env, io->self, &self) == napi_ok &&
                 napi_get_reference_value(env, io->callback, &callback) == napi_ok;
    forget_callback(io);
    if (known) napi_make_callback(env, NULL, self, callback, 1, &argument, NULL);
  } else {
    int asked = bits & (io->events | HANGUP);
    if (asked != 0) call_back(io, bits);
  }
  bool pending = false;
  napi_value error;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok) {
    napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

/* The object behind `this`; NULL after having thrown, also when it is closed. */
static struct fd_io *get_open(napi_env env, napi_value self) {
  void *data = NULL;
  if (napi_unwrap(env, self, &data) != napi_ok || data == NULL) {
    throw_type(env, "not an FdIo");
    return NULL;
  }
  struct fd_io *io = data;
  if (io->fd >= 0) return io;
  throw_code(env, "ERR_FD_CLOSED", "the descriptor is closed");
  return NULL;
}

static napi_value fd_io_get_fd(napi_env env, napi_callback_info info) {
  napi_value self;
  void *data = NULL;
  if (!get_arguments(env, info, 0, NULL, &self)) return NULL;
  if (napi_unwrap(env, self, &data) != napi_ok || data == NULL) return throw_type(env, "not an FdIo");
  return from_int(env, ((struct fd_io *)data)->fd);
}

static napi_value fd_io_poll(napi_env env, napi_callback_info info) {
  napi_value self;
  if (!get_arguments(env, info, 0, NULL, &self)) return NULL;
  struct fd_io *io = get_open(env, self);
  return io == NULL ? NULL : readiness_object(env, io->environment, poll_now(io->fd));
}

static napi_value start_watching(struct fd_io *io, int events, napi_value self, napi_value callback) {
  napi_env env = io->env;
  napi_ref callback_ref = NULL, self_ref = NULL;
  int error = io->watcher == NULL ? watcher_open(io->environment, io->fd, &io->watcher, io, on_ready) : 0;
  if (error != 0) return throw_errno(env, -error, "epoll_ctl", NULL);
  TRY(env, napi_create_reference(env, callback, 1, &callback_ref));
  if (napi_create_reference(env, self, 1, &self_ref) != napi_ok) {
    napi_delete_reference(env, callback_ref);
    return throw_last(env);
  }
  forget_callback(io);
  io->callback = callback_ref;
  io->self = self_ref;
  io->events = events;
  error = watcher_set(io->watcher, events);
  if (error == 0) return undefined(env);
  forget_callback(io);
  return throw_errno(env, -error, "epoll_ctl", NULL);
}

static napi_value stop_watching(struct fd_io *io) {
  if (io->watcher != NULL) watcher_set(io->watcher, 0);
  forget_callback(io);
  return undefined(io->env);
}

static napi_value fd_io_watch(napi_env env, napi_callback_info info) {
  napi_value arguments[3], self;
  bool readable, writable, same = false;
  napi_valuetype type;
  if (!get_arguments(env, info, 3, arguments, &self)) return NULL;
  struct fd_io *io = get_open(env, self);
  if (io == NULL) return NULL;
  if (napi_get_value_bool(env, arguments[0], &readable) != napi_ok ||
      napi_get_value_bool(env, arguments[1], &writable) != napi_ok) {
    return throw_type(env, "readable and writable must be booleans");
  }
  int events = (readable ? DAVPORT_UV_READABLE : 0) | (writable ? DAVPORT_UV_WRITABLE : 0);
  if (events == 0) return stop_watching(io);
  TRY(env, napi_typeof(env, arguments[2], &type));
  if (type != napi_function) return throw_type(env, "callback must be a function");
  if (io->callback != NULL) {
    napi_value current;
    TRY(env, napi_get_reference_value(env, io->callback, &current));
    TRY(env, napi_strict_equals(env, current, arguments[2], &same));
  }
  if (!same) return start_watching(io, events, self, arguments[2]);
  /* The common case, a writer that waits and goes on: nothing is created. */
  if (events == io->events) return undefined(env);
  int error = watcher_set(io->watcher, events);
  if (error != 0) return throw_errno(env, -error, "epoll_ctl", NULL);
  io->events = events;
  return undefined(env);
}

static napi_value fd_io_read(napi_env env, napi_callback_info info) {
  napi_value arguments[2], self;
  uint8_t *data;
  size_t length;
  uint32_t offset = 0;
  if (!get_arguments(env, info, 2, arguments, &self)) return NULL;
  struct fd_io *io = get_open(env, self);
  if (io == NULL || !get_bytes(env, arguments[0], "buffer", &data, &length)) return NULL;
  if (!is_undefined(env, arguments[1]) && !get_uint32(env, arguments[1], "offset", &offset)) return NULL;
  /* No room would read 0 bytes, which callers take for the end of the file. */
  if (offset >= length) return throw_range(env, "offset is not inside the buffer");
  ssize_t count;
  do {
    count = read(io->fd, data + offset, length - offset);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && errno != EAGAIN) return throw_errno(env, errno, "read", NULL);
  return from_int(env, count);
}

static int64_t monotonic_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* As read(2), but looks for `spin_us` before it says EAGAIN. Whoever else wants this CPU gets it: it may be the one that is waited for. */
static ssize_t read_spinning(int fd, uint8_t *data, size_t length, uint32_t spin_us) {
  ssize_t count = read(fd, data, length);
  if (spin_us == 0 || count >= 0 || errno != EAGAIN) return count;
  int64_t deadline = monotonic_us() + spin_us;
  do {
    sched_yield();
    count = read(fd, data, length);
  } while (count < 0 && errno == EAGAIN && monotonic_us() < deadline);
  return count;
}

static napi_value fd_io_read_batch(napi_env env, napi_callback_info info) {
  napi_value arguments[4], self;
  uint8_t *data;
  size_t length, max_messages, at = 0;
  uint32_t min_space, *ends, messages = 0, spin_us = 0;
  void *ends_data = NULL;
  napi_typedarray_type type;
  if (!get_arguments(env, info, 4, arguments, &self)) return NULL;
  struct fd_io *io = get_open(env, self);
  if (io == NULL || !get_bytes(env, arguments[0], "buffer", &data, &length)) return NULL;
  if (napi_get_typedarray_info(env, arguments[1], &type, &max_messages, &ends_data, NULL, NULL) != napi_ok ||
      type != napi_uint32_array) {
    return throw_type(env, "ends must be a Uint32Array");
  }
  ends = ends_data;
  if (!get_uint32(env, arguments[2], "minSpace", &min_space)) return NULL;
  if (!is_undefined(env, arguments[3]) && !get_uint32(env, arguments[3], "spinUs", &spin_us)) return NULL;
  if (spin_us > MAX_SPIN_US) return throw_range(env, "spinUs must be at most 1000");
  if (length > UINT32_MAX) length = UINT32_MAX;
  if (min_space == 0 || min_space > length || max_messages == 0) return throw_range(env, "no room for one message");
  while (messages < max_messages && at < length && length - at >= min_space) {
    ssize_t count = read_spinning(io->fd, data + at, length - at, messages == 0 ? spin_us : 0);
    if (count > 0) {
      at += (size_t)count;
      ends[messages++] = (uint32_t)at;
      at = (at + MESSAGE_ALIGNMENT - 1) & ~(size_t)(MESSAGE_ALIGNMENT - 1);
      continue;
    }
    /* ENOENT: the caller of this request was interrupted before the kernel handed it over. */
    if (count < 0 && (errno == EINTR || errno == ENOENT)) continue;
    /* What was read comes first; a lasting error shows again at the next call. */
    if (messages > 0 || (count < 0 && errno == EAGAIN)) break;
    return throw_errno(env, count == 0 ? ENODEV : errno, "read", NULL);
  }
  return from_int(env, messages);
}

static napi_value fd_io_writev(napi_env env, napi_callback_info info) {
  napi_value arguments[1], self;
  struct iovec vectors[MAX_IOVECS];
  uint32_t count;
  if (!get_arguments(env, info, 1, arguments, &self)) return NULL;
  struct fd_io *io = get_open(env, self);
  if (io == NULL) return NULL;
  if (napi_get_array_length(env, arguments[0], &count) != napi_ok) return throw_type(env, "buffers must be an array");
  if (count > MAX_IOVECS) return throw_range(env, "more than 1024 buffers");
  for (uint32_t at = 0; at < count; at++) {
    napi_value item;
    uint8_t *data;
    size_t length;
    TRY(env, napi_get_element(env, arguments[0], at, &item));
    if (!get_bytes(env, item, "each buffer", &data, &length)) return NULL;
    vectors[at] = (struct iovec){.iov_base = data, .iov_len = length};
  }
  /* A getter in the array may have run JavaScript that closed the descriptor. */
  if (io->fd < 0) return throw_code(env, "ERR_FD_CLOSED", "the descriptor is closed");
  ssize_t written;
  do {
    written = writev(io->fd, vectors, (int)count);
  } while (written < 0 && errno == EINTR);
  if (written < 0 && errno != EAGAIN) return throw_errno(env, errno, "writev", NULL);
  return from_int(env, written);
}

static napi_value fd_io_close(napi_env env, napi_callback_info info) {
  napi_value self;
  void *data = NULL;
  if (!get_arguments(env, info, 0, NULL, &self)) return NULL;
  if (napi_unwrap(env, self, &data) != napi_ok || data == NULL) return throw_type(env, "not an FdIo");
  close_descriptor(data);
  forget_callback(data);
  return undefined(env);
}

/* An instance is empty until `create` wraps a descriptor in it; one made by JavaScript stays empty. */
static napi_value construct(napi_env env, napi_callback_info info) {
  napi_value self;
  return get_arguments(env, info, 0, NULL, &self) ? self : NULL;
}

/* Owns `fd` from here on, also when it fails. */
static napi_value create(napi_env env, int fd) {
  struct environment *environment = get_environment(env);
  struct fd_io *io = calloc(1, sizeof *io);
  napi_value class, object;
  if (io != NULL && napi_get_reference_value(env, environment->fd_io_class, &class) == napi_ok &&
      napi_new_instance(env, class, 0, NULL, &object) == napi_ok) {
    *io = (struct fd_io){.env = env, .environment = environment, .fd = fd};
    if (napi_wrap(env, object, io, finalize, NULL, NULL) == napi_ok) return object;
  }
  free(io);
  close(fd);
  return throw_last(env);
}

static napi_value open_fd(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  int32_t fd;
  if (!get_arguments(env, info, 1, arguments, NULL) || !get_int32(env, arguments[0], "fd", &fd)) return NULL;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
    return throw_errno(env, errno, "fcntl", NULL);
  }
  return create(env, fd);
}

static napi_value open_path(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  struct path path;
  int32_t flags;
  if (!get_arguments(env, info, 2, arguments, NULL) || !get_path(env, arguments[0], "path", &path) ||
      !get_int32(env, arguments[1], "flags", &flags)) {
    return NULL;
  }
  int fd;
  do {
    fd = open(path.bytes, flags | O_NONBLOCK | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EINTR);
  return fd < 0 ? throw_errno(env, errno, "open", path.bytes) : create(env, fd);
}

bool define_fd_io(napi_env env, napi_value exports) {
  const napi_property_descriptor members[] = {
      {.utf8name = "fd", .getter = fd_io_get_fd, .attributes = napi_enumerable},
      {.utf8name = "watch", .method = fd_io_watch},
      {.utf8name = "poll", .method = fd_io_poll},
      {.utf8name = "read", .method = fd_io_read},
      {.utf8name = "readBatch", .method = fd_io_read_batch},
      {.utf8name = "writev", .method = fd_io_writev},
      {.utf8name = "close", .method = fd_io_close},
  };
  napi_value class;
  return napi_define_class(env, "FdIo", NAPI_AUTO_LENGTH, construct, NULL, sizeof members / sizeof *members, members,
                           &class) == napi_ok &&
         napi_create_reference(env, class, 1, &get_environment(env)->fd_io_class) == napi_ok &&
         define_function(env, exports, "openFd", open_fd) && define_function(env, exports, "open", open_path);
}

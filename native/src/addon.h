/* What the files of the addon share: the object of one environment, errors, arguments. */
#ifndef DAVPORT_ADDON_H
#define DAVPORT_ADDON_H

#include <limits.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

#include "uv-abi.h"

struct watcher;

/* One per environment (main thread or worker); the addon has no other state. */
struct environment {
  uv_loop_t *loop;
  /* /proc/self/fd, or -1: three names less to walk whenever a pinned file is opened. */
  int descriptors;
  napi_ref fd_io_class;
  /* Frozen Readiness objects by their three bits, so that an event allocates nothing. */
  napi_ref readiness[8];
  /* INVARIANT: every watcher whose uv handle has not been closed completely is in this list. */
  struct watcher *watchers;
  napi_async_cleanup_hook_handle cleanup;
  /* Set once the environment ends; the last watcher to go then releases `cleanup`. */
  bool ending;
};

/* A path as the system calls want it. */
struct path {
  char bytes[PATH_MAX];
};

/* errors.c: each throws and returns NULL, for `return throw_…`. */
napi_value throw_errno(napi_env env, int error, const char *syscall, const char *path);
napi_value throw_code(napi_env env, const char *code, const char *message);
napi_value throw_type(napi_env env, const char *message);
napi_value throw_range(napi_env env, const char *message);
/* After a failed Node-API call: throws unless something is thrown already. */
napi_value throw_last(napi_env env);

/* arguments.c: false after having thrown. */
bool get_arguments(napi_env env, napi_callback_info info, size_t wanted, napi_value *arguments, napi_value *self);
bool get_int32(napi_env env, napi_value value, const char *name, int32_t *result);
bool get_uint32(napi_env env, napi_value value, const char *name, uint32_t *result);
bool get_bytes(napi_env env, napi_value value, const char *name, uint8_t **data, size_t *length);
bool get_path(napi_env env, napi_value value, const char *name, struct path *result);
bool is_undefined(napi_env env, napi_value value);

napi_value undefined(napi_env env);
napi_value from_int(napi_env env, int64_t value);
struct environment *get_environment(napi_env env);
bool define_function(napi_env env, napi_value object, const char *name, napi_callback callback);

/* fd-io.c, mount.c, xattr.c, times.c, inotify.c, members.c, read-cached.c, folder.c, read-files.c, lock.c: add their functions to `exports`. */
bool define_fd_io(napi_env env, napi_value exports);
bool define_mount(napi_env env, napi_value exports);
bool define_xattr(napi_env env, napi_value exports);
bool define_times(napi_env env, napi_value exports);
bool define_inotify(napi_env env, napi_value exports);
bool define_members(napi_env env, napi_value exports);
bool define_read_cached(napi_env env, napi_value exports);
bool define_folder(napi_env env, napi_value exports);
bool define_read_files(napi_env env, napi_value exports);
bool define_lock(napi_env env, napi_value exports);
/* watcher.c: closes what an environment that ends still watches, then releases its clean-up hook. */
void watchers_end(struct environment *environment);

#define TRY(env, call)                                     \
  do {                                                     \
    if ((call) != napi_ok) return throw_last(env);         \
  } while (0)

#endif

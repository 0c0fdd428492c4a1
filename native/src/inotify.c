/* inotify(7): which names of a folder change. Read through FdIo; which changes matter is decided elsewhere. */
#include "addon.h"

#include <errno.h>
#include <sys/inotify.h>

/* inotifyInit() */
static napi_value inotify_start(napi_env env, napi_callback_info info) {
  (void)info;
  int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  return fd < 0 ? throw_errno(env, errno, "inotify_init1", NULL) : from_int(env, fd);
}

/* inotifyAdd(fd, path, mask) */
static napi_value inotify_add(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  int32_t fd;
  uint32_t mask;
  struct path path;
  if (!get_arguments(env, info, 3, arguments, NULL) || !get_int32(env, arguments[0], "fd", &fd) ||
      !get_path(env, arguments[1], "path", &path) || !get_uint32(env, arguments[2], "mask", &mask)) {
    return NULL;
  }
  int watch = inotify_add_watch(fd, path.bytes, mask);
  return watch < 0 ? throw_errno(env, errno, "inotify_add_watch", path.bytes) : from_int(env, watch);
}

/* inotifyRemove(fd, watch) */
static napi_value inotify_remove(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int32_t fd, watch;
  if (!get_arguments(env, info, 2, arguments, NULL) || !get_int32(env, arguments[0], "fd", &fd) ||
      !get_int32(env, arguments[1], "watch", &watch)) {
    return NULL;
  }
  if (inotify_rm_watch(fd, watch) < 0) return throw_errno(env, errno, "inotify_rm_watch", NULL);
  return undefined(env);
}

bool define_inotify(napi_env env, napi_value exports) {
  return define_function(env, exports, "inotifyInit", inotify_start) &&
         define_function(env, exports, "inotifyAdd", inotify_add) &&
         define_function(env, exports, "inotifyRemove", inotify_remove);
}

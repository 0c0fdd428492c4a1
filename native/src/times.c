/* Times to the nanosecond; node:fs has them to the microsecond, and none before 1970. Symbolic links are never followed. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static napi_value set_mtime(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  struct path path;
  uint32_t nsec;
  int64_t sec;
  if (!get_arguments(env, info, 3, arguments, NULL) || !get_path(env, arguments[0], "path", &path) ||
      !get_uint32(env, arguments[2], "nsec", &nsec)) {
    return NULL;
  }
  TRY(env, napi_get_value_int64(env, arguments[1], &sec));
  struct timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, {.tv_sec = sec, .tv_nsec = nsec}};
  if (nsec > 999999999) return throw_range(env, "nsec is 0 to 999999999");
  if (utimensat(AT_FDCWD, path.bytes, times, AT_SYMLINK_NOFOLLOW) < 0) {
    return throw_errno(env, errno, "utimensat", path.bytes);
  }
  return undefined(env);
}

bool define_times(napi_env env, napi_value exports) { return define_function(env, exports, "setmtime", set_mtime); }

/* Times to the nanosecond; node:fs has them to the microsecond, and none before 1970. Symbolic links are never followed. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* An nsec of -1: this time stays as it is. */
static bool get_time(napi_env env, napi_value sec, napi_value nsec, struct timespec *time) {
  int64_t seconds;
  int32_t nanoseconds;
  if (!get_int32(env, nsec, "nsec", &nanoseconds)) return false;
  if (nanoseconds < -1 || nanoseconds > 999999999) return throw_range(env, "nsec is -1 to 999999999") != NULL;
  if (napi_get_value_int64(env, sec, &seconds) != napi_ok) return throw_last(env) != NULL;
  time->tv_sec = seconds;
  time->tv_nsec = nanoseconds < 0 ? UTIME_OMIT : nanoseconds;
  return true;
}

/* settimes(path, atimeSec, atimeNsec, mtimeSec, mtimeNsec) */
static napi_value set_times(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  struct path path;
  struct timespec times[2];
  if (!get_arguments(env, info, 5, arguments, NULL) || !get_path(env, arguments[0], "path", &path) ||
      !get_time(env, arguments[1], arguments[2], &times[0]) || !get_time(env, arguments[3], arguments[4], &times[1])) {
    return NULL;
  }
  if (utimensat(AT_FDCWD, path.bytes, times, AT_SYMLINK_NOFOLLOW) < 0) {
    return throw_errno(env, errno, "utimensat", path.bytes);
  }
  return undefined(env);
}

bool define_times(napi_env env, napi_value exports) { return define_function(env, exports, "settimes", set_times); }

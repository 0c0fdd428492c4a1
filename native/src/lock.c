/* Locks that end with the process, however it ends. */
#include "addon.h"

#include <errno.h>
#include <sys/file.h>

/* lockFile(fd): flock(2), exclusive, without waiting. False: somebody else has it. */
static napi_value lock_file(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  napi_value result;
  int32_t fd;
  if (!get_arguments(env, info, 1, arguments, NULL) || !get_int32(env, arguments[0], "fd", &fd)) return NULL;
  int failed = flock(fd, LOCK_EX | LOCK_NB);
  if (failed && errno != EWOULDBLOCK) return throw_errno(env, errno, "flock", NULL);
  if (napi_get_boolean(env, !failed, &result) != napi_ok) return throw_last(env);
  return result;
}

bool define_lock(napi_env env, napi_value exports) { return define_function(env, exports, "lockFile", lock_file); }

/* Reading what the kernel has in its cache, without a trip through the thread pool and without a wait for a disk. */
#include "addon.h"

#include <errno.h>
#include <sys/uio.h>

/* readCached(fd, buffer, length, position): bytes read, 0 at the end of the file, -1 when it could not be told at once. */
static napi_value read_cached(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  int32_t fd;
  uint8_t *data;
  size_t room;
  uint32_t length;
  int64_t position;
  if (!get_arguments(env, info, 4, arguments, NULL) || !get_int32(env, arguments[0], "fd", &fd) ||
      !get_bytes(env, arguments[1], "buffer", &data, &room) || !get_uint32(env, arguments[2], "length", &length)) {
    return NULL;
  }
  TRY(env, napi_get_value_int64(env, arguments[3], &position));
  if (length > room) return throw_range(env, "length is more than the buffer has");
  struct iovec target = {.iov_base = data, .iov_len = length};
  ssize_t count;
  do count = preadv2(fd, &target, 1, position, RWF_NOWAIT);
  while (count < 0 && errno == EINTR);
  /* EOPNOTSUPP: the file system has no such read. ENOSYS: a filter of system calls. */
  if (count < 0 && (errno == EAGAIN || errno == EOPNOTSUPP || errno == ENOSYS)) return from_int(env, -1);
  if (count < 0) return throw_errno(env, errno, "preadv2", NULL);
  return from_int(env, count);
}

bool define_read_cached(napi_env env, napi_value exports) {
  return define_function(env, exports, "readCached", read_cached);
}

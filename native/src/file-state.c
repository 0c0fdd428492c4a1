/* One statx(2) for all that the share looks at. */
#include "file-state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* Can it be had as nanoseconds of 64 bits? Until 2255. */
static bool fits(struct statx_timestamp time) { return llabs(time.tv_sec) < 9000000000; }

static int64_t to_ns(struct statx_timestamp time) { return time.tv_sec * 1000000000 + time.tv_nsec; }

int state_at(int fd, const char *name, int64_t state[STATE_FIELDS]) {
  struct statx found;
  memset(state, 0, STATE_FIELDS * sizeof *state);
  if (statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &found) < 0) return errno;
  if (!fits(found.stx_atime) || !fits(found.stx_mtime) || !fits(found.stx_ctime)) return EOVERFLOW;
  state[MODE] = found.stx_mode;
  state[NLINK] = found.stx_nlink;
  state[SIZE] = (int64_t)found.stx_size;
  state[INO] = (int64_t)found.stx_ino;
  state[DEV] = (int64_t)makedev(found.stx_dev_major, found.stx_dev_minor);
  state[ATIME] = to_ns(found.stx_atime);
  state[MTIME] = to_ns(found.stx_mtime);
  state[CTIME] = to_ns(found.stx_ctime);
  state[BIRTHTIME] = (found.stx_mask & STATX_BTIME) != 0 ? to_ns(found.stx_btime) : 0;
  state[ATTRIBUTES] = -1;
  state[UID] = found.stx_uid;
  state[GID] = found.stx_gid;
  return 0;
}

int64_t attribute_bytes(int fd, const char *name) {
  char path[64 + 256];
  int length = snprintf(path, sizeof path, "/proc/self/fd/%d/%s", fd, name);
  if (length < 0 || (size_t)length >= sizeof path) return -1;
  ssize_t size = llistxattr(path, NULL, 0);
  if (size < 0) return errno == ENOTSUP ? 0 : -1;
  return size;
}

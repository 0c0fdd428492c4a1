/* mount(2) of a FUSE file system, and what the hand-shake with fusermount3 needs. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_OPTIONS = 4000 /* mount(2) takes one page */ };

struct options {
  char text[MAX_OPTIONS];
};

/* Puts fd= in front: the kernel wants it first of all. */
static bool complete_options(napi_env env, napi_value value, int fd, struct options *options) {
  struct path given;
  if (!get_path(env, value, "options", &given)) return false;
  int length = snprintf(options->text, sizeof options->text, "fd=%d%s%s", fd, given.bytes[0] == '\0' ? "" : ",",
                        given.bytes);
  if (length < (int)sizeof options->text) return true;
  throw_range(env, "the mount options are longer than mount(2) takes");
  return false;
}

static napi_value mount_fuse(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  struct path source, target, type;
  struct options options;
  uint32_t flags;
  if (!get_arguments(env, info, 5, arguments, NULL) || !get_path(env, arguments[0], "source", &source) ||
      !get_path(env, arguments[1], "target", &target) || !get_path(env, arguments[2], "type", &type) ||
      !get_uint32(env, arguments[3], "flags", &flags)) {
    return NULL;
  }
  int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) return throw_errno(env, errno, "open", "/dev/fuse");
  if (!complete_options(env, arguments[4], fd, &options)) {
    close(fd);
    return NULL;
  }
  if (mount(source.bytes, target.bytes, type.bytes, flags, options.text) < 0) {
    int error = errno;
    close(fd);
    return throw_errno(env, error, "mount", target.bytes);
  }
  return from_int(env, fd);
}

static napi_value unmount(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  struct path target;
  int32_t flags;
  if (!get_arguments(env, info, 2, arguments, NULL) || !get_path(env, arguments[0], "target", &target) ||
      !get_int32(env, arguments[1], "flags", &flags)) {
    return NULL;
  }
  if (umount2(target.bytes, flags) < 0) return throw_errno(env, errno, "umount2", target.bytes);
  return undefined(env);
}

static napi_value socket_pair(napi_env env, napi_callback_info info) {
  (void)info;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return throw_errno(env, errno, "socketpair", NULL);
  napi_value pair;
  TRY(env, napi_create_array_with_length(env, 2, &pair));
  for (uint32_t at = 0; at < 2; at++) {
    napi_value end = from_int(env, ends[at]);
    if (end == NULL) return NULL;
    TRY(env, napi_set_element(env, pair, at, end));
  }
  return pair;
}

/* The first descriptor of the message, or -1; more than one were not asked for. */
static int take_descriptor(struct msghdr *message) {
  int taken = -1;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t at = 0; at < count; at++) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + at * sizeof fd, sizeof fd);
      if (taken < 0) {
        taken = fd;
      } else {
        close(fd);
      }
    }
  }
  return taken;
}

static napi_value receive_fd(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  int32_t socket;
  if (!get_arguments(env, info, 1, arguments, NULL) || !get_int32(env, arguments[0], "socket", &socket)) return NULL;
  char byte;
  union {
    struct cmsghdr header; /* For its alignment. */
    char bytes[CMSG_SPACE(4 * sizeof(int))];
  } control;
  struct iovec vector = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t count;
  do {
    count = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return errno == EAGAIN ? from_int(env, -1) : throw_errno(env, errno, "recvmsg", NULL);
  int fd = take_descriptor(&message);
  if (fd >= 0) return from_int(env, fd);
  return count == 0 ? from_int(env, -2) : throw_errno(env, EPROTO, "recvmsg", NULL);
}

static napi_value close_fd(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  int32_t fd;
  if (!get_arguments(env, info, 1, arguments, NULL) || !get_int32(env, arguments[0], "fd", &fd)) return NULL;
  if (close(fd) < 0 && errno != EINTR) return throw_errno(env, errno, "close", NULL);
  return undefined(env);
}

bool define_mount(napi_env env, napi_value exports) {
  return define_function(env, exports, "mountFuse", mount_fuse) && define_function(env, exports, "umount", unmount) &&
         define_function(env, exports, "socketPair", socket_pair) &&
         define_function(env, exports, "receiveFd", receive_fd) && define_function(env, exports, "closeFd", close_fd);
}

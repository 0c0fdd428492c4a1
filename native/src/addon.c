/* Loads the addon into one environment (main thread or worker). */
#include "addon.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void environment_ends(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  watchers_end(data);
}

/* Runs after `environment_ends` has been released: nothing of this environment uses it any more. */
static void free_environment(napi_env env, void *data, void *hint) {
  (void)hint;
  struct environment *environment = data;
  if (environment->fd_io_class != NULL) napi_delete_reference(env, environment->fd_io_class);
  for (size_t at = 0; at < sizeof environment->readiness / sizeof *environment->readiness; at++) {
    if (environment->readiness[at] != NULL) napi_delete_reference(env, environment->readiness[at]);
  }
  if (environment->descriptors >= 0) close(environment->descriptors);
  free(environment);
}

NAPI_MODULE_INIT() {
  if (!uv_abi_fits()) return throw_code(env, "ERR_UV_ABI", "this Node.js has another libuv than the addon knows");
  struct environment *environment = calloc(1, sizeof *environment);
  if (environment == NULL) return throw_code(env, "ENOMEM", "no memory");
  environment->descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (napi_set_instance_data(env, environment, free_environment, NULL) != napi_ok) {
    free_environment(env, environment, NULL);
    return throw_last(env);
  }
  struct uv_loop_s *loop;
  TRY(env, napi_get_uv_event_loop(env, &loop));
  environment->loop = loop;
  TRY(env, napi_add_async_cleanup_hook(env, environment_ends, environment, &environment->cleanup));
  if (!define_fd_io(env, exports) || !define_mount(env, exports) || !define_xattr(env, exports) ||
      !define_times(env, exports) || !define_inotify(env, exports) || !define_members(env, exports) ||
      !define_read_cached(env, exports) || !define_folder(env, exports) || !define_read_files(env, exports) ||
      !define_lock(env, exports)) {
    return throw_last(env);
  }
  return exports;
}

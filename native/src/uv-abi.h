/*
 * The few functions of libuv that the addon calls, declared by hand.
 *
 * Node's own headers are not part of every installation (node-api-headers, the npm package, has no uv.h), and fetching
 * them at install time would need the network. What makes hand-made declarations safe:
 *  - libuv keeps its ABI within 1.x, which is the only libuv that Node-API's napi_get_uv_event_loop stands for;
 *  - handles stay opaque: memory comes from uv_handle_size(), fields are reached through uv_handle_{get,set}_data();
 *  - the one number that is needed, that of UV_POLL, is checked when the addon loads (see uv_abi_fits).
 * Where uv.h is installed, a test compiles both together, so that the compiler compares them.
 */
#ifndef DAVPORT_UV_ABI_H
#define DAVPORT_UV_ABI_H

#include <stddef.h>
#include <string.h>

#ifndef UV_H
typedef struct uv_loop_s uv_loop_t;
typedef struct uv_handle_s uv_handle_t;
typedef struct uv_poll_s uv_poll_t;
typedef void (*uv_close_cb)(uv_handle_t *handle);
typedef void (*uv_poll_cb)(uv_poll_t *handle, int status, int events);
#define DAVPORT_UV_HANDLE_TYPE int
#else
#define DAVPORT_UV_HANDLE_TYPE uv_handle_type
#endif

enum { DAVPORT_UV_READABLE = 1, DAVPORT_UV_WRITABLE = 2 };
enum { DAVPORT_UV_POLL = 8 };

size_t uv_handle_size(DAVPORT_UV_HANDLE_TYPE type);
const char *uv_handle_type_name(DAVPORT_UV_HANDLE_TYPE type);
void *uv_handle_get_data(const uv_handle_t *handle);
void uv_handle_set_data(uv_handle_t *handle, void *data);
void uv_close(uv_handle_t *handle, uv_close_cb close_cb);

int uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd);
int uv_poll_start(uv_poll_t *handle, int events, uv_poll_cb cb);
int uv_poll_stop(uv_poll_t *handle);

char *uv_err_name_r(int err, char *buf, size_t buflen);
char *uv_strerror_r(int err, char *buf, size_t buflen);

static inline int uv_abi_fits(void) {
  const char *name = uv_handle_type_name((DAVPORT_UV_HANDLE_TYPE)DAVPORT_UV_POLL);
  return name != NULL && strcmp(name, "poll") == 0;
}

#endif

#include "watcher.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

struct watcher {
  struct environment *environment;
  struct watcher *next, *previous;
  /* Both NULL once closed: the owner may be gone while libuv still holds the handle. */
  void *owner;
  struct watcher **slot;
  watcher_callback callback;
  /* A uv_poll_t, whose size only libuv knows. */
  alignas(max_align_t) unsigned char handle[];
};

static uv_poll_t *poll_of(struct watcher *watcher) {
  return (uv_poll_t *)(void *)watcher->handle;
}

static uv_handle_t *handle_of(struct watcher *watcher) {
  return (uv_handle_t *)(void *)watcher->handle;
}

static void unlink_watcher(struct watcher *watcher) {
  struct environment *environment = watcher->environment;
  if (watcher->previous != NULL) {
    watcher->previous->next = watcher->next;
  } else {
    environment->watchers = watcher->next;
  }
  if (watcher->next != NULL) watcher->next->previous = watcher->previous;
}

static void on_closed(uv_handle_t *handle) {
  struct watcher *watcher = uv_handle_get_data(handle);
  struct environment *environment = watcher->environment;
  unlink_watcher(watcher);
  free(watcher);
  if (environment->ending && environment->watchers == NULL) napi_remove_async_cleanup_hook(environment->cleanup);
}

int watcher_open(struct environment *environment, int fd, struct watcher **slot, void *owner, watcher_callback callback) {
  struct watcher *watcher = calloc(1, sizeof *watcher + uv_handle_size((DAVPORT_UV_HANDLE_TYPE)DAVPORT_UV_POLL));
  if (watcher == NULL) return -ENOMEM;
  int error = uv_poll_init(environment->loop, poll_of(watcher), fd);
  if (error != 0) {
    free(watcher);
    return error;
  }
  watcher->environment = environment;
  watcher->owner = owner;
  watcher->slot = slot;
  watcher->callback = callback;
  watcher->next = environment->watchers;
  if (watcher->next != NULL) watcher->next->previous = watcher;
  environment->watchers = watcher;
  uv_handle_set_data(handle_of(watcher), watcher);
  *slot = watcher;
  return 0;
}

static void on_poll(uv_poll_t *handle, int status, int events) {
  struct watcher *watcher = uv_handle_get_data((uv_handle_t *)handle);
  if (watcher->owner != NULL) watcher->callback(watcher->owner, status < 0 ? -1 : events);
}

int watcher_set(struct watcher *watcher, int events) {
  return events == 0 ? uv_poll_stop(poll_of(watcher)) : uv_poll_start(poll_of(watcher), events, on_poll);
}

void watcher_close(struct watcher *watcher) {
  if (watcher == NULL || watcher->owner == NULL) return;
  *watcher->slot = NULL;
  watcher->slot = NULL;
  watcher->owner = NULL;
  uv_close(handle_of(watcher), on_closed);
}

void watchers_end(struct environment *environment) {
  environment->ending = true;
  /* `on_closed` comes from the loop, never from inside uv_close: the list stands still meanwhile. */
  for (struct watcher *watcher = environment->watchers; watcher != NULL; watcher = watcher->next) watcher_close(watcher);
  if (environment->watchers == NULL) napi_remove_async_cleanup_hook(environment->cleanup);
}

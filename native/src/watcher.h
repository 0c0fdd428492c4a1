/* One uv_poll_t and its life, apart from the JavaScript object that uses it. */
#ifndef DAVPORT_WATCHER_H
#define DAVPORT_WATCHER_H

#include "addon.h"

struct watcher;

/* `events`: DAVPORT_UV_* bits; -1 after POLLERR, when libuv has stopped the watch by itself. */
typedef void (*watcher_callback)(void *owner, int events);

/*
 * Fills `*slot`, which belongs to `owner` and becomes NULL again when the watcher is closed, be it by the environment.
 * A negative errno when libuv refuses the descriptor (EPERM: a plain file; EEXIST: watched already).
 */
int watcher_open(struct environment *environment, int fd, struct watcher **slot, void *owner, watcher_callback callback);
/* 0 or a negative errno; no events stops. */
int watcher_set(struct watcher *watcher, int events);
/* Nothing for NULL. Calls `callback` no more. The caller may close the descriptor right after; the memory goes once libuv is done. */
void watcher_close(struct watcher *watcher);

#endif

/*
 * A SPICE server without a virtual machine. Its one device is the port org.spice-space.webdav.0, and the guest's end of that port is
 * a unix socket: while a viewer is attached, the socket exists and one guest at a time may connect to it; when the viewer goes, the
 * guest is hung up and the socket is gone. That is how the virtio port looks to a guest, with a socket for a device.
 *
 *     port-server SPICE.sock PORT.sock
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib.h>
#include <spice.h>
#include <spice/protocol.h>

/* The server reads the device until its queue is full and does not ask again by itself. */
#define WAKE_MS 1

/* ---- event loop for the server, on GLib ---- */

struct SpiceTimer {
  SpiceTimerFunc callback;
  void *data;
  guint source;
};

struct SpiceWatch {
  SpiceWatchFunc callback;
  void *data;
  int fd;
  guint source;
};

static void drop_source(guint *source) {
  if (*source != 0) g_source_remove(*source);
  *source = 0;
}

static gboolean timer_fired(gpointer data) {
  SpiceTimer *timer = data;
  timer->source = 0;
  timer->callback(timer->data);
  return G_SOURCE_REMOVE;
}

static SpiceTimer *timer_add(SpiceTimerFunc callback, void *data) {
  SpiceTimer *timer = g_new0(SpiceTimer, 1);
  timer->callback = callback;
  timer->data = data;
  return timer;
}

static void timer_cancel(SpiceTimer *timer) { drop_source(&timer->source); }

static void timer_start(SpiceTimer *timer, uint32_t ms) {
  timer_cancel(timer);
  timer->source = g_timeout_add(ms, timer_fired, timer);
}

static void timer_remove(SpiceTimer *timer) {
  timer_cancel(timer);
  g_free(timer);
}

static gboolean watch_ready(gint fd, GIOCondition condition, gpointer data) {
  SpiceWatch *watch = data;
  int events = 0;
  if (condition & (G_IO_IN | G_IO_HUP | G_IO_ERR)) events |= SPICE_WATCH_EVENT_READ;
  if (condition & G_IO_OUT) events |= SPICE_WATCH_EVENT_WRITE;
  /* The callback may remove the watch. */
  watch->callback(fd, events, watch->data);
  return G_SOURCE_CONTINUE;
}

static void watch_update_mask(SpiceWatch *watch, int mask) {
  int condition = 0;
  if (mask & SPICE_WATCH_EVENT_READ) condition |= G_IO_IN;
  if (mask & SPICE_WATCH_EVENT_WRITE) condition |= G_IO_OUT;
  drop_source(&watch->source);
  if (condition != 0) watch->source = g_unix_fd_add(watch->fd, condition, watch_ready, watch);
}

static SpiceWatch *watch_add(int fd, int mask, SpiceWatchFunc callback, void *data) {
  SpiceWatch *watch = g_new0(SpiceWatch, 1);
  watch->callback = callback;
  watch->data = data;
  watch->fd = fd;
  watch_update_mask(watch, mask);
  return watch;
}

static void watch_remove(SpiceWatch *watch) {
  drop_source(&watch->source);
  g_free(watch);
}

static SpiceCoreInterface event_loop = {
    .base = {SPICE_INTERFACE_CORE, "glib", SPICE_INTERFACE_CORE_MAJOR, SPICE_INTERFACE_CORE_MINOR},
    .timer_add = timer_add,
    .timer_start = timer_start,
    .timer_cancel = timer_cancel,
    .timer_remove = timer_remove,
    .watch_add = watch_add,
    .watch_update_mask = watch_update_mask,
    .watch_remove = watch_remove,
};

/* ---- the port ---- */

static SpiceCharDeviceInstance port;
static const char *port_path;
static int listener = -1;
static int guest = -1;
static guint listener_source, guest_readable, guest_writable;

static void wake(void) { spice_server_char_device_wakeup(&port); }

static void hang_up_guest(void) {
  if (guest < 0) return;
  drop_source(&guest_readable);
  drop_source(&guest_writable);
  close(guest);
  guest = -1;
  spice_server_port_event(&port, SPICE_PORT_EVENT_CLOSED);
  fprintf(stderr, "guest closed the port\n");
}

static gboolean on_guest_readable(gint fd, GIOCondition condition, gpointer data) {
  char byte;
  ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  guest_readable = 0;
  if (n == 0 || (n < 0 && errno != EAGAIN))
    hang_up_guest();
  else
    wake();
  return G_SOURCE_REMOVE;
}

static gboolean on_guest_writable(gint fd, GIOCondition condition, gpointer data) {
  guest_writable = 0;
  wake();
  return G_SOURCE_REMOVE;
}

static void watch_guest(void) {
  if (guest >= 0 && guest_readable == 0)
    guest_readable = g_unix_fd_add(guest, G_IO_IN | G_IO_HUP, on_guest_readable, NULL);
}

static gboolean on_tick(gpointer data) {
  if (guest >= 0) {
    wake();
    watch_guest();
  }
  return G_SOURCE_CONTINUE;
}

static gboolean on_connection(gint fd, GIOCondition condition, gpointer data) {
  int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (connection < 0) return G_SOURCE_CONTINUE;
  if (guest >= 0) {
    /* The port has one opener. A former one that has gone makes room; what it still had queued goes with it. */
    struct pollfd former = {guest, 0, 0};
    poll(&former, 1, 0);
    if (!(former.revents & (POLLHUP | POLLERR))) {
      close(connection);
      return G_SOURCE_CONTINUE;
    }
    hang_up_guest();
  }
  guest = connection;
  spice_server_port_event(&port, SPICE_PORT_EVENT_OPENED);
  fprintf(stderr, "guest opened the port\n");
  watch_guest();
  return G_SOURCE_CONTINUE;
}

static void open_listener(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, port_path, sizeof address.sun_path - 1);
  unlink(port_path);
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
      listen(listener, 8) < 0) {
    perror(port_path);
    exit(1);
  }
  listener_source = g_unix_fd_add(listener, G_IO_IN, on_connection, NULL);
}

static void close_listener(void) {
  if (listener < 0) return;
  drop_source(&listener_source);
  unlink(port_path);
  close(listener);
  listener = -1;
}

/* A viewer has attached to the port or left it. */
static void port_state(SpiceCharDeviceInstance *instance, int connected) {
  fprintf(stderr, "viewer %s\n", connected ? "attached" : "left");
  if (connected && listener < 0) open_listener();
  if (!connected) {
    close_listener();
    hang_up_guest();
  }
}

/* From the viewer to the guest. */
static int port_write(SpiceCharDeviceInstance *instance, const uint8_t *bytes, int length) {
  ssize_t n;
  if (guest < 0) return 0;
  n = send(guest, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n >= 0) return n;
  if (errno != EAGAIN) return length; /* it has hung up: on_guest_readable will tell */
  if (guest_writable == 0)
    guest_writable = g_unix_fd_add(guest, G_IO_OUT, on_guest_writable, NULL);
  return 0;
}

/* From the guest to the viewer. */
static int port_read(SpiceCharDeviceInstance *instance, uint8_t *bytes, int length) {
  ssize_t n;
  if (guest < 0) return 0;
  n = recv(guest, bytes, length, MSG_DONTWAIT);
  if (n > 0) return n;
  watch_guest();
  return 0;
}

static SpiceCharDeviceInterface port_interface = {
    .base = {SPICE_INTERFACE_CHAR_DEVICE, "webdav port", SPICE_INTERFACE_CHAR_DEVICE_MAJOR,
             SPICE_INTERFACE_CHAR_DEVICE_MINOR},
    .state = port_state,
    .write = port_write,
    .read = port_read,
    .flags = SPICE_CHAR_DEVICE_NOTIFY_WRITABLE,
};

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: port-server SPICE.sock PORT.sock\n");
    return 2;
  }
  /* The library writes to viewers that may just have died, as QEMU does, too. */
  signal(SIGPIPE, SIG_IGN);
  GMainLoop *loop = g_main_loop_new(NULL, FALSE);
  SpiceServer *server = spice_server_new();
  port_path = argv[2];
  spice_server_set_addr(server, argv[1], SPICE_ADDR_FLAG_UNIX_ONLY);
  spice_server_set_noauth(server);
  if (spice_server_init(server, &event_loop) != 0) {
    fprintf(stderr, "cannot serve SPICE on %s\n", argv[1]);
    return 1;
  }
  port.base.sif = &port_interface.base;
  port.subtype = "port";
  port.portname = "org.spice-space.webdav.0";
  spice_server_add_interface(server, &port.base);
  spice_server_vm_start(server);
  g_timeout_add(WAKE_MS, on_tick, NULL);
  g_main_loop_run(loop);
  return 0;
}

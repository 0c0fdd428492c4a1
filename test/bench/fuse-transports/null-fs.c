/*
 * What FUSE itself costs by its two ways to the kernel: a file system of one empty folder, in C, serves a program that calls stat(2) on it
 * for two seconds. Nothing is cached, so that each call is a GETATTR.
 *
 *     cc -O2 -o null-fs test/bench/fuse-transports/null-fs.c
 *     echo 1 > /sys/module/fuse/parameters/enable_uring       # Linux 6.14 and later; as root, like the rest
 *     for how in device ring; do ./null-fs $how MOUNTPOINT; done
 *     ./null-fs device MOUNTPOINT 50 1                        # looks 50 us for the next request before it sleeps; the caller on processor 1
 *
 * device: read(2) and write(2) on /dev/fuse. ring: FUSE over io_uring (Documentation/filesystems/fuse/fuse-io-uring.rst). Both wait with
 * epoll, as an event loop does. The server stays on processor 0 where one is given for the caller.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 2
#define MAX_WRITE (512 * 1024)
#define PAYLOAD (1024 * 1024)
/* Requests that the kernel may hand over at once for each processor. */
#define DEPTH 8
#define MAX_ENTRIES (64 * DEPTH)

/* <linux/fuse.h> of 6.14 */
#define OVER_IO_URING_FLAG2 (1u << (41 - 32))
enum { REGISTER = 1, COMMIT_AND_FETCH = 2 };
struct ring_entry { uint64_t flags, commit_id; uint32_t payload_size, padding; uint64_t reserved; };
struct request_header { char in_out[128], op_in[128]; struct ring_entry entry; };
struct command { uint64_t flags, commit_id; uint16_t queue; uint8_t padding[6]; };

static int device;
static double spin_us;
static char request[PAYLOAD + 4096] __attribute__((aligned(8)));

static void check(long result, const char *what) {
  if (result >= 0) return;
  perror(what);
  exit(1);
}

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void stay_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  check(sched_setaffinity(0, sizeof set, &set), "sched_setaffinity");
}

/* The bytes of the answer in `out`; a negative errno. */
static int answer(uint32_t opcode, void *out) {
  if (opcode != FUSE_GETATTR) return -ENOSYS;
  struct fuse_attr_out *attributes = out;
  memset(attributes, 0, sizeof *attributes);
  attributes->attr.ino = 1;
  attributes->attr.mode = S_IFDIR | 0755;
  attributes->attr.nlink = 2;
  return sizeof *attributes;
}

static void answer_init(int ring) {
  check(read(device, request, sizeof request), "read of FUSE_INIT");
  struct fuse_in_header *in = (void *)request;
  struct { struct fuse_out_header header; struct fuse_init_out init; } out = {
    .header = { .len = sizeof out, .unique = in->unique },
    .init = { .major = 7, .minor = 42, .max_readahead = 128 * 1024, .flags = FUSE_INIT_EXT | FUSE_MAX_PAGES | FUSE_BIG_WRITES,
              .max_write = MAX_WRITE, .max_pages = MAX_WRITE / 4096, .max_background = 16, .congestion_threshold = 12,
              .flags2 = ring ? OVER_IO_URING_FLAG2 : 0 },
  };
  check(write(device, &out, sizeof out), "write of FUSE_INIT");
}

/* ---- /dev/fuse */

/* False: nothing is there. */
static int serve_one(double until_us) {
  ssize_t size;
  do size = read(device, request, sizeof request);
  while (size < 0 && (errno == EINTR || (errno == EAGAIN && until_us > 0 && now_us() < until_us)));
  if (size < 0 && errno == ENODEV) exit(0);
  if (size < 0 && errno == EAGAIN) return 0;
  check(size, "read");
  struct fuse_in_header *in = (void *)request;
  if (in->opcode == FUSE_FORGET || in->opcode == FUSE_BATCH_FORGET || in->opcode == FUSE_INTERRUPT) return 1;
  struct { struct fuse_out_header header; char body[256]; } out;
  int bytes = answer(in->opcode, out.body);
  out.header.error = bytes < 0 ? bytes : 0;
  out.header.unique = in->unique;
  out.header.len = sizeof out.header + (bytes < 0 ? 0 : bytes);
  check(write(device, &out, out.header.len), "write");
  return 1;
}

static void serve_device(int epoll) {
  for (;;) {
    struct epoll_event event;
    epoll_wait(epoll, &event, 1, -1);
    double until = 0;
    while (serve_one(until)) until = spin_us > 0 ? now_us() + spin_us : 0;
  }
}

/* ---- io_uring */

static int ring;
static unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask, to_submit;
static char *sqes;
static struct io_uring_cqe *cqes;
static struct request_header *headers[MAX_ENTRIES];
static char *payloads[MAX_ENTRIES];
static struct iovec parts[MAX_ENTRIES][2];

static void *map(size_t bytes, off_t at) {
  void *there = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, at);
  check(there == MAP_FAILED ? -1 : 0, "mmap");
  return there;
}

static void make_ring(unsigned entries) {
  struct io_uring_params p = { .flags = IORING_SETUP_SQE128 };
  check(ring = syscall(__NR_io_uring_setup, entries, &p), "io_uring_setup");
  char *sq = map(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
  char *cq = map(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
  sqes = map(p.sq_entries * 128, IORING_OFF_SQES);
  sq_tail = (void *)(sq + p.sq_off.tail);
  sq_mask = (void *)(sq + p.sq_off.ring_mask);
  sq_array = (void *)(sq + p.sq_off.array);
  cq_head = (void *)(cq + p.cq_off.head);
  cq_tail = (void *)(cq + p.cq_off.tail);
  cq_mask = (void *)(cq + p.cq_off.ring_mask);
  cqes = (void *)(cq + p.cq_off.cqes);
}

static void queue(unsigned entry, unsigned operation, uint64_t commit_id) {
  unsigned tail = *sq_tail, at = tail & *sq_mask;
  struct io_uring_sqe *sqe = (void *)(sqes + at * 128);
  memset(sqe, 0, 128);
  sqe->opcode = IORING_OP_URING_CMD;
  sqe->fd = device;
  sqe->off = operation;
  sqe->user_data = entry;
  if (operation == REGISTER) {
    sqe->addr = (uintptr_t)parts[entry];
    sqe->len = 2;
  }
  struct command *command = (void *)((char *)sqe + 48);
  command->queue = entry / DEPTH;
  command->commit_id = commit_id;
  sq_array[at] = at;
  __atomic_store_n(sq_tail, tail + 1, __ATOMIC_RELEASE);
  to_submit += 1;
}

static void submit(void) {
  while (to_submit > 0) {
    int done = syscall(__NR_io_uring_enter, ring, to_submit, 0, 0, NULL, 0);
    if (done < 0 && errno == EINTR) continue;
    check(done, "io_uring_enter");
    to_submit -= done;
  }
}

static int has_completions(void) { return *cq_head != __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE); }

static int serve_completions(void) {
  int served = 0;
  for (; has_completions(); served += 1) {
    struct io_uring_cqe done = cqes[*cq_head & *cq_mask];
    __atomic_store_n(cq_head, *cq_head + 1, __ATOMIC_RELEASE);
    if (done.res == -ENOTCONN) exit(0);
    errno = -done.res;
    check(done.res, "FUSE over io_uring");
    struct request_header *header = headers[done.user_data];
    struct fuse_in_header *in = (void *)header->in_out;
    struct fuse_out_header *out = (void *)header->in_out;
    uint64_t unique = in->unique;
    int bytes = answer(in->opcode, payloads[done.user_data]);
    out->error = bytes < 0 ? bytes : 0;
    out->unique = unique;
    header->entry.payload_size = bytes < 0 ? 0 : bytes;
    out->len = sizeof *out + header->entry.payload_size;
    queue(done.user_data, COMMIT_AND_FETCH, header->entry.commit_id);
  }
  return served;
}

static void serve_ring(int epoll) {
  unsigned entries = sysconf(_SC_NPROCESSORS_CONF) * DEPTH;
  check(entries > MAX_ENTRIES ? -1 : 0, "more processors than this is made for");
  make_ring(entries);
  for (unsigned entry = 0; entry < entries; entry += 1) {
    headers[entry] = aligned_alloc(4096, 4096);
    payloads[entry] = aligned_alloc(4096, PAYLOAD);
    parts[entry][0] = (struct iovec){ headers[entry], sizeof(struct request_header) };
    parts[entry][1] = (struct iovec){ payloads[entry], PAYLOAD };
    queue(entry, REGISTER, 0);
  }
  submit();
  struct epoll_event event = { .events = EPOLLIN };
  check(epoll_ctl(epoll, EPOLL_CTL_ADD, ring, &event), "epoll_ctl");
  for (;;) {
    epoll_wait(epoll, &event, 1, -1);
    if (event.events & EPOLLERR) exit(0);
    while (serve_completions() > 0) {
      submit();
      for (double until = now_us() + spin_us; spin_us > 0 && !has_completions() && now_us() < until;);
    }
  }
}

/* ---- */

static void call(const char *mountpoint, const char *how, int cpu) {
  close(device);
  if (cpu >= 0) stay_on(cpu);
  usleep(300000);
  struct stat status;
  long calls = 0;
  double begun = now_us();
  for (; now_us() - begun < SECONDS * 1e6; calls += 1) check(stat(mountpoint, &status), "stat");
  printf("%s, looks for %g us, caller on processor %d: %.1f us for a stat\n", how, spin_us, cpu, (now_us() - begun) / calls);
  fflush(stdout);
  umount2(mountpoint, MNT_DETACH);
  _exit(0);
}

int main(int count, char **words) {
  int is_ring = count > 1 && strcmp(words[1], "ring") == 0;
  if (count < 3 || (!is_ring && strcmp(words[1], "device") != 0)) {
    fprintf(stderr, "usage: null-fs device|ring MOUNTPOINT [SPIN_US [CPU_OF_CALLER]]\n");
    return 2;
  }
  spin_us = count > 3 ? atof(words[3]) : 0;
  int cpu = count > 4 ? atoi(words[4]) : -1;
  check(device = open("/dev/fuse", O_RDWR), "/dev/fuse");
  char options[100];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
  check(mount("null-fs", words[2], "fuse", 0, options), words[2]);
  answer_init(is_ring);
  if (fork() == 0) call(words[2], words[1], cpu);
  if (cpu >= 0) stay_on(0);
  check(fcntl(device, F_SETFL, O_NONBLOCK), "fcntl");
  int epoll = epoll_create1(0);
  struct epoll_event event = { .events = EPOLLIN };
  check(epoll_ctl(epoll, EPOLL_CTL_ADD, device, &event), "epoll_ctl");
  if (is_ring) serve_ring(epoll);
  serve_device(epoll);
}

/* Names and states of the members of a folder, many by one call; node:fs takes a call, a path and an object for each. */
#include "addon.h"
#include "file-state.h"
#include "thread-call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What linux_dirent64 is called by getdents64(2), which libc has no type for. */
struct entry {
  uint64_t inode;
  int64_t next;
  unsigned short length;
  unsigned char type;
  char name[];
};

enum { SHORTEST_RECORD = 24, LONGEST_RECORD = 280, ENTRIES_BYTES = 16384, MAX_ENTRIES = ENTRIES_BYTES / SHORTEST_RECORD };

struct listing {
  int fd;
  uint8_t *names;
  size_t names_size;
  int64_t *states;
  size_t room;
  bool with_attributes;
  double until_ms;
  /* Filled so far. */
  size_t count;
  size_t names_used;
  /* There are no more. */
  bool at_end;
};

/* One that a thread of the pool fills. */
struct reading {
  struct thread_call call;
  struct listing listing;
};

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* False for a member that has gone. */
static bool add_state(const struct listing *listing, const char *name, int64_t *state) {
  int failed = state_at(listing->fd, name, state);
  if (failed == ENOENT) return false;
  if (failed != 0) state[MODE] = -failed;
  else if (listing->with_attributes) state[ATTRIBUTES] = attribute_bytes(listing->fd, name);
  return true;
}

/* False when `entry` must wait for the next call. */
static bool add_entry(struct listing *listing, const struct entry *entry) {
  if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0) return true;
  size_t length = strlen(entry->name);
  if (listing->count == listing->room || listing->names_used + length + 1 > listing->names_size) return false;
  if (listing->count > 0 && listing->count % 16 == 0 && now_ms() >= listing->until_ms) return false;
  int64_t *state = listing->states + listing->count * STATE_FIELDS;
  if (!add_state(listing, entry->name, state)) return true;
  memcpy(listing->names + listing->names_used, entry->name, length);
  listing->names_used += length;
  state[NAME_END] = (int64_t)listing->names_used;
  /* For who takes all names as one text. */
  listing->names[listing->names_used++] = '\0';
  listing->count++;
  return true;
}

/* No more than there is room for, so that nothing that was read has to be read again. */
static size_t entries_bytes(const struct listing *listing) {
  size_t bytes = (listing->room - listing->count) * SHORTEST_RECORD;
  if (bytes < LONGEST_RECORD) return LONGEST_RECORD;
  return bytes < ENTRIES_BYTES ? bytes : ENTRIES_BYTES;
}

/* 0, or an errno. Goes on until something was found or the folder is at its end. */
static int fill(struct listing *listing) {
  _Alignas(struct entry) char entries[ENTRIES_BYTES];
  int64_t resume = lseek(listing->fd, 0, SEEK_CUR);
  if (resume < 0) return errno;
  for (;;) {
    long size = syscall(SYS_getdents64, listing->fd, entries, entries_bytes(listing));
    if (size < 0) return errno;
    if (size == 0) {
      listing->at_end = true;
      return 0;
    }
    for (long at = 0; at < size;) {
      const struct entry *entry = (const struct entry *)(entries + at);
      if (!add_entry(listing, entry)) {
        /* The offset before this entry is the one that the entry before it named. */
        if (lseek(listing->fd, resume, SEEK_SET) < 0) return errno;
        return listing->count > 0 ? 0 : ERANGE;
      }
      resume = entry->next;
      at += entry->length;
    }
    if (listing->count == 0) continue;
    /* To stop here costs nothing; in the middle of what was read, some file systems have to sort the folder anew. */
    if (listing->room - listing->count < MAX_ENTRIES || listing->names_size - listing->names_used < sizeof entries) return 0;
    if (now_ms() >= listing->until_ms) return 0;
  }
}

static bool get_states(napi_env env, napi_value value, struct listing *listing) {
  napi_typedarray_type type;
  size_t length = 0;
  void *start = NULL;
  if (napi_get_typedarray_info(env, value, &type, &length, &start, NULL, NULL) != napi_ok || type != napi_bigint64_array) {
    return throw_type(env, "states must be a BigInt64Array") != NULL;
  }
  listing->states = start;
  listing->room = length / STATE_FIELDS;
  return true;
}

/* The number of members; its one's complement where they are the last. */
static int64_t result_of(const struct listing *listing) {
  int64_t count = (int64_t)listing->count;
  return listing->at_end ? ~count : count;
}

static bool get_listing(napi_env env, napi_value *arguments, struct listing *listing, uint32_t *limit_ms) {
  if (!get_int32(env, arguments[0], "fd", &listing->fd) ||
      !get_bytes(env, arguments[1], "names", &listing->names, &listing->names_size) ||
      !get_states(env, arguments[2], listing) || !get_uint32(env, arguments[4], "limitMs", limit_ms)) {
    return false;
  }
  if (napi_get_value_bool(env, arguments[3], &listing->with_attributes) == napi_ok) return true;
  return throw_type(env, "withAttributes must be a boolean") != NULL;
}

/* readMembers(fd, names, states, withAttributes, limitMs) */
static napi_value read_members(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  struct listing listing = {0};
  uint32_t limit_ms;
  if (!get_arguments(env, info, 5, arguments, NULL) || !get_listing(env, arguments, &listing, &limit_ms)) return NULL;
  listing.until_ms = now_ms() + limit_ms;
  int failed = fill(&listing);
  if (failed != 0) return throw_errno(env, failed, "getdents64", NULL);
  return from_int(env, result_of(&listing));
}

static int read_in_thread(struct thread_call *call) {
  struct reading *reading = (struct reading *)call;
  int failed = fill(&reading->listing);
  call->result = result_of(&reading->listing);
  return failed;
}

/* readMembersAhead(fd, names, states, withAttributes, limitMs) */
static napi_value read_members_ahead(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  struct listing listing = {0};
  uint32_t limit_ms;
  if (!get_arguments(env, info, 5, arguments, NULL) || !get_listing(env, arguments, &listing, &limit_ms)) return NULL;
  struct reading *reading = malloc(sizeof *reading);
  if (reading == NULL) return throw_errno(env, ENOMEM, "getdents64", NULL);
  listing.until_ms = now_ms() + limit_ms;
  *reading = (struct reading){.call = {.run = read_in_thread, .syscall = "getdents64"}, .listing = listing};
  return start_thread_call(env, &reading->call, arguments + 1, 2);
}

bool define_members(napi_env env, napi_value exports) {
  return define_function(env, exports, "readMembers", read_members) &&
         define_function(env, exports, "readMembersAhead", read_members_ahead);
}

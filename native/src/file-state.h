/* The state of a file as a row of 64-bit numbers, which JavaScript reads where it lies. */
#ifndef DAVPORT_FILE_STATE_H
#define DAVPORT_FILE_STATE_H

#include <stdint.h>

/* src/share/member-state.ts has the same list. */
enum { NAME_END, MODE, NLINK, SIZE, INO, DEV, ATIME, MTIME, CTIME, BIRTHTIME, ATTRIBUTES, UID, GID, STATE_FIELDS };

/* Fills `state` with that of `name` in the open folder, links not followed; of the descriptor itself for "". 0, or an errno. */
int state_at(int fd, const char *name, int64_t state[STATE_FIELDS]);

/* Bytes of the list of extended attributes of `name`; 0 as well where the file system has none. -1: not to be had this way. */
int64_t attribute_bytes(int fd, const char *name);

#endif

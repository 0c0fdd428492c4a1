/* One call that a thread of the pool makes, told by a promise. */
#ifndef DAVPORT_THREAD_CALL_H
#define DAVPORT_THREAD_CALL_H

#include "addon.h"

enum { THREAD_CALL_BUFFERS = 3 };

struct thread_call {
  /* In the thread: nothing of JavaScript may be touched. Gives 0 or an errno, and sets `result`. */
  int (*run)(struct thread_call *call);
  /* For the error of a failed call. */
  const char *syscall;
  int64_t result;
  int failed;
  napi_async_work work;
  napi_deferred deferred;
  /* Keep the memory that the thread works on in its place. */
  napi_ref buffers[THREAD_CALL_BUFFERS];
};

/*
 * Queues `call`, which is the first member of a struct from malloc(3) and is freed in any case. `buffers`: at most THREAD_CALL_BUFFERS
 * values. Returns the promise of `result`, or NULL after having thrown.
 */
napi_value start_thread_call(napi_env env, struct thread_call *call, const napi_value *buffers, size_t count);

#endif

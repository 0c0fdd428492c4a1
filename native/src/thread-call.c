#include "thread-call.h"

#include <errno.h>
#include <stdlib.h>

static void run_in_thread(napi_env env, void *data) {
  (void)env;
  struct thread_call *call = data;
  call->failed = call->run(call);
}

static void free_call(napi_env env, struct thread_call *call) {
  for (size_t at = 0; at < THREAD_CALL_BUFFERS; at++) {
    if (call->buffers[at] != NULL) napi_delete_reference(env, call->buffers[at]);
  }
  if (call->work != NULL) napi_delete_async_work(env, call->work);
  free(call);
}

static void settle(napi_env env, napi_status status, void *data) {
  struct thread_call *call = data;
  napi_value value = NULL;
  int failed = status == napi_ok ? call->failed : ECANCELED;
  if (failed != 0) throw_errno(env, failed, call->syscall, NULL);
  if (failed != 0 && napi_get_and_clear_last_exception(env, &value) == napi_ok) {
    napi_reject_deferred(env, call->deferred, value);
  } else if (napi_create_int64(env, call->result, &value) == napi_ok) {
    napi_resolve_deferred(env, call->deferred, value);
  }
  free_call(env, call);
}

static bool queue(napi_env env, struct thread_call *call, const napi_value *buffers, size_t count, napi_value *promise) {
  for (size_t at = 0; at < count; at++) {
    if (napi_create_reference(env, buffers[at], 1, &call->buffers[at]) != napi_ok) return false;
  }
  napi_value name;
  return napi_create_string_utf8(env, call->syscall, NAPI_AUTO_LENGTH, &name) == napi_ok &&
         napi_create_async_work(env, NULL, name, run_in_thread, settle, call, &call->work) == napi_ok &&
         napi_create_promise(env, &call->deferred, promise) == napi_ok &&
         napi_queue_async_work(env, call->work) == napi_ok;
}

napi_value start_thread_call(napi_env env, struct thread_call *call, const napi_value *buffers, size_t count) {
  napi_value promise = NULL;
  if (queue(env, call, buffers, count, &promise)) return promise;
  throw_last(env);
  free_call(env, call);
  return NULL;
}

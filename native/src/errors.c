/* JavaScript errors for failed system calls, in the shape that node:fs gives them. */
#include "addon.h"

#include <errno.h>
#include <stdio.h>

/* Names that libuv's table has not; it would say "Unknown system error". */
static const char *name_beyond_uv(int error) {
  switch (error) {
    case ESTALE:
      return "ESTALE";
    case EDQUOT:
      return "EDQUOT";
    case ENOTBLK:
      return "ENOTBLK";
    case ENOMEDIUM:
      return "ENOMEDIUM";
    case ENODATA:
      return "ENODATA";
    default:
      return NULL;
  }
}

static bool set_string(napi_env env, napi_value object, const char *key, const char *text) {
  napi_value value;
  return napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok &&
         napi_set_named_property(env, object, key, value) == napi_ok;
}

napi_value throw_errno(napi_env env, int error, const char *syscall, const char *path) {
  char code[64], reason[128], message[PATH_MAX + 256];
  const char *beyond = name_beyond_uv(error);
  uv_err_name_r(-error, code, sizeof code);
  uv_strerror_r(-error, reason, sizeof reason);
  if (beyond != NULL) {
    snprintf(code, sizeof code, "%s", beyond);
    snprintf(reason, sizeof reason, "%s", strerror(error));
  }
  if (path != NULL) {
    snprintf(message, sizeof message, "%s: %s, %s '%s'", code, reason, syscall, path);
  } else {
    snprintf(message, sizeof message, "%s: %s, %s", code, reason, syscall);
  }

  napi_value text, code_value, thrown, number;
  TRY(env, napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text));
  TRY(env, napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &code_value));
  TRY(env, napi_create_error(env, code_value, text, &thrown));
  TRY(env, napi_create_int32(env, -error, &number));
  TRY(env, napi_set_named_property(env, thrown, "errno", number));
  if (!set_string(env, thrown, "syscall", syscall)) return throw_last(env);
  if (path != NULL && !set_string(env, thrown, "path", path)) return throw_last(env);
  napi_throw(env, thrown);
  return NULL;
}

napi_value throw_code(napi_env env, const char *code, const char *message) {
  napi_throw_error(env, code, message);
  return NULL;
}

napi_value throw_type(napi_env env, const char *message) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return NULL;
}

napi_value throw_range(napi_env env, const char *message) {
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message);
  return NULL;
}

napi_value throw_last(napi_env env) {
  const napi_extended_error_info *info = NULL;
  napi_get_last_error_info(env, &info);
  /* Copied first: asking for a pending exception overwrites what `info` points to. */
  const char *message = info != NULL && info->error_message != NULL ? info->error_message : "unknown Node-API error";
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, "ERR_NAPI", message);
  return NULL;
}

/* JavaScript values to C and back; what does not fit is a TypeError or RangeError that names the argument. */
#include "addon.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

bool get_arguments(napi_env env, napi_callback_info info, size_t wanted, napi_value *arguments, napi_value *self) {
  size_t count = wanted; /* Missing ones come as undefined. */
  if (napi_get_cb_info(env, info, &count, arguments, self, NULL) == napi_ok) return true;
  throw_last(env);
  return false;
}

static bool get_integer(napi_env env, napi_value value, const char *name, double low, double high, double *result) {
  char message[128];
  if (napi_get_value_double(env, value, result) != napi_ok) {
    snprintf(message, sizeof message, "%s must be a number", name);
    throw_type(env, message);
    return false;
  }
  if (*result >= low && *result <= high && floor(*result) == *result) return true;
  snprintf(message, sizeof message, "%s must be an integer between %.0f and %.0f", name, low, high);
  throw_range(env, message);
  return false;
}

bool get_int32(napi_env env, napi_value value, const char *name, int32_t *result) {
  double number;
  if (!get_integer(env, value, name, INT32_MIN, INT32_MAX, &number)) return false;
  *result = (int32_t)number;
  return true;
}

bool get_uint32(napi_env env, napi_value value, const char *name, uint32_t *result) {
  double number;
  if (!get_integer(env, value, name, 0, UINT32_MAX, &number)) return false;
  *result = (uint32_t)number;
  return true;
}

bool get_bytes(napi_env env, napi_value value, const char *name, uint8_t **data, size_t *length) {
  napi_typedarray_type type;
  void *start = NULL;
  if (napi_get_typedarray_info(env, value, &type, length, &start, NULL, NULL) == napi_ok && type == napi_uint8_array) {
    *data = start;
    return true;
  }
  char message[128];
  snprintf(message, sizeof message, "%s must be a Buffer or Uint8Array", name);
  throw_type(env, message);
  return false;
}

bool get_path(napi_env env, napi_value value, const char *name, struct path *result) {
  napi_valuetype type;
  if (napi_typeof(env, value, &type) != napi_ok) return throw_last(env) != NULL;
  size_t length = 0;
  if (type == napi_string) {
    /* Asked first: a text that is too long would be cut in silence. */
    if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return throw_last(env) != NULL;
    if (length < sizeof result->bytes) {
      napi_get_value_string_utf8(env, value, result->bytes, sizeof result->bytes, &length);
    }
  } else {
    uint8_t *data;
    if (!get_bytes(env, value, name, &data, &length)) return false;
    if (length < sizeof result->bytes) {
      if (length > 0) memcpy(result->bytes, data, length);
      result->bytes[length] = '\0';
    }
  }
  if (length >= sizeof result->bytes) {
    throw_errno(env, ENAMETOOLONG, name, NULL);
    return false;
  }
  if (strlen(result->bytes) == length) return true;
  /* The system call would take what stands before the NUL for the whole. */
  napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", "a NUL byte in a path or name");
  return false;
}

bool is_undefined(napi_env env, napi_value value) {
  napi_valuetype type;
  return napi_typeof(env, value, &type) == napi_ok && type == napi_undefined;
}

napi_value undefined(napi_env env) {
  napi_value value = NULL;
  napi_get_undefined(env, &value);
  return value;
}

napi_value from_int(napi_env env, int64_t value) {
  napi_value result;
  TRY(env, napi_create_int64(env, value, &result));
  return result;
}

struct environment *get_environment(napi_env env) {
  void *data = NULL;
  napi_get_instance_data(env, &data);
  return data;
}

bool define_function(napi_env env, napi_value object, const char *name, napi_callback callback) {
  napi_value function;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function) == napi_ok &&
         napi_set_named_property(env, object, name, function) == napi_ok;
}

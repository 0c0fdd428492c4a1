/* Extended attributes, which node:fs has not. Symbolic links are never followed. */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/xattr.h>

enum { MAX_SIZE = 65536 /* XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux: one call always has room. */ };

static bool get_path_and_name(napi_env env, napi_value *arguments, struct path *path, struct path *name) {
  return get_path(env, arguments[0], "path", path) && get_path(env, arguments[1], "name", name);
}

static napi_value get_xattr(napi_env env, napi_callback_info info) {
  napi_value arguments[2], result = NULL;
  struct path path, name;
  if (!get_arguments(env, info, 2, arguments, NULL) || !get_path_and_name(env, arguments, &path, &name)) return NULL;
  char *value = malloc(MAX_SIZE);
  if (value == NULL) return throw_errno(env, ENOMEM, "lgetxattr", path.bytes);
  ssize_t size = lgetxattr(path.bytes, name.bytes, value, MAX_SIZE);
  if (size >= 0) {
    if (napi_create_buffer_copy(env, (size_t)size, value, NULL, &result) != napi_ok) throw_last(env);
  } else if (errno == ENODATA) {
    result = undefined(env);
  } else {
    throw_errno(env, errno, "lgetxattr", path.bytes);
  }
  free(value);
  return result;
}

static napi_value set_xattr(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  struct path path, name;
  uint8_t *value;
  size_t size;
  if (!get_arguments(env, info, 3, arguments, NULL) || !get_path_and_name(env, arguments, &path, &name) ||
      !get_bytes(env, arguments[2], "value", &value, &size)) {
    return NULL;
  }
  if (lsetxattr(path.bytes, name.bytes, value, size, 0) < 0) return throw_errno(env, errno, "lsetxattr", path.bytes);
  return undefined(env);
}

static napi_value names_to_array(napi_env env, const char *list, size_t size) {
  napi_value array, name;
  uint32_t count = 0;
  TRY(env, napi_create_array(env, &array));
  for (size_t at = 0; at < size;) {
    size_t length = strnlen(list + at, size - at);
    TRY(env, napi_create_string_utf8(env, list + at, length, &name));
    TRY(env, napi_set_element(env, array, count++, name));
    at += length + 1;
  }
  return array;
}

static napi_value list_xattr(napi_env env, napi_callback_info info) {
  napi_value arguments[1], result = NULL;
  struct path path;
  if (!get_arguments(env, info, 1, arguments, NULL) || !get_path(env, arguments[0], "path", &path)) return NULL;
  char *list = malloc(MAX_SIZE);
  if (list == NULL) return throw_errno(env, ENOMEM, "llistxattr", path.bytes);
  ssize_t size = llistxattr(path.bytes, list, MAX_SIZE);
  if (size < 0) {
    throw_errno(env, errno, "llistxattr", path.bytes);
  } else {
    result = names_to_array(env, list, (size_t)size);
  }
  free(list);
  return result;
}

static napi_value remove_xattr(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  struct path path, name;
  if (!get_arguments(env, info, 2, arguments, NULL) || !get_path_and_name(env, arguments, &path, &name)) return NULL;
  if (lremovexattr(path.bytes, name.bytes) < 0) return throw_errno(env, errno, "lremovexattr", path.bytes);
  return undefined(env);
}

bool define_xattr(napi_env env, napi_value exports) {
  return define_function(env, exports, "getxattr", get_xattr) && define_function(env, exports, "setxattr", set_xattr) &&
         define_function(env, exports, "listxattr", list_xattr) &&
         define_function(env, exports, "removexattr", remove_xattr);
}

import type { HttpClient } from '../http/types.js';
import type { Logger } from '../log.js';
import type { DavContext } from './context.js';
import { bind } from './methods/bind.js';
import { changes } from './methods/changes.js';
import { contents } from './methods/contents.js';
import { copy, move } from './methods/copy-move.js';
import { remove } from './methods/delete.js';
import { get } from './methods/get.js';
import { list } from './methods/list.js';
import { lock, refreshLock, unlock } from './methods/lock.js';
import { mkcol } from './methods/mkcol.js';
import { properties, propertyNames, quota } from './methods/properties.js';
import { proppatch } from './methods/proppatch.js';
import { patch } from './methods/patch.js';
import { put } from './methods/put.js';
import { putRange } from './methods/put-range.js';
import { search } from './methods/search.js';
import { stat } from './methods/stat.js';
import { LockTokens } from './lock-tokens.js';
import { ProfileKeeper } from './profile-keeper.js';
import type { WebDavClient } from './types.js';

export interface WebDavOptions {
  readonly log: Logger;
}

/** RFC 4918 over any HttpClient. */
export function createWebDavClient(http: HttpClient, { log }: WebDavOptions): WebDavClient {
  const keeper = new ProfileKeeper({ http, log });
  const locks = new LockTokens();
  const context: DavContext = { http, log, locks, profile: (options) => keeper.profile(options) };
  return {
    profile: (options) => keeper.profile(options),
    get knownProfile() {
      return keeper.known;
    },
    stat: (path, options) => stat(context, path, options),
    list: (path, options) => list(context, path, options),
    contents: (path, names, onContent, options) =>
      contents(context, path, names, onContent, options),
    changes: (listener, options) => changes(context, listener, options),
    quota: (path, options) => quota(context, path, options),
    get: (path, sink, options) => get(context, path, sink, options),
    put: (path, body, options) => put(context, path, body, options),
    patch: (path, parts, body, options) => patch(context, path, parts, body, options),
    putRange: (path, start, bytes, options) => putRange(context, path, start, bytes, options),
    remove: (path, options) => remove(context, path, options),
    mkcol: (path, options) => mkcol(context, path, options),
    bind: (collection, name, path, options) => bind(context, collection, name, path, options),
    copy: (from, to, options) => copy(context, from, to, options),
    move: (from, to, options) => move(context, from, to, options),
    proppatch: (path, changes, options) => proppatch(context, path, changes, options),
    properties: (path, names, options) => properties(context, path, names, options),
    propertyNames: (path, options) => propertyNames(context, path, options),
    lock: (path, options) => lock(context, path, options),
    refreshLock: (path, token, options) => refreshLock(context, path, token, options),
    locks,
    unlock: (path, token, options) => unlock(context, path, token, options),
    search: (path, options) => search(context, path, options),
    close: async () => {
      keeper.close();
      await http.close();
    },
  };
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../../../src/vfs/node.js';
import { NameCache } from '../../../src/vfs/name-cache.js';
import { NodeTable } from '../../../src/vfs/node-table.js';
import type { Resource } from '../../../src/webdav/types.js';
import { FileData } from '../../../src/vfs/file-data.js';
import { fileResource, folderResource } from './resources.js';

test('a node lives while the kernel, a child or its content needs it', () => {
  const table = new NodeTable();
  const folder = table.create(table.root, 'd', folderResource('d'), 0);
  const file = table.create(folder, 'f', fileResource('f', 1), 0);
  folder.lookups = 1;
  file.lookups = 2;
  file.data = new FileData('absent');
  table.forget(folder.id, 1);
  assert.equal(table.get(folder.id), folder, 'the child needs its folder');
  table.forget(file.id, 2);
  assert.equal(table.get(file.id), file, 'the content is in use');
  file.data = undefined;
  table.dropIfUnused(file);
  assert.equal(table.get(file.id), undefined);
  assert.equal(table.get(folder.id), undefined, 'and its folder goes along');
  assert.equal(table.size, 1);
});

test('forgetting more often than looked up does no harm', () => {
  const table = new NodeTable();
  const file = table.create(table.root, 'f', fileResource('f', 1), 0);
  file.lookups = 1;
  table.forget(file.id, 5);
  table.forget(file.id, 1);
  assert.equal(table.size, 1);
});

test('inode numbers are the same for a path in every mount', () => {
  const inoOf = (): number => {
    const table = new NodeTable();
    const folder = table.create(table.root, 'src', folderResource('src'), 0);
    return table.create(folder, 'main.c', fileResource('main.c', 1), 0).ino;
  };
  assert.equal(inoOf(), inoOf());
});

test('a file renamed away and a new one at its old path never share an inode number', () => {
  const table = new NodeTable();
  const first = table.create(table.root, 'f.tmp', fileResource('f.tmp', 1), 0);
  first.lookups = 1;
  table.rename(first, { parent: table.root, name: 'f.tmp' }, { parent: table.root, name: 'f' });
  const second = table.create(table.root, 'f.tmp', fileResource('f.tmp', 1), 0);
  assert.notEqual(first.ino, second.ino);
  assert.equal(first.path, '/f');
});

test('inode numbers spread: none of 200,000 paths collide', () => {
  const table = new NodeTable();
  const seen = new Set<number>();
  for (let i = 0; i < 200_000; i++) {
    const node: Node = table.create(table.root, `file-${i}`, fileResource('', 0), 0);
    assert.ok(Number.isSafeInteger(node.ino) && node.ino > 1);
    seen.add(node.ino);
  }
  assert.equal(seen.size, 200_000);
});

test('a detached name can be taken by another node at once', () => {
  const table = new NodeTable();
  const old = table.create(table.root, 'f', fileResource('f', 1), 0);
  old.lookups = 1;
  table.detach(old);
  const young = table.create(table.root, 'f', fileResource('f', 2), 0);
  young.lookups = 1;
  table.forget(old.id, 1);
  assert.equal(table.root.children.get('f'), young);
  assert.equal(old.unlinked, true);
});

const linked = (name: string, ino: number, nlink = 2): Resource => ({
  ...fileResource(name, 1),
  posix: { ino, nlink, ...(nlink > 1 && { dev: 7 }) },
});

test('a file with several names is found by each and lives until the last is gone', () => {
  const table = new NodeTable();
  const folder = table.create(table.root, 'd', folderResource('d'), 0);
  const file = table.create(table.root, 'a', linked('a', 50), 0);
  file.lookups = 1;
  assert.equal(table.fileOf(linked('b', 50)), file);
  assert.equal(table.fileOf(linked('b', 51)), undefined);
  assert.equal(table.fileOf(linked('b', 50, 1)), undefined);
  table.addName(file, folder, 'b');
  assert.equal(folder.children.get('b'), file);
  assert.equal(file.path, '/a');

  table.rename(file, { parent: folder, name: 'b' }, { parent: folder, name: 'c' });
  assert.deepEqual([file.path, [...folder.children.keys()]], ['/a', ['c']]);
  table.removeName(file, table.root, 'a');
  assert.deepEqual([file.path, file.unlinked], ['/d/c', false]);
  table.removeName(file, folder, 'c');
  assert.equal(file.unlinked, true);
  assert.equal(table.fileOf(linked('b', 50)), undefined);
  table.forget(file.id, 1);
  assert.equal(table.size, 1, 'and its folder goes along');
});

test('forgotten, a file with several names leaves none behind', () => {
  const table = new NodeTable();
  const file = table.create(table.root, 'a', linked('a', 50), 0);
  table.addName(file, table.root, 'b');
  file.lookups = 1;
  table.forget(file.id, 1);
  assert.deepEqual([table.size, table.root.children.size], [1, 0]);
  assert.equal(table.fileOf(linked('a', 50)), undefined);
});

test('two live files never have one inode number, whatever the peer tells', () => {
  const table = new NodeTable();
  const first = table.create(table.root, 'a', linked('a', 50, 1), 0);
  assert.equal(first.ino, 50);
  first.lookups = 1;
  // It was replaced by an upload since, and the peer gave its number to another file.
  const second = table.create(table.root, 'b', linked('b', 50, 1), 0);
  assert.notEqual(second.ino, 50);
  table.forget(first.id, 1);
  assert.equal(table.create(table.root, 'c', linked('c', 50, 1), 0).ino, 50);
});

test('what was told of a file with several names is outdated by a change under any of them', () => {
  const cache = new NameCache({ maxNames: 10, maxListed: 10 });
  cache.put(1, 'a', linked('a', 50), 10);
  cache.put(1, 'other', linked('other', 51), 10);
  cache.putListing(2, new Map([['b', linked('b', 50)]]), 10);
  cache.noteFileChange(linked('x', 50), 11);
  assert.equal(cache.find(1, 'a', 0), undefined);
  assert.equal(cache.find(2, 'b', 0), undefined);
  assert.equal(cache.find(1, 'other', 0)?.at, 10);
  cache.put(1, 'a', linked('a', 50), 12);
  assert.equal(cache.find(1, 'a', 0)?.at, 12);
});

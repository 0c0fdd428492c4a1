import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../../../src/vfs/node.js';
import { NodeTable } from '../../../src/vfs/node-table.js';
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

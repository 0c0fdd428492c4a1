/**
 * The layers of doc/ARCHITECTURE.md, checked on every file of src/: imports go rightwards only, and each third-party
 * package is known to one layer.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';

/** Tests run in the folder of the project. */
const SRC = path.resolve('src');

/** Left to right; a layer may import every layer after it. */
const CHAIN = ['cli', 'fuse', 'vfs', 'webdav', 'http', 'mux', 'channel', 'native'];

const MAY_IMPORT: Record<string, readonly string[]> = {
  ...Object.fromEntries(CHAIN.map((layer, at) => [layer, CHAIN.slice(at + 1)])),
  // The library's entry point and the command line see everything.
  index: [...CHAIN, 'share'],
  cli: [...CHAIN.slice(1), 'share'],
  share: ['mux', 'channel'],
};

/** What share/ may use of the client side: types, and modules that only compute (see `isPure`). */
const SHARE_HELPERS = ['webdav', 'http'];

const PACKAGES: Record<string, readonly string[]> = {
  undici: ['http'],
  'lru-cache': ['vfs'],
  'fuse-native': ['fuse'],
  // The libfuse that fuse-native brings along.
  'fuse-shared-library': ['fuse'],
  saxes: ['share'],
  'fast-xml-parser': ['webdav'],
};

/** Modules of src/ itself that every layer may use. */
const COMMON = ['errors', 'log', 'names', 'receive-memory', 'running-time', 'slices'];

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  /** `import()`: loaded when it is reached. */
  readonly late?: boolean;
}

function importsOf(file: string): Import[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      found.push({ specifier: (node.moduleSpecifier as ts.StringLiteral).text, typeOnly });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      const specifier = (node.moduleSpecifier as ts.StringLiteral).text;
      found.push({ specifier, typeOnly: node.isTypeOnly });
    } else if (ts.isCallExpression(node)) {
      const [argument] = node.arguments;
      const loads =
        node.expression.kind === ts.SyntaxKind.ImportKeyword ||
        (ts.isIdentifier(node.expression) && node.expression.text === 'require');
      if (loads && argument && ts.isStringLiteral(argument)) {
        found.push({ specifier: argument.text, typeOnly: false, late: true });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .sort();

/** 'mux' for src/mux/frame.ts, the bare name for a file of src/ itself. */
function layerOf(relative: string): string {
  const [first = '', second] = relative.split(path.sep);
  return second === undefined ? first.replace(/\.ts$/, '') : first;
}

function targetOf(file: string, specifier: string): string {
  const resolved = path.resolve(path.dirname(path.join(SRC, file)), specifier);
  return path.relative(SRC, resolved).replace(/\.js$/, '.ts');
}

/** Imports nothing at run time but such modules and the common ones: computes only. */
function isPure(file: string, seen = new Set<string>()): boolean {
  if (seen.has(file)) return true;
  seen.add(file);
  return importsOf(path.join(SRC, file)).every(({ specifier, typeOnly }) => {
    if (typeOnly) return true;
    if (!specifier.startsWith('.')) return specifier === 'saxes';
    const target = targetOf(file, specifier);
    return COMMON.includes(layerOf(target)) || isPure(target, seen);
  });
}

/** What is loaded with `file`. */
function loadedWith(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const { specifier, typeOnly, late } of importsOf(path.join(SRC, file))) {
    if (!typeOnly && late !== true && specifier.startsWith('.')) {
      loadedWith(targetOf(file, specifier), seen);
    }
  }
  return seen;
}

function isAllowed(from: string, target: string, typeOnly: boolean): boolean {
  const own = layerOf(from);
  const other = layerOf(target);
  if (own === other || COMMON.includes(other)) return true;
  if (MAY_IMPORT[own]?.includes(other)) return true;
  return own === 'share' && SHARE_HELPERS.includes(other) && (typeOnly || isPure(target));
}

test('every file of src/ belongs to a known layer', () => {
  assert.ok(files.length > 0);
  for (const file of files) {
    const layer = layerOf(file);
    assert.ok(layer in MAY_IMPORT || COMMON.includes(layer), `${file}: no such layer`);
  }
});

test('imports between layers go rightwards only', () => {
  const wrong: string[] = [];
  for (const file of files) {
    for (const { specifier, typeOnly } of importsOf(path.join(SRC, file))) {
      if (!specifier.startsWith('.')) continue;
      const target = targetOf(file, specifier);
      if (!isAllowed(file, target, typeOnly)) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('each third-party package is used in its own layer only', () => {
  const wrong: string[] = [];
  for (const file of files) {
    for (const { specifier } of importsOf(path.join(SRC, file))) {
      if (specifier.startsWith('.') || isBuiltin(specifier)) continue;
      if (!PACKAGES[specifier]?.includes(layerOf(file))) wrong.push(`${file} imports ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('every relative import names its file with the .js suffix', () => {
  const wrong = files.flatMap((file) =>
    importsOf(path.join(SRC, file))
      .filter(({ specifier }) => specifier.startsWith('.') && !specifier.endsWith('.js'))
      .map(({ specifier }) => `${file} imports ${specifier}`),
  );
  assert.deepEqual(wrong, []);
});

test('commands that only ask or unmount load no package, and no server', () => {
  const loaded = [...loadedWith('cli/main.ts')];
  assert.ok(loaded.includes('cli/umount-command.ts'));
  const packages = loaded.flatMap((file) =>
    importsOf(path.join(SRC, file)).filter(
      ({ specifier, typeOnly, late }) =>
        !typeOnly && late !== true && !specifier.startsWith('.') && !isBuiltin(specifier),
    ),
  );
  assert.deepEqual(packages, []);
  assert.ok(!loaded.some((file) => layerOf(file) === 'share'));
});

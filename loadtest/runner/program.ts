import { existsSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Identifier,
  type ImportDeclaration,
  type MemberExpression,
  parse,
  type Program as Tree,
} from 'acorn';
import { ancestor, full } from 'acorn-walk';
import { type BuildFailure, build, type Plugin } from 'esbuild';
import { LACKING_GLOBALS } from './modules/host.ts';
import { Refusal } from './refusal.ts';

const MODULES: Record<string, string> = {
  k6: 'k6.ts',
  'k6/execution': 'execution.ts',
  'k6/http': 'http.ts',
  'k6/metrics': 'metrics.ts',
};

const moduleFile = (file: string) => fileURLToPath(new URL(`modules/${file}`, import.meta.url));

/**
 * A script with all that it imports, as one text for a VU's context, in which it is named `program`.
 * Types are stripped and not checked, as in k6.
 *
 * @throws {Refusal} that names what is not to be had here
 */
export async function readProgram(file: string): Promise<string> {
  const path = resolve(file);
  if (!existsSync(path)) throw new Refusal(`${file}: there is no such file`);
  await refuseWhatIsLacking(await bundle({ file: path, format: 'esm', outside: true }));
  return bundle({ file: path, format: 'iife', outside: false });
}

/** The text of a VU's thread. As JavaScript it starts in a third of the time. */
export async function readThread(): Promise<string> {
  const entryPoints = [fileURLToPath(new URL('vu.ts', import.meta.url))];
  const { outputFiles } = await build({
    entryPoints,
    write: false,
    format: 'cjs',
    platform: 'node',
  });
  return outputFiles[0]?.text ?? '';
}

async function bundle(what: { file: string; format: 'esm' | 'iife'; outside: boolean }) {
  const exports = [`export * as script from ${JSON.stringify(what.file)};`];
  if (!what.outside)
    exports.unshift(`export * as entry from ${JSON.stringify(moduleFile('entry.ts'))};`);
  try {
    const { outputFiles } = await build({
      stdin: { contents: exports.join('\n'), resolveDir: '/' },
      bundle: true,
      write: false,
      format: what.format,
      globalName: 'program',
      target: 'es2022',
      platform: 'neutral',
      sourcemap: what.outside ? false : 'inline',
      sourcesContent: false,
      absWorkingDir: '/',
      tsconfigRaw: {},
      logLevel: 'silent',
      plugins: [k6Rules(what.outside)],
    });
    return outputFiles[0]?.text ?? '';
  } catch (err) {
    throw new Refusal(messageOf(err as BuildFailure));
  }
}

function messageOf({ errors, message }: BuildFailure): string {
  const [first] = errors ?? [];
  if (!first) return message;
  const { location, text } = first;
  return location ? `${location.file}:${location.line}: ${text}` : text;
}

/** How k6 finds modules: its own by name, files by their whole name, and nothing else. */
function k6Rules(outside: boolean): Plugin {
  return {
    name: 'k6',
    setup({ onResolve }) {
      onResolve({ filter: /.*/ }, ({ path, importer, kind, resolveDir }) => {
        if (kind === 'entry-point') return undefined;
        const refuse = (why: string) => ({ errors: [{ text: `import of ${path}: ${why}` }] });
        if (kind !== 'import-statement') return refuse('only import statements are supported');
        if (path === 'k6' || path.startsWith('k6/')) {
          const file = MODULES[path];
          if (!file) return refuse('this runner lacks the module');
          return outside ? { path, external: true } : { path: moduleFile(file) };
        }
        if (!/^(\.{0,2}\/)/.test(path)) return refuse('only files and k6/… can be imported');
        if (!/\.[cm]?[jt]s$/.test(extname(path))) return refuse('write the whole name of the file');
        const found = resolve(importer ? dirname(importer) : resolveDir, path);
        return existsSync(found) ? { path: found } : refuse('there is no such file');
      });
    },
  };
}

/** Finds what a script wants of k6's modules by name; esbuild does not look into their defaults. */
async function refuseWhatIsLacking(code: string): Promise<void> {
  const tree: Tree = parse(code, { ecmaVersion: 'latest', sourceType: 'module' });
  const bindings = new Map<string, { module: string; value: object }>();
  for (const node of tree.body) {
    if (node.type === 'ImportDeclaration') await bind(node, bindings);
  }
  const declared = new Set<string>();
  full(tree, (node, _state, type) => {
    if (type === 'VariablePattern') declared.add((node as Identifier).name);
  });
  ancestor(tree, {
    Identifier(node, _state, ancestors) {
      if (LACKING_GLOBALS.includes(node.name) && !declared.has(node.name)) {
        throw new Refusal(`this runner lacks ${node.name}`);
      }
      const { module, value } = bindings.get(node.name) ?? {};
      if (!module || !value) return;
      let [known, name] = [value, module];
      for (const parent of ancestors.slice(0, -1).reverse()) {
        if (parent.type !== 'MemberExpression' || !('property' in parent)) return;
        const { property, computed } = parent as MemberExpression & { property: Identifier };
        if (computed) throw new Refusal(`this runner lacks ${name}[…]: write the name`);
        const descriptor = Object.getOwnPropertyDescriptor(known, property.name);
        name += `.${property.name}`;
        if (!descriptor) throw new Refusal(`this runner lacks ${name}`);
        if (typeof descriptor.value !== 'object') return; // what comes next is a value's own
        known = descriptor.value;
      }
    },
  });
}

async function bind(
  node: ImportDeclaration,
  bindings: Map<string, { module: string; value: object }>,
) {
  const module = String(node.source.value);
  const exported = await import(moduleFile(MODULES[module] ?? ''));
  for (const specifier of node.specifiers) {
    const local = specifier.local.name;
    if (specifier.type === 'ImportNamespaceSpecifier') {
      bindings.set(local, { module, value: exported });
      continue;
    }
    const named = specifier.type === 'ImportSpecifier' && 'name' in specifier.imported;
    const name = named ? (specifier.imported as { name: string }).name : 'default';
    if (!(name in exported)) throw new Refusal(`this runner lacks ${module}: ${name}`);
    const value = exported[name];
    if (typeof value === 'object') {
      bindings.set(local, { module: name === 'default' ? module : `${module} ${name}`, value });
    }
  }
}

// The rules of the house that no compiler knows: comments, sizes, names, the direction of imports, no machine paths.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const linesMax = 300

/** Not the repository's own, or written by its tools. */
const skipped = new Set(['node_modules', 'dist', '.git', '.backends', '.millrace', 'data', 'archive'])

/** What a folder may import besides itself and node's and npm's packages. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  kernel: [],
  runtime: ['protocol', 'kernel'],
  actors: ['runtime', 'protocol', 'kernel'],
  cli: ['actors', 'runtime', 'protocol', 'kernel', 'benchmarks', 'test/stand-ins'],
  bundle: ['cli', 'actors', 'runtime', 'benchmarks'],
  test: ['bundle', 'cli', 'actors', 'runtime', 'protocol', 'kernel', 'benchmarks'],
  benchmarks: ['cli', 'actors', 'runtime', 'protocol', 'kernel', 'test'],
}

/** Errors are the one thing that is a class: `instanceof` and a stack are wanted there. */
const classAllowed = /\bclass \w+ extends (?:\w*Error)\b/
const classFiles = ['protocol/errors.ts']

type Source = { readonly file: string; readonly text: string; readonly code: string }

function filesUnder(dir: string): string[] {
  return readdirSync(path.join(root, dir), { withFileTypes: true }).flatMap((entry) => {
    if (skipped.has(entry.name)) return []
    const file = dir === '' ? entry.name : `${dir}/${entry.name}`
    if (entry.isDirectory()) return filesUnder(file)
    return entry.isFile() ? [file] : []
  })
}

const files = filesUnder('')
const sources: readonly Source[] = files
  .filter(
    (file) => file.endsWith('.ts') && Object.keys(mayImport).some((folder) => file.startsWith(`${folder}/`)),
  )
  .map((file) => {
    const text = readFileSync(path.join(root, file), 'utf8')
    return { file, text, code: withoutComments(text) }
  })

/** Good enough for the patterns below: comments go, strings stay, lines keep their numbers. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/^\s*\/\/.*$/gm, '')
}

function linesOf({ file, code }: Source, pattern: RegExp): string[] {
  return code
    .split('\n')
    .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : []))
}

function nothing(found: readonly string[], rule: string): void {
  assert.deepEqual(found, [], `${rule}\n${found.join('\n')}`)
}

test('a file that does not say what it is for', () => {
  const silent = sources.filter(({ text }) => !/^\/\/ \S+(?: \S+){3,}/.test(text.split('\n', 1)[0] ?? ''))
  nothing(
    silent.map(({ file }) => file),
    'The first line is a comment: one sentence that says what the file is for.',
  )
})

test('a file that holds more than one concept', () => {
  const long = sources.map(({ file, text }) => ({ file, lines: text.trimEnd().split('\n').length }))
  const over = long
    .filter(({ lines }) => lines > linesMax)
    .map(({ file, lines }) => `${file}: ${lines} lines`)
  nothing(over, `No file is over ${linesMax} lines: find the second concept in it.`)
})

test('an import against the direction', () => {
  nothing(sources.flatMap(importsAgainst), 'cli → actors → runtime → protocol; the kernel imports nothing.')
})

function importsAgainst({ file, code }: Source): string[] {
  const folder = file.split('/')[0] ?? ''
  const allowed = [folder, ...(mayImport[folder] ?? [])]
  const imports = [...code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')
  return imports.flatMap((target) => {
    if (!target.startsWith('.')) return forbiddenPackage(folder, target) ? [`${file} imports ${target}`] : []
    const reached = path.posix.join(path.posix.dirname(file), target)
    return allowed.some((each) => reached.startsWith(`${each}/`)) ? [] : [`${file} imports ${reached}`]
  })
}

/** The kernel takes node's built-ins only; the protocol does no I/O. */
function forbiddenPackage(folder: string, name: string): boolean {
  if (folder === 'kernel') return !name.startsWith('node:')
  return (
    folder === 'protocol' &&
    /^(?:node:(?:fs|net|tls|http|https|http2|dgram|dns|child_process|worker_threads|cluster)|undici|nats|@nats-io)\b/.test(
      name,
    )
  )
}

test('a type that is no type', () => {
  const pattern = /(?:[:<|&(,=]\s*|\bas\s+|\bextends\s+)any\b(?=\s*(?:[;,)>\]|&={[]|$))/
  nothing(
    sources.filter(({ file }) => file !== 'test/tidy.test.ts').flatMap((source) => linesOf(source, pattern)),
    'No any: say unknown and look.',
  )
})

test('a class where a factory would do', () => {
  const found = sources.flatMap((source) =>
    linesOf(source, /^\s*(?:export\s+)?(?:default\s+)?(?:abstract\s+)?class\s+\w/).filter(
      (line) => !(classFiles.includes(source.file) && classAllowed.test(line)),
    ),
  )
  nothing(found, 'Factory and closure, not classes; an error class is the exception.')
})

test('a name that names nothing', () => {
  const vague = files.filter((file) =>
    /(?:^|[-._])(?:utils?|helpers?|common|misc)(?:[-._]|$)|manager/i.test(path.basename(file)),
  )
  nothing(vague, 'No utils, helpers, common, Manager: name the concept.')
})

test('a path of the machine it was written on', () => {
  const pattern = /(?:^|[^\w.*-])\/(?:root|work|Users\/\w+|home\/\w+)\//
  const found = files.flatMap((file) => {
    if (/\.(?:wasm|gz|png|ico|woff2|snappy|bin)$/.test(file) || file.startsWith('benchmarks/results/'))
      return []
    return linesOf({ file, text: '', code: readFileSync(path.join(root, file), 'utf8') }, pattern)
  })
  nothing(found, 'No path of one machine belongs in the repository.')
})

test('a lock file that names a registry', () => {
  const lock = readFileSync(path.join(root, 'package-lock.json'), 'utf8')
  nothing(
    lock.match(/"resolved":.*/g) ?? [],
    'package-lock.json without "resolved": npm install --omit-lockfile-registry-resolved',
  )
})

test('a line of the threat model without a test that shows it', () => {
  const rows = readFileSync(path.join(root, 'docs/security.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| what it '))
  assert.ok(rows.length > 30)
  const unshown = rows.filter((row) => {
    const [, file = '', title = ''] = /`(test\/[^`]+\.(?:test|real)\.ts)`: (.+) \|$/.exec(row) ?? []
    return !files.includes(file) || !readFileSync(path.join(root, file), 'utf8').includes(title)
  })
  nothing(unshown, 'docs/security.md names for each line a test file and the title of a test in it.')
})

test('a metric that is declared and that nothing counts: an alert on it would never fire', () => {
  const declared = /^runtime\/metric-declarations/
  const names = sources
    .filter(({ file }) => declared.test(file))
    .flatMap(({ code }) => [...code.matchAll(/^ {2}(\w+): \{/gm)].map(([, name = '']) => name))
  assert.ok(names.length > 50)
  const using = sources.filter(({ file }) => /^(actors|cli|runtime)\//.test(file) && !declared.test(file))
  const idle = names.filter((name) => !using.some(({ code }) => code.includes(`'${name}'`)))
  nothing(idle, 'Count it where it happens, or take its declaration out.')
})

test('a folder that is made by a call that may never return', () => {
  const pattern = /\bmkdir(?:Sync)?\(.*\brecursive\b/
  const found = sources
    .filter(({ file }) => /^(?:actors|benchmarks|cli|runtime)\//.test(file))
    .flatMap((source) => linesOf(source, pattern))
  nothing(found, 'makeFolder of runtime/make-folder.ts: recursive mkdir spins for ever in /proc.')
})

// Reads a file of tests: short forms are written out, and every problem is told with its line and column.
import { readFileSync, statSync } from 'node:fs'
import { MillraceError, saidOf, systemCode } from '../../protocol/errors.js'
import { explain } from '../../runtime/config/explain.js'
import { type Problem, problemsError } from '../../runtime/config/problems.js'
import { parseYaml, type YamlText } from '../../runtime/config/yaml-text.js'
import { type TestCase, testFileSchema } from './schema.js'

export interface PlacedTest {
  readonly test: TestCase
  /** One expectation for every record, however many there are. */
  readonly expectAll: boolean
  /** `file:line:column` */
  readonly place: string
}

const FILE_BYTES_MAX = 4 * 1024 * 1024
const ALIASES_MAX = 100

/** Throws `config.*`, a line for each problem. */
export function readTests(file: string): PlacedTest[] {
  const yaml = parseYaml(readText(file))
  if (yaml.problems.length > 0) throw problemsError(file, yaml.problems)
  const raw = plain(yaml, file)
  const short = shortForms(raw)
  const parsed = testFileSchema.safeParse(raw)
  if (!parsed.success) {
    const problems = parsed.error.issues
      .flatMap((issue) => explain(testFileSchema, issue, raw))
      .map((found): Problem => ({ ...found, ...yaml.placeOf(placedPath(found.path, short)) }))
    throw problemsError(file, problems)
  }
  return parsed.data.tests.map((test, n) => {
    const { line, column } = yaml.placeOf(['tests', n, 'name'])
    return { test, expectAll: short.has(n), place: `${file}:${line}:${column}` }
  })
}

function readText(file: string): string {
  const fail = (problem: string, cause?: unknown) =>
    new MillraceError('config.tests', `${file}: ${problem}`, { cause })
  try {
    const { size } = statSync(file)
    if (size > FILE_BYTES_MAX) throw fail(`has ${size} bytes, a file of tests at most ${FILE_BYTES_MAX}`)
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
    if (text.trim() === '') throw fail('is empty; it needs a list `tests:`')
    return text
  } catch (error) {
    if (error instanceof MillraceError) throw error
    const code = systemCode(error)
    if (code === 'ENOENT') throw fail('does not exist', error)
    if (code === 'EISDIR') throw fail('is a folder; name the files of tests in it', error)
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw fail('is not UTF-8; save it in that encoding', error)
    throw fail(`can not be read (${code ?? String(error)})`, error)
  }
}

function plain(yaml: YamlText, file: string): unknown {
  try {
    return yaml.document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown
  } catch (error) {
    const problem = saidOf(error)
    throw new MillraceError('config.yaml', `${file}: ${problem}; write the values out`, { cause: error })
  }
}

/** Writes `source: pods`, `input: |` and `expect: { … }` out, in place. Returns the tests with one expectation for all records. */
function shortForms(raw: unknown): ReadonlySet<number> {
  const single = new Set<number>()
  const tests = isMap(raw) && Array.isArray(raw['tests']) ? (raw['tests'] as unknown[]) : []
  for (const [n, test] of tests.entries()) {
    if (!isMap(test)) continue
    if (typeof test['source'] === 'string') test['source'] = { name: test['source'] }
    const { input } = test
    if (typeof input === 'string') test['input'] = withoutEnd(input).split('\n')
    else if (Array.isArray(input))
      test['input'] = input.map((line) => (typeof line === 'string' ? withoutEnd(line) : line))
    if (!isMap(test['expect'])) continue
    test['expect'] = [test['expect']]
    single.add(n)
  }
  return single
}

/** A text of a block (`|`) ends its last line. */
function withoutEnd(text: string): string {
  return text.replace(/\n$/, '')
}

/** The path in the file as it is written. */
function placedPath(path: readonly PropertyKey[], single: ReadonlySet<number>): readonly PropertyKey[] {
  const [root, test, key, , ...rest] = path
  return root === 'tests' && key === 'expect' && single.has(Number(test))
    ? [root, Number(test), key, ...rest]
    : path
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// Loads the configuration: text → YAML → environment → schema → paths → cross-checks, with every problem told at its place.
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { isScalar, type Node } from 'yaml'
import type { $ZodIssue } from 'zod/v4/core'
import { configSchema, type Config } from '../../protocol/config/schema.js'
import { MillraceError, saidOf, systemCode } from '../../protocol/errors.js'
import { crossCheck } from './cross-checks.js'
import { explain } from './explain.js'
import { maskConflict } from './mask.js'
import { optionsWithoutEffect } from './no-effect.js'
import { resolvePaths, setAt } from './paths.js'
import { problemsError, type Problem } from './problems.js'
import { ruleNotes, withDebugServices } from './sampling-section.js'
import { isMissing, substitute, type Environment, type Substitution } from './substitute.js'
import { parseYaml, type YamlText } from './yaml-text.js'

export interface LoadedConfig {
  /** Defaults filled in, durations in ms, sizes in bytes, paths absolute. */
  readonly config: Config
  /** `file:line:column: …` of what is legal and yet not what the user may expect. */
  readonly warnings: readonly string[]
  /** The file as it is. */
  readonly text: string
}

const FILE_BYTES_MAX = 1024 * 1024
const ALIASES_MAX = 100

/** Throws MillraceError `config.*`; a message may have several lines, one a problem. */
export function loadConfig(file: string, env: Environment = process.env): LoadedConfig {
  return parseConfig(readText(file), file, env)
}

/** `file` names the text in messages, and its folder is what relative paths mean. */
export function parseConfig(text: string, file: string, env: Environment = process.env): LoadedConfig {
  if (text.trim() === '') throw emptyFile(file)
  refuseMaskedText(text, file)
  const yaml = parseYaml(text)
  if (yaml.problems.length > 0) throw problemsError(file, yaml.problems)
  const substitution = substitute(yaml.document, env)
  const raw = withDebugServices(toPlain(yaml, file), env)
  if (raw === null) throw emptyFile(file)
  const problems: Problem[] = substitution.missing.map(({ node, message }) => ({
    code: 'config.env',
    ...yaml.placeOfNode(node),
    message,
  }))
  const parsed = validate(raw, yaml, substitution)
  problems.push(...parsed.problems)
  if (parsed.config === undefined || problems.length > 0) throw problemsError(file, problems)
  const config = resolvePaths(parsed.config, path.dirname(path.resolve(file)))
  const found = crossCheck(config).map((finding): Problem => {
    return { code: 'config.conflict', ...yaml.placeOf(finding.path), message: finding.message }
  })
  if (found.length > 0) throw problemsError(file, found)
  const warnings = [...optionsWithoutEffect(raw), ...ruleNotes(config.sampling)]
    .map((warning) => ({ ...yaml.placeOf(warning.path), message: warning.message }))
    .toSorted((a, b) => a.line - b.line || a.column - b.column)
    .map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`)
  return { config, warnings, text }
}

const emptyFile = (file: string) =>
  new MillraceError('config.empty', `${file}: holds no options; \`millrace init\` writes a starter`)

/** Throws `config.*` for a file that is none, too large, or no text. */
export function readText(file: string): string {
  const fail = (code: string, problem: string, cause?: unknown) =>
    new MillraceError(`config.${code}`, `${file}: ${problem}`, { cause })
  let bytes: Buffer
  try {
    const stat = statSync(file)
    if (stat.isDirectory()) throw fail('is_folder', 'is a folder; name the configuration file in it with -c')
    if (stat.size > FILE_BYTES_MAX)
      throw fail(
        'too_large',
        `has ${stat.size} bytes, a configuration at most ${FILE_BYTES_MAX}; is it the right file?`,
      )
    bytes = readFileSync(file)
  } catch (error) {
    if (error instanceof MillraceError) throw error
    const code = systemCode(error)
    if (code === 'ENOENT')
      throw fail(
        'not_found',
        'does not exist; name another with -c, or write one with `millrace init`',
        error,
      )
    if (code === 'EACCES')
      throw fail('unreadable', 'may not be read by this user; change its permissions', error)
    throw fail('unreadable', `can not be read (${code ?? String(error)})`, error)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw fail('not_utf8', 'is not UTF-8; save it in that encoding', error)
  }
}

function refuseMaskedText(text: string, file: string): void {
  const offset = maskConflict(text)
  if (offset < 0) return
  const before = text.slice(0, offset).split('\n')
  const point = text.charCodeAt(offset).toString(16).toUpperCase()
  const message = `the private-use character U+${point} can not be used in a configuration; remove it`
  throw problemsError(file, [
    { code: 'config.yaml', line: before.length, column: (before.at(-1)?.length ?? 0) + 1, message },
  ])
}

function toPlain(yaml: YamlText, file: string): unknown {
  try {
    return yaml.document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown
  } catch (error) {
    // The parser throws a ReferenceError both for an unknown alias and for too many of them.
    const problem = saidOf(error)
    throw new MillraceError(
      'config.yaml',
      `${file}: ${problem}; write the values out instead of using aliases`,
      { cause: error },
    )
  }
}

/** The schema's verdict, in which an option that wants text gets the text of a variable even where it looks like a number. */
export function validate(
  raw: unknown,
  yaml: YamlText,
  substitution: Substitution,
): { config?: Config; problems: Problem[] } {
  const first = configSchema.safeParse(raw)
  if (first.success) return { config: first.data, problems: [] }
  const texts = first.error.issues
    .filter((issue) => wantsText(issue))
    .flatMap((issue) => {
      const node = yaml.nodeAt(issue.path)
      const text = node === undefined ? undefined : substitution.texts.get(node)
      return text === undefined || text === '' ? [] : [{ path: issue.path, text }]
    })
  for (const { path: at, text } of texts) setAt(raw, at, text)
  const second = texts.length === 0 ? first : configSchema.safeParse(raw)
  if (second.success) return { config: second.data, problems: [] }
  const problems = second.error.issues
    .filter((issue) => !isMissing(substitution, yaml.nodeAt(issue.path)))
    .flatMap((issue) =>
      explain(configSchema, issue, raw, (at) => substitution.secret.has(yaml.nodeAt(at) as Node)),
    )
    .map(
      (found): Problem => ({
        code: found.code,
        ...yaml.placeOf(found.path),
        message: found.message + origin(found.path, yaml, substitution),
      }),
    )
  return { problems }
}

function wantsText(issue: $ZodIssue): boolean {
  return issue.code === 'invalid_type' && issue.expected === 'string'
}

/** Tells that a refused value is not the file's own. */
function origin(at: readonly PropertyKey[], yaml: YamlText, substitution: Substitution): string {
  const node = yaml.nodeAt(at)
  return isScalar(node) && substitution.touched.has(node) ? ' (the value comes from the environment)' : ''
}

// Builds configuration texts for the tests, and reads the problems that a text has.
import { MillraceError } from '../../protocol/errors.js'
import { parseConfig, type LoadedConfig } from '../../runtime/config/load.js'

/** A small valid file; `extra` goes behind it, `source` and `backend` replace the inner part of theirs. */
export function configText(
  parts: { readonly source?: string; readonly backend?: string; readonly extra?: string } = {},
): string {
  const source = parts.source ?? 'type: file, include: [logs/*.log]'
  const backend = parts.backend ?? 'type: elasticsearch, url: http://127.0.0.1:9200'
  return `sources:\n  app: { ${source} }\nbackends:\n  es: { ${backend} }\n${parts.extra ?? ''}`
}

export function parse(text: string, env: Readonly<Record<string, string>> = {}): LoadedConfig {
  return parseConfig(text, '/etc/millrace/m.yaml', env)
}

/** Code and lines of the error, the file's name cut off. Throws when the text is valid. */
export function problemsOf(
  text: string,
  env: Readonly<Record<string, string>> = {},
): { code: string; lines: string[] } {
  try {
    parse(text, env)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return {
      code: error.code,
      lines: error.message.split('\n').map((line) => line.replace('/etc/millrace/m.yaml:', '').trim()),
    }
  }
  throw new Error('the text is valid')
}

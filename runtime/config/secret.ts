// Reads a secret from the file that an option `…_file` names, when it is used and not before.
import { readFileSync, statSync } from 'node:fs'
import { MillraceError, systemCode } from '../../protocol/errors.js'

const SECRET_BYTES_MAX = 64 * 1024

/**
 * The file's text without its trailing line break. `option` is the option's path, for the message.
 * Throws `config.secret_file` when the file is missing, unreadable, empty or too large to be a secret.
 */
export function readSecret(file: string, option: string): string {
  const fail = (problem: string, cause?: unknown): never => {
    throw new MillraceError('config.secret_file', `${option}: ${file} ${problem}`, { cause })
  }
  let text = ''
  try {
    const stat = statSync(file)
    if (stat.isDirectory()) fail('is a folder; name the file in it')
    if (stat.size > SECRET_BYTES_MAX)
      fail(`has ${stat.size} bytes, a secret at most ${SECRET_BYTES_MAX}; is it the right file?`)
    text = readFileSync(file, 'utf8').replace(/[\r\n]+$/, '')
  } catch (error) {
    if (error instanceof MillraceError) throw error
    const code = systemCode(error)
    if (code === 'ENOENT') fail('does not exist; create it or correct the path', error)
    if (code === 'EACCES') fail('may not be read by this user; change its permissions', error)
    fail(`can not be read (${code ?? String(error)})`, error)
  }
  if (text === '') fail('is empty; write the secret into it')
  // A line break inside would end up in an HTTP header.
  if (/[\r\n\0]/.test(text)) fail('holds more than one line; keep only the secret in it')
  return text
}

// Authentication and TLS that all HTTP backends share: secrets are read from their files when the backend is opened.
import { readFileSync } from 'node:fs'
import { MillraceError } from '../../../protocol/errors.js'
import { readSecret } from '../../../runtime/config/secret.js'

export interface CredentialOptions {
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly password_file?: string | undefined
  readonly ca_file?: string | undefined
  readonly tls_verify: boolean
}

export interface Tls {
  readonly ca?: string
  readonly rejectUnauthorized: boolean
}

/** `backends.<name>` for messages. Throws `config.secret_file` or `config.ca_file`. */
export function tlsOf(name: string, options: CredentialOptions): Tls {
  if (options.ca_file === undefined) return { rejectUnauthorized: options.tls_verify }
  try {
    return { ca: readFileSync(options.ca_file, 'utf8'), rejectUnauthorized: options.tls_verify }
  } catch (cause) {
    throw new MillraceError('config.ca_file', `backends.${name}.ca_file: ${options.ca_file} cannot be read`, {
      cause,
    })
  }
}

/** The value of an option or of its `_file` twin; the file wins. */
export function secretOf(
  option: string,
  value: string | undefined,
  file: string | undefined,
): string | undefined {
  return file === undefined ? value : readSecret(file, `${option}_file`)
}

/** The Authorization header's value, or undefined. */
export function basicAuth(name: string, options: CredentialOptions): string | undefined {
  if (options.username === undefined) return undefined
  const password = secretOf(`backends.${name}.password`, options.password, options.password_file) ?? ''
  return `Basic ${Buffer.from(`${options.username}:${password}`).toString('base64')}`
}

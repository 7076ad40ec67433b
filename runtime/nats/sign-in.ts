// How a node signs in to NATS: credentials and TLS files are read when a connection is made, so that renewed ones are used at the next.
import { readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  type TlsOptions,
  usernamePasswordAuthenticator,
} from 'nats'
import type { NatsOptions } from '../../protocol/config/nats.js'
import { MillraceError, systemCode } from '../../protocol/errors.js'
import { readSecret } from '../config/secret.js'

export type SignInOptions = Pick<
  NatsOptions,
  | 'servers'
  | 'creds_file'
  | 'nkey_file'
  | 'token'
  | 'token_file'
  | 'username'
  | 'password'
  | 'password_file'
  | 'tls'
>

const CREDENTIALS_BYTES_MAX = 64 * 1024

/** Undefined when the server asks for nothing. Throws `config.secret_file` or `config.nats_credentials`. */
export function authenticatorOf(options: SignInOptions): Authenticator | undefined {
  if (options.creds_file !== undefined) {
    const creds = readCredentials(options.creds_file)
    return guarded(credsAuthenticator(creds), 'nats.creds_file', options.creds_file)
  }
  if (options.nkey_file !== undefined) {
    const seed = readSecret(options.nkey_file, 'nats.nkey_file').trim()
    return guarded(nkeyAuthenticator(new TextEncoder().encode(seed)), 'nats.nkey_file', options.nkey_file)
  }
  const token =
    options.token_file === undefined ? options.token : readSecret(options.token_file, 'nats.token_file')
  if (token !== undefined) return tokenAuthenticator(token)
  if (options.username === undefined) return undefined
  const password =
    options.password_file === undefined
      ? options.password
      : readSecret(options.password_file, 'nats.password_file')
  return usernamePasswordAuthenticator(options.username, password)
}

/** A file that holds something else than a key is told by its name, and not by what a decoder says of its bytes. */
function guarded(authenticator: Authenticator, option: string, file: string): Authenticator {
  return (nonce) => {
    try {
      return authenticator(nonce)
    } catch (cause) {
      throw new MillraceError(
        'config.nats_credentials',
        `${option}: ${file} holds no key that NATS takes; write it anew with nsc or nk`,
        { cause },
      )
    }
  }
}

function readCredentials(file: string): Uint8Array {
  try {
    if (statSync(file).size <= CREDENTIALS_BYTES_MAX) return readFileSync(file)
  } catch (cause) {
    const text = `nats.creds_file: ${file} can not be read (${systemCode(cause) ?? String(cause)})`
    throw new MillraceError('config.secret_file', text, { cause })
  }
  throw new MillraceError(
    'config.secret_file',
    `nats.creds_file: ${file} is larger than ${CREDENTIALS_BYTES_MAX} bytes; is it the right file?`,
  )
}

type ServerCheck = (host: string, certificate: PeerCertificate) => Error | undefined

/**
 * The client library names no host for a server that is given by its IP address, and Node then compares the certificate with `localhost`.
 * It has to be for one of the addresses of the configuration instead (RFC 9110 §4.3.5).
 */
function serverCheck(servers: readonly string[]): TlsOptions & { checkServerIdentity?: ServerCheck } {
  const hosts = servers.map(
    (server) => new URL(server.includes('://') ? server : `nats://${server}`).hostname,
  )
  const addresses = hosts.map((host) => host.replace(/^\[|\]$/g, '')).filter((host) => isIP(host) !== 0)
  if (addresses.length === 0 || hosts.includes('localhost')) return {}
  return {
    checkServerIdentity(host, certificate) {
      const names = host === 'localhost' ? addresses : [host]
      const faults = names.map((name) => checkServerIdentity(name, certificate))
      return faults.includes(undefined) ? undefined : faults[0]
    },
  }
}

/** What the client's TLS needs; undefined where none was asked for (a server that offers TLS gets it all the same). */
export function tlsOf({ tls, servers }: SignInOptions): TlsOptions | undefined {
  const check = serverCheck(servers)
  if (tls === undefined) return servers.some((server) => server.startsWith('tls://')) ? check : undefined
  const text = (option: 'ca_file' | 'cert_file' | 'key_file') => {
    const file = tls[option]
    if (file === undefined) return undefined
    try {
      return readFileSync(file, 'utf8')
    } catch (cause) {
      const problem = `nats.tls.${option}: ${file} can not be read (${systemCode(cause) ?? String(cause)})`
      throw new MillraceError('config.ca_file', problem, { cause })
    }
  }
  const [ca, cert, key] = [text('ca_file'), text('cert_file'), text('key_file')]
  return {
    ...check,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tls.first ? { handshakeFirst: true } : {}),
  }
}
